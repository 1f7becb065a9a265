// Number boxes get their helpers: plus and minus beside them, and a slider that carries the same value. The box is
// what the form sends; nobody needs to drag (WCAG 2.5.7).
function changed(box: HTMLInputElement): void {
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.dispatchEvent(new Event("change", { bubbles: true }));
}

export function numbers(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-step]");
    const box = button?.parentElement?.querySelector<HTMLInputElement>("input[type=number]");
    if (!button || !box) return;
    if (button.dataset["step"] === "up") box.stepUp();
    else box.stepDown();
    changed(box);
  });
  document.addEventListener("input", (event) => {
    const input = event.target as HTMLInputElement;
    const twin = input.dataset["twin"];
    const other = twin ? (document.getElementById(twin) as HTMLInputElement | null) : null;
    if (other && other.value !== input.value) other.value = input.value;
  });
  // The slider is not part of the form; its last value reaches the form through the box.
  document.addEventListener("change", (event) => {
    const input = event.target as HTMLInputElement;
    if (input.type !== "range" || !input.dataset["twin"]) return;
    const box = document.getElementById(input.dataset["twin"]) as HTMLInputElement | null;
    if (box) changed(box);
  });
}
