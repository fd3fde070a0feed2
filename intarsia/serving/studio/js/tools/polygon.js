/** Polygon: click its corners; a double click, Enter, or a click on the first corner closes it. */

import { editor } from "../editor.js";
import { polygonSpans } from "../shapes.js";
import { state } from "../state.js";

/** @typedef {import("./tool.js").Point} Point */

/** @type {Point[]} */
let corners = [];
/** @type {Point | null} */
let pointer = null;

/** Fill what the corners enclose; says whether there were enough of them. */
function close() {
  const isArea = corners.length > 2;
  if (isArea) {
    editor.apply((map, keep) =>
      polygonSpans(corners, map.height, (y, start, end) => map.fillSpan(y, start, end, state.current, keep)),
    );
  }
  corners = [];
  return isArea;
}

/** @type {import("./tool.js").Tool} */
export const polygon = {
  id: "polygon",
  title: "Polygon",
  key: "p",
  hint: "Click the corners; a double click or Enter fills, Backspace takes the last corner back.",
  down(point, press) {
    pointer = point;
    const first = corners[0];
    if (press.double || (corners.length > 2 && Math.hypot(point.x - first.x, point.y - first.y) < press.reach)) close();
    else corners.push(point);
  },
  move(point) {
    pointer = point;
  },
  finish: () => corners.length > 2 && close(),
  cancel() {
    return corners.pop() !== undefined;
  },
  outline: () => (corners.length && pointer ? [...corners, pointer] : corners),
};
