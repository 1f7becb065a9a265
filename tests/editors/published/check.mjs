// Reads a Continue config.yaml from standard input and holds it against the schema that Continue publishes.
// The schema drops keys that it does not know, so what comes back must equal what went in.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";

const require = createRequire(`${process.argv[2]}/index.js`);
const { configYamlSchema } = await import(require.resolve("@continuedev/config-yaml"));
const { parse } = await import(require.resolve("yaml"));

const given = parse(readFileSync(0, "utf8"));
const result = configYamlSchema.safeParse(given);
if (!result.success) {
  console.log(JSON.stringify(result.error.issues));
  process.exit(1);
}
const lost = (a, b, at) =>
  a && typeof a === "object"
    ? Object.keys(a).flatMap((key) => (b && key in b ? lost(a[key], b[key], `${at}.${key}`) : [`${at}.${key}`]))
    : isDeepStrictEqual(a, b)
      ? []
      : [at];
const unknown = lost(given, result.data, "");
console.log(JSON.stringify(unknown));
process.exit(unknown.length ? 1 : 0);
