// Theme: auto (the system's), light or dark. Runs before the first paint; the choice stays on this computer.
const key = "sealane-theme";
const order = ["auto", "light", "dark"] as const;
type Theme = (typeof order)[number];

function read(): Theme {
  try {
    const kept = localStorage.getItem(key);
    return order.find((theme) => theme === kept) ?? "auto";
  } catch {
    return "auto";
  }
}

function show(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "auto") root.removeAttribute("data-theme");
  else root.dataset["theme"] = theme;
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.setAttribute("aria-label", `Theme: ${theme}`);
    button.removeAttribute("hidden");
  }
}

show(read());
addEventListener("DOMContentLoaded", () => {
  show(read());
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.addEventListener("click", () => {
      const next = order[(order.indexOf(read()) + 1) % order.length] ?? "auto";
      try {
        localStorage.setItem(key, next);
      } catch {
        // A private window: the choice lasts for this page.
      }
      show(next);
    });
  }
});
