// Bundles the islands and the stylesheet into OUT with hashed names, and writes manifest.json: name → file.
// Run by hatch_build.py at the root of the repository, or by hand: npm run build.
import { build } from "esbuild";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, "../static/dist"));
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: { main: "src/main.ts", theme: "src/theme.ts", sealane: "../static/sealane.css" },
  outdir: out,
  entryNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome123", "firefox128", "safari17.5"],
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

const files = {};
for (const [file, facts] of Object.entries(result.metafile.outputs)) {
  if (!facts.entryPoint) continue;
  const name = path.basename(facts.entryPoint).replace(/\.ts$/, ".js");
  files[name] = path.basename(file);
}
writeFileSync(path.join(out, "manifest.json"), JSON.stringify(files, null, 1) + "\n");
