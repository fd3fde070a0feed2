/**
 * What a painter is told to draw. There are two painters with the same methods: `GlPainter` and `FlatPainter`.
 *
 * @typedef {0 | 1 | 2 | 3} Source the photo alone, with the labels, with the other labels, or where the two differ
 * @typedef {import("../box.js").Box & {start: number, source: Source}} Pane a box of the screen in its own pixels;
 *   `start` is the column at which the picture's origin lies
 * @typedef {{panes: Pane[], x: number, y: number, pixel: number, opacity: number, outlines: boolean, heat: boolean,
 *   line: number, back: number[], accent: number[]}} Scene `x`, `y`: the place of the picture at a pane's start; `pixel`:
 *   pixels of the picture per pixel of the screen; `line`: width of outlines on the screen; colours are 0..255
 *
 * @typedef {{columns: Int32Array, rows: Int32Array}} Places column and row of the picture by column and row of a box
 *
 * @typedef {{
 *   setPhoto: (photo: ImageBitmap | null) => void,
 *   setLabels: (map: import("../labelmap.js").LabelMap | null) => void,
 *   setOther: (map: import("../labelmap.js").LabelMap | null) => void,
 *   setPalette: (table: Uint8Array) => void,
 *   setHeat: (heat: import("../png.js").Mask | null) => void,
 *   update: (box: import("../box.js").Box) => void,
 *   draw: (scene: Scene, clip: import("../box.js").Box | null) => boolean,
 * }} Painter `update`: labels changed in a box; `draw` says whether it wants to draw again for what was not yet loaded
 */

/**
 * Return the part of a pane that shows the picture, in pixels of the screen.
 * @param {Scene} scene
 * @param {Pane} pane
 * @param {number} width of the picture
 * @param {number} height
 * @returns {import("../box.js").Box}
 */
export function shownPart(scene, pane, width, height) {
  const left = pane.start - scene.x / scene.pixel;
  const top = pane.top - scene.y / scene.pixel;
  return {
    left: Math.max(pane.left, Math.ceil(left - 0.5)),
    top: Math.max(pane.top, Math.ceil(top - 0.5)),
    right: Math.min(pane.right, Math.ceil(left + width / scene.pixel - 0.5)),
    bottom: Math.min(pane.bottom, Math.ceil(top + height / scene.pixel - 0.5)),
  };
}

/**
 * Return the pixels of the picture under the points of a box of the screen.
 * @param {Scene} scene
 * @param {Pane} pane
 * @param {import("../box.js").Box} box
 * @param {{width: number, height: number}} size of the picture
 * @param {number} [shift] right and down, in pixels of the screen
 * @returns {Places}
 */
export function placesOf(scene, pane, box, { width, height }, shift = 0) {
  /** @param {number} length @param {number} first @param {number} from @param {number} most */
  const along = (length, first, from, most) =>
    Int32Array.from({ length }, (_, i) =>
      Math.min(most - 1, Math.max(0, Math.floor((first + i + 0.5 + shift) * scene.pixel + from))),
    );
  return {
    columns: along(box.right - box.left, box.left - pane.start, scene.x, width),
    rows: along(box.bottom - box.top, box.top - pane.top, scene.y, height),
  };
}

/**
 * Return the part of a pane where some labels are seen.
 * @param {Scene} scene
 * @param {Pane} pane
 * @param {import("../labelmap.js").LabelMap} map that the pane shows
 * @param {Uint8Array} wanted by label, 1 for those that are looked for
 * @returns {import("../box.js").Box | null} null where none is
 */
export function seenPart(scene, pane, map, wanted) {
  if (!wanted.some((one, label) => one && map.counts[label])) return null;
  const part = shownPart(scene, pane, map.width, map.height);
  const { columns, rows } = placesOf(scene, pane, part, map);
  let [left, right, top, bottom] = [columns.length, 0, -1, -1];
  for (let y = 0; y < rows.length; y++) {
    const base = rows[y] * map.width;
    let first = 0;
    while (first < columns.length && !wanted[map.data[base + columns[first]]]) first++;
    if (first === columns.length) continue;
    let end = columns.length;
    while (end > right && !wanted[map.data[base + columns[end - 1]]]) end--;
    left = Math.min(left, first);
    right = Math.max(right, end);
    if (top < 0) top = y;
    bottom = y + 1;
  }
  if (top < 0) return null;
  return { left: part.left + left, top: part.top + top, right: part.left + right, bottom: part.top + bottom };
}
