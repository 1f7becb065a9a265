// One polite live region for results of the reader's own actions (WCAG 4.1.3).
export function say(text: string): void {
  const region = document.getElementById("say");
  if (!region) return;
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}
