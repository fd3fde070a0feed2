/**
 * A label map: one class index per pixel in one typed array, row by row, watched in tiles of 256 x 256.
 *
 * Every change goes through `fillSpan`, `paste` or `writeTile`. They honour locks, count pixels by class, and note which
 * tiles changed: for undo (`recorder`), for the autosave (`unsaved`), and for drawing (`takeChanged`).
 */

import { union } from "./box.js";

/** @typedef {import("./box.js").Box} Box */
/** @typedef {Uint8Array | Uint16Array} LabelArray */

export const TILE = 256;
const SHIFT = 8;

export class LabelMap {
  /**
   * @param {number} width
   * @param {number} height
   * @param {LabelArray} data width x height class indices; kept, not copied.
   */
  constructor(width, height, data) {
    if (data.length !== width * height) {
      throw new RangeError(`${data.length} labels do not fill ${width} x ${height} pixels`);
    }
    this.width = width;
    this.height = height;
    this.data = data;
    this.columns = Math.ceil(width / TILE);
    this.rows = Math.ceil(height / TILE);
    /** Pixels by class index. */
    this.counts = new Uint32Array(data instanceof Uint8Array ? 256 : 65536);
    for (let i = 0; i < data.length; i++) this.counts[data[i]]++;
    /** Grows by one with every change: who keeps a copy elsewhere can tell whether it is old. */
    this.version = 0;
    /** Tiles that changed since the autosave last took them. @type {Set<number>} */
    this.unsaved = new Set();
    /** Told of each tile before its first change in an edit. @type {((tile: number) => void) | null} */
    this.recorder = null;
    /** @type {Box | null} */
    this.changed = null;
    this.edit = 1;
    this.stamps = new Uint32Array(this.columns * this.rows);
  }

  /**
   * Copy the map; what the copy does not take over is its history.
   * @returns {LabelMap}
   */
  copy() {
    return new LabelMap(this.width, this.height, this.data.slice());
  }

  /**
   * Tell the label at a pixel; -1 outside.
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    return x < 0 || y < 0 || x >= this.width || y >= this.height ? -1 : this.data[y * this.width + x];
  }

  /** Begin an edit: from here on, every tile is told to the recorder once more. */
  beginEdit() {
    this.edit++;
  }

  /**
   * Return the box of everything that changed since the last call, and forget it.
   * @returns {Box | null}
   */
  takeChanged() {
    const box = this.changed;
    this.changed = null;
    return box;
  }

  /** Mark every tile as not yet saved. */
  touchAll() {
    for (let tile = 0; tile < this.stamps.length; tile++) this.unsaved.add(tile);
  }

  /**
   * Return the pixels of a tile as a box; tiles at the right and lower border are smaller.
   * @param {number} tile
   * @returns {Box}
   */
  tileBox(tile) {
    const left = (tile % this.columns) * TILE;
    const top = Math.floor(tile / this.columns) * TILE;
    return { left, top, right: Math.min(left + TILE, this.width), bottom: Math.min(top + TILE, this.height) };
  }

  /**
   * Copy a tile out, row by row.
   * @param {number} tile
   * @returns {LabelArray}
   */
  readTile(tile) {
    const box = this.tileBox(tile);
    const wide = box.right - box.left;
    const length = wide * (box.bottom - box.top);
    const values = this.data instanceof Uint8Array ? new Uint8Array(length) : new Uint16Array(length);
    for (let y = box.top, to = 0; y < box.bottom; y++, to += wide) {
      const from = y * this.width + box.left;
      values.set(this.data.subarray(from, from + wide), to);
    }
    return values;
  }

  /**
   * Put a tile back exactly, whatever is locked: this is for undo and for what was saved.
   * @param {number} tile
   * @param {LabelArray} values as `readTile` gave them.
   */
  writeTile(tile, values) {
    const { data, counts } = this;
    const box = this.tileBox(tile);
    for (let y = box.top, from = 0; y < box.bottom; y++) {
      for (let at = y * this.width + box.left, end = y * this.width + box.right; at < end; at++, from++) {
        if (data[at] === values[from]) continue;
        counts[data[at]]--;
        counts[values[from]]++;
        data[at] = values[from];
      }
    }
    this.unsaved.add(tile);
    this.changed = union(this.changed, box);
    this.version++;
  }

  /**
   * Give one class to a run of pixels in a row, but to those of a locked class. Clips at the border.
   * @param {number} y
   * @param {number} start first column
   * @param {number} end column after the last
   * @param {number} value
   * @param {Uint8Array} keep 1 for each class that must not change.
   */
  fillSpan(y, start, end, value, keep) {
    if (y < 0 || y >= this.height) return;
    const { data, counts } = this;
    const base = y * this.width;
    const last = Math.min(end, this.width);
    let first = -1;
    let until = -1;
    let tile = -1;
    for (let x = Math.max(start, 0); x < last; x++) {
      const old = data[base + x];
      if (old === value || keep[old]) continue;
      if (x >> SHIFT !== tile) {
        tile = x >> SHIFT;
        this.touch((y >> SHIFT) * this.columns + tile);
      }
      data[base + x] = value;
      counts[old]--;
      counts[value]++;
      if (first < 0) first = x;
      until = x + 1;
    }
    if (first >= 0) this.grow(first, y, until);
  }

  /**
   * Put the labels of a box in, but over pixels of locked classes.
   * @param {Box} box
   * @param {LabelArray} values labels of the box, row by row.
   * @param {Uint8Array} keep
   */
  paste(box, values, keep) {
    const wide = box.right - box.left;
    for (let y = box.top; y < box.bottom; y++) {
      const row = (y - box.top) * wide;
      for (let start = 0; start < wide; ) {
        const value = values[row + start];
        let end = start + 1;
        while (end < wide && values[row + end] === value) end++;
        this.fillSpan(y, box.left + start, box.left + end, value, keep);
        start = end;
      }
    }
  }

  /** @param {number} tile */
  touch(tile) {
    if (this.stamps[tile] !== this.edit) {
      this.stamps[tile] = this.edit;
      this.recorder?.(tile);
      this.unsaved.delete(tile); // what changed last stands last, and is saved first
    }
    this.unsaved.add(tile);
  }

  /**
   * @param {number} left
   * @param {number} y
   * @param {number} right
   */
  grow(left, y, right) {
    this.version++;
    const box = this.changed;
    if (!box) {
      this.changed = { left, top: y, right, bottom: y + 1 };
      return;
    }
    if (left < box.left) box.left = left;
    if (right > box.right) box.right = right;
    if (y < box.top) box.top = y;
    if (y >= box.bottom) box.bottom = y + 1;
  }
}
