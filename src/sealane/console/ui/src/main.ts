// The islands. Each improves a page that already works without it; none holds state that the server does not.
import "htmx.org/dist/htmx.esm.js";
import "htmx.org/dist/ext/hx-csp.js";
import "htmx.org/dist/ext/hx-sse.js";
import { copying } from "./copy";
import { live } from "./live";
import { numbers } from "./numbers";
import { say } from "./say";

document.documentElement.dataset["ready"] = "";
copying();
numbers();
live();

// What htmx could not do is said, never swallowed.
document.addEventListener("htmx:error", () => say("The console did not answer. Check that sealane is running, then try again."));
document.addEventListener("click", (event) => {
  const dismiss = (event.target as Element).closest("[data-dismiss]");
  dismiss?.closest(".toast")?.remove();
});
