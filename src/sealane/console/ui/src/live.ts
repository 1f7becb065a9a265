// Freshness. The page's one event stream is htmx's (hx-sse); this island says whether it lives, lets the reader pause
// it (WCAG 2.2.2) and never shows an old page as live: without a beat for 12 s, or while a cluster's part is old, the mark
// says since when. A page that is old as a whole is greyed; what was last known stays.
const SILENCE_MS = 12_000;
const KEY = "sealane-paused";

interface Connection {
  reader: ReadableStreamDefaultReader | null;
}
interface SseDetail {
  connection?: Connection;
  cancelled?: boolean;
  message?: { event: string };
}

let paused = false;
let last = 0;
let connection: Connection | undefined;

const clock = (ms: number): string => new Date(ms).toLocaleTimeString([], { hour12: false });

function show(): void {
  const alive = Date.now() - last < SILENCE_MS;
  const behind = document.querySelector<HTMLElement>("[data-behind]");
  document.documentElement.toggleAttribute("data-stale", !alive || behind?.dataset["all"] !== undefined);
  for (const mark of document.querySelectorAll<HTMLElement>("[data-fresh]")) {
    mark.className = `fresh${paused ? " fresh--paused" : alive && !behind ? "" : " fresh--stale"}`;
    const text = paused ? "paused by you" : !alive ? `as of ${clock(last)}` : (behind?.dataset["behind"] ?? "live");
    if (mark.textContent !== text) mark.textContent = text;
  }
  for (const button of document.querySelectorAll<HTMLElement>("[data-pause]")) {
    button.removeAttribute("hidden");
    button.setAttribute("aria-pressed", String(paused));
  }
}

function alive(): void {
  last = Date.now();
  show();
}

function toggle(): void {
  paused = !paused;
  try {
    sessionStorage.setItem(KEY, paused ? "1" : "");
  } catch {
    // Not kept: the choice lasts for this page.
  }
  // A fresh connection begins with the whole page, so nothing that passed while paused is missed.
  if (!paused) void connection?.reader?.cancel();
  show();
}

export function live(): void {
  const source = document.getElementById("live");
  if (!source) return;
  last = Date.now();
  try {
    paused = sessionStorage.getItem(KEY) === "1";
  } catch {
    paused = false;
  }
  source.addEventListener("htmx:sse:after:connection", (event) => {
    connection = (event as CustomEvent<SseDetail>).detail.connection;
    alive();
  });
  source.addEventListener("htmx:sse:before:message", (event) => {
    const detail = (event as CustomEvent<SseDetail>).detail;
    last = Date.now();
    if (paused && !detail.message?.event) detail.cancelled = true;
  });
  source.addEventListener("beat", alive);
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-pause]")) toggle();
  });
  setInterval(show, 1_000);
  show();
}
