/** What a use made of the picture, in the picture's own room: before and after, one over the other, with a divider. */

import { byId, make } from "../dom.js";
import { state } from "../state.js";

const FIRST = 25; // percent that the picture before has: what was changed is mostly in the middle

/** Takes away what is shown. */
let close = () => {};

state.on("item", () => close());
document.addEventListener("studio-action", () => close()); // tools and views are of the picture below

/**
 * Show a picture, and the one that it was made of if both are of one form.
 * @param {Blob} before
 * @param {Blob} after
 * @param {string} name
 */
export async function showBeside(before, after, name) {
  close();
  const made = await pictureOf(after, "After");
  const given = await pictureOf(before, "Before");
  const isPair = Math.abs(made.naturalWidth * given.naturalHeight - given.naturalWidth * made.naturalHeight) <= made.naturalWidth + made.naturalHeight;
  const divider = make("input", { type: "range", min: "0", max: "100", value: String(FIRST), "aria-label": "Divider between before and after", hidden: !isPair });
  const line = make("div", { className: "use-line", hidden: !isPair });
  const cut = () => {
    made.style.clipPath = isPair ? `inset(0 0 0 ${divider.value}%)` : "";
    line.style.left = `${divider.value}%`;
  };
  divider.addEventListener("input", cut);
  cut();
  const button = make("button", { type: "button", className: "primary" }, "Close");
  const bar = make("div", { className: "use-bar" }, isPair ? make("span", {}, "Before") : null, divider, isPair ? make("span", {}, "After") : null, button);
  const room = make("section", { id: "use-beside", "aria-label": `${name}: before and after` }, make("div", { className: "use-beside" }, ...(isPair ? [given] : []), made), line, bar);
  const leave = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && close();
  close = () => {
    room.remove();
    removeEventListener("keydown", leave);
    for (const { src } of [made, given]) URL.revokeObjectURL(src);
    close = () => {};
  };
  button.addEventListener("click", () => {
    close();
    byId("canvas").focus();
  });
  addEventListener("keydown", leave);
  byId("stage").append(room);
}

/**
 * @param {Blob} blob
 * @param {string} alt
 */
async function pictureOf(blob, alt) {
  const image = make("img", { src: URL.createObjectURL(blob), alt });
  await image.decode();
  return image;
}
