/** Round brush and eraser. */

import { editor, erasedLabel } from "../editor.js";
import { strokeSpans } from "../shapes.js";
import { state } from "../state.js";

/** @typedef {import("./tool.js").Tool} Tool */
/** @typedef {import("./tool.js").Point} Point */

/**
 * Make a tool that paints along the pointer's way.
 * @param {Pick<Tool, "id" | "title" | "key" | "hint">} texts
 * @param {() => number} label what it paints
 * @returns {Tool}
 */
function makeBrush(texts, label) {
  /** @type {Point | null} */
  let last = null;
  let value = 0;
  /** @param {Point} from @param {Point} to */
  const paint = (from, to) =>
    editor.paint((map, keep) =>
      strokeSpans(from, to, editor.size / 2, (y, start, end) => map.fillSpan(y, start, end, value, keep)),
    );
  return {
    ...texts,
    round: true,
    down(point, press) {
      value = press.altKey ? erasedLabel() : label();
      editor.begin();
      paint(point, point);
      last = point;
    },
    move(point) {
      if (last) paint(last, point);
      if (last) last = point;
    },
    up() {
      last = null;
      editor.end();
    },
    cancel() {
      const open = last !== null;
      last = null;
      if (open) editor.end();
      if (open) editor.undo();
      return open;
    },
  };
}

export const brush = makeBrush(
  { id: "brush", title: "Brush", key: "b", hint: "Drag to paint. Alt erases, [ and ] change the size." },
  () => state.current,
);
export const eraser = makeBrush(
  { id: "eraser", title: "Eraser", key: "e", hint: "Drag to take labels away." },
  erasedLabel,
);
