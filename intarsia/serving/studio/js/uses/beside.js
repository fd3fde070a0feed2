/** Before and after: two pictures one over the other, with a divider. */

import { make } from "../dom.js";

/**
 * Show two pictures of the same size in a dialog.
 * @param {Blob} before
 * @param {Blob} after
 * @param {string} name
 */
export function showBeside(before, after, name) {
  const addresses = [before, after].map((blob) => URL.createObjectURL(blob));
  const first = make("img", { src: addresses[0], alt: "Before" });
  const second = make("img", { src: addresses[1], alt: "After" });
  const divider = make("input", { type: "range", min: "0", max: "100", value: "50", "aria-label": "Divider between before and after" });
  const cut = () => (second.style.clipPath = `inset(0 0 0 ${divider.value}%)`);
  divider.addEventListener("input", cut);
  cut();
  const form = make(
    "form",
    { method: "dialog" },
    make("h2", {}, name),
    make("div", { className: "use-beside" }, first, second),
    divider,
    make("div", { className: "buttons" }, make("button", { type: "submit", className: "primary" }, "Close")),
  );
  const dialog = make("dialog", { id: "use-beside", "aria-label": `${name}: before and after` }, form);
  dialog.addEventListener("close", () => {
    for (const address of addresses) URL.revokeObjectURL(address);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}
