/** The class and the confidence under the pointer. */

import { byId } from "./dom.js";
import { shownColor } from "./legend.js";
import { state } from "./state.js";

/**
 * Write what is under the pointer into the status line.
 * @param {import("./view.js").View} view
 * @param {import("./gestures.js").Gestures} gestures
 */
export function startPointer(view, gestures) {
  const readout = byId("readout");
  const swatch = byId("readout-color");
  const write = () => {
    const { place } = gestures;
    const [x, y] = place ? [Math.round(place.x), Math.round(place.y)] : [-1, -1];
    const label = state.labels?.at(x, y) ?? -1;
    const parts = [];
    if (label >= 0) {
      parts.push(state.nameOf(label));
      const sure = confidenceAt(x, y);
      if (sure !== null) parts.push(`${Math.round(100 * sure)} % sure`);
      const other = view.other?.at(x, y) ?? -1;
      if (other >= 0 && other !== label) parts.push(`other: ${state.nameOf(other)}`);
      parts.push(`${x}, ${y}`);
    }
    readout.textContent = parts.join(" · ");
    const color = shownColor(label);
    swatch.hidden = color === null;
    swatch.style.background = color ?? "";
  };
  gestures.addEventListener("place", write);
  state.on("labels", write);
  state.on("item", write);
}

/**
 * Return how sure the model is about a pixel, 0..1; null where nobody knows.
 * @param {number} x
 * @param {number} y
 */
function confidenceAt(x, y) {
  const { uncertainty, photo } = state;
  if (!uncertainty || !photo) return null;
  const column = Math.floor((x * uncertainty.width) / photo.width);
  const row = Math.floor((y * uncertainty.height) / photo.height);
  return 1 - uncertainty.data[row * uncertainty.width + column] / 255;
}
