// Copy buttons: data-copy names the element whose text is taken, data-copy-url the address that gives it (for text
// that is masked on the page). Where the clipboard is forbidden the text is selected instead.
import { say } from "./say";

async function textOf(button: HTMLElement): Promise<string> {
  const url = button.dataset["copyUrl"];
  if (url) {
    const answer = await fetch(url, { headers: { Accept: "text/plain" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.text();
  }
  return document.getElementById(button.dataset["copy"] ?? "")?.textContent ?? "";
}

function select(id: string): void {
  const node = document.getElementById(id);
  if (!node) return;
  getSelection()?.selectAllChildren(node);
}

async function copy(button: HTMLElement): Promise<void> {
  const word = button.querySelector("[data-word]");
  const before = word?.textContent ?? "";
  try {
    await navigator.clipboard.writeText(await textOf(button));
    if (word) word.textContent = "Copied";
    say("Copied");
  } catch {
    select(button.dataset["copy"] ?? "");
    if (word) word.textContent = "Selected: copy it";
    say("The browser did not allow copying; the text is selected.");
  }
  setTimeout(() => word && (word.textContent = before), 2500);
}

export function copying(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-copy], [data-copy-url]");
    if (button) void copy(button);
  });
}
