/** What lies over the picture: the brush around the pointer, the cursor of the keyboard, and open polygons. */

import { byId } from "./dom.js";
import { editor } from "./editor.js";
import { hand } from "./tools/index.js";

/**
 * Draw the overlay whenever something of it moves.
 * @param {import("./view.js").View} view
 * @param {import("./gestures.js").Gestures} gestures
 */
export function startOverlay(view, gestures) {
  const ring = byId("ring");
  const cross = byId("cross");
  const line = byId("line");
  const draw = () => {
    const { place } = gestures;
    const point = place && view.pointOf(place.x, place.y);
    const radius = ((editor.size / 2) * view.zoom) / view.ratio();
    const isRound = Boolean(point && hand.tool.round && radius > 2);
    show(ring, isRound, { cx: point?.x, cy: point?.y, r: radius });
    show(cross, Boolean(point && gestures.byKeys), { transform: `translate(${point?.x ?? 0} ${point?.y ?? 0})` });
    const corners = hand.tool.outline?.() ?? [];
    const points = corners.map(({ x, y }) => view.pointOf(x, y)).map(({ x, y }) => `${x},${y}`);
    show(line, points.length > 0, { points: points.join(" ") });
    view.canvas.classList.toggle("round", isRound);
  };
  gestures.addEventListener("place", draw);
  view.addEventListener("moved", draw);
  hand.addEventListener("tool", draw);
  editor.addEventListener("size", draw);
}

/**
 * @param {Element} element
 * @param {boolean} shown
 * @param {Record<string, string | number | undefined>} attributes
 */
function show(element, shown, attributes) {
  element.toggleAttribute("hidden", !shown);
  if (!shown) return;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}
