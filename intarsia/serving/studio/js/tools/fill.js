/** Fill a region of one label; the magic wand, a region of one colour. */

import { editor } from "../editor.js";
import { fillRegion, wandSpans } from "../flood.js";
import { PhotoPixels } from "../photo.js";
import { state } from "../state.js";

/** @type {PhotoPixels | null} */
let pixels = null;

/** @type {import("./tool.js").Tool} */
export const fill = {
  id: "fill",
  title: "Fill",
  key: "f",
  hint: "Click a region to give it the class in hand.",
  down({ x, y }) {
    editor.apply((map, keep) => fillRegion(map, Math.round(x), Math.round(y), state.current, keep));
  },
};

/** @type {import("./tool.js").Tool} */
export const wand = {
  id: "wand",
  title: "Magic wand",
  key: "w",
  hint: "Click a colour: all that is connected and alike is painted. [ and ] change the tolerance.",
  down({ x, y }) {
    if (!state.photo) return;
    if (pixels?.photo !== state.photo) pixels = new PhotoPixels(state.photo);
    const source = pixels;
    editor.apply((map, keep) =>
      wandSpans(source, Math.round(x), Math.round(y), editor.tolerance, (row, start, end) =>
        map.fillSpan(row, start, end, state.current, keep),
      ),
    );
  },
};
