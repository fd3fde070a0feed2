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
