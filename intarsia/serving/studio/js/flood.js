/** Regions that grow from a pixel to its four neighbours: of one label, and of one colour of the photo. */

import { TILE } from "./labelmap.js";

/** @typedef {import("./labelmap.js").LabelMap} LabelMap */
/**
 * A photo that is read by tiles: RGBA of 256 x 256 pixels each, rows of 256 also at the border.
 * @typedef {{width: number, height: number, tile: (index: number) => Uint8ClampedArray}} Pixels
 */

/**
 * Grow a region by whole runs of a row.
 * @param {number} width
 * @param {number} height
 * @param {number} x
 * @param {number} y
 * @param {(x: number, y: number) => boolean} isFree in the region and not yet visited
 * @param {import("./shapes.js").Visit} visit makes the pixels of a run no longer free
 */
function grow(width, height, x, y, isFree, visit) {
  const seeds = [x, y];
  while (seeds.length) {
    const row = /** @type {number} */ (seeds.pop());
    const seed = /** @type {number} */ (seeds.pop());
    if (!isFree(seed, row)) continue;
    let start = seed;
    let end = seed + 1;
    while (start > 0 && isFree(start - 1, row)) start--;
    while (end < width && isFree(end, row)) end++;
    visit(row, start, end);
    for (const next of [row - 1, row + 1]) {
      if (next < 0 || next >= height) continue;
      let inside = false;
      for (let at = start; at < end; at++) {
        const free = isFree(at, next);
        if (free && !inside) seeds.push(at, next);
        inside = free;
      }
    }
  }
}

/**
 * Give a class to the connected region of one label around a pixel; nothing happens where that label is locked.
 * @param {LabelMap} map
 * @param {number} x
 * @param {number} y
 * @param {number} value
 * @param {Uint8Array} keep 1 for each class that must not change.
 */
export function fillRegion(map, x, y, value, keep) {
  const from = map.at(x, y);
  if (from < 0 || from === value || keep[from]) return;
  const { data, width } = map;
  grow(
    width,
    map.height,
    x,
    y,
    (at, row) => data[row * width + at] === from,
    (row, start, end) => map.fillSpan(row, start, end, value, keep),
  );
}

/**
 * Visit the connected region of the photo whose colours are like that of one pixel.
 * @param {Pixels} pixels
 * @param {number} x
 * @param {number} y
 * @param {number} tolerance 0..255: the most that red, green and blue may differ each.
 * @param {import("./shapes.js").Visit} visit
 */
export function wandSpans(pixels, x, y, tolerance, visit) {
  const { width, height } = pixels;
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const columns = Math.ceil(width / TILE);
  const visited = new Uint8Array(Math.ceil((width * height) / 8));
  let current = -1;
  /** @type {Uint8ClampedArray} */
  let tile = new Uint8ClampedArray(0);
  /** @param {number} at @param {number} row */
  const offset = (at, row) => {
    const index = (row >> 8) * columns + (at >> 8);
    if (index !== current) {
      tile = pixels.tile(index);
      current = index;
    }
    return (((row & 255) << 8) | (at & 255)) << 2;
  };
  const seed = offset(x, y);
  const [red, green, blue] = tile.subarray(seed, seed + 3);
  grow(
    width,
    height,
    x,
    y,
    (at, row) => {
      const bit = row * width + at;
      if (visited[bit >> 3] & (1 << (bit & 7))) return false;
      const i = offset(at, row);
      return (
        Math.abs(tile[i] - red) <= tolerance &&
        Math.abs(tile[i + 1] - green) <= tolerance &&
        Math.abs(tile[i + 2] - blue) <= tolerance
      );
    },
    (row, start, end) => {
      for (let bit = row * width + start; bit < row * width + end; bit++) visited[bit >> 3] |= 1 << (bit & 7);
      visit(row, start, end);
    },
  );
}
