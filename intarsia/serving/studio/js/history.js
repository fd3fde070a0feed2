/** Undo and redo by stroke: of each edit, the tiles that it changed, packed. */

import { union } from "./box.js";
import { pack, packedBytes, unpack } from "./runs.js";

/** @typedef {import("./labelmap.js").LabelMap} LabelMap */
/** @typedef {import("./box.js").Box} Box */
/** @typedef {Map<number, import("./runs.js").Packed>} Edit tiles as they were on the other side of the edit */

export class History {
  /**
   * @param {LabelMap} map
   * @param {{edits?: number, bytes?: number}} [limits] the oldest edits are forgotten beyond them.
   */
  constructor(map, { edits = 500, bytes = 256 * 1024 * 1024 } = {}) {
    this.map = map;
    this.limits = { edits, bytes };
    /** @type {Edit[]} */
    this.past = [];
    /** @type {Edit[]} */
    this.future = [];
    /** Bytes that all edits hold. */
    this.bytes = 0;
    /** @type {Map<number, import("./labelmap.js").LabelArray> | null} */
    this.open = null;
  }

  /** Begin an edit; everything until `commit` is undone together. */
  begin() {
    this.commit();
    const before = new Map();
    this.open = before;
    this.map.beginEdit();
    this.map.recorder = (tile) => before.set(tile, this.map.readTile(tile));
  }

  /**
   * End the edit.
   * @returns {boolean} whether it changed anything
   */
  commit() {
    const before = this.open;
    this.open = null;
    this.map.recorder = null;
    if (!before?.size) return false;
    /** @type {Edit} */
    const edit = new Map();
    for (const [tile, values] of before) edit.set(tile, pack(values));
    this.forget(this.future);
    this.past.push(edit);
    this.bytes += editBytes(edit);
    while (this.past.length > this.limits.edits || (this.bytes > this.limits.bytes && this.past.length > 1)) {
      this.forget(this.past, 1);
    }
    return true;
  }

  /**
   * Run a change as one edit.
   * @param {() => void} change
   */
  record(change) {
    this.begin();
    try {
      change();
    } finally {
      this.commit();
    }
  }

  /** Take the last edit back. @returns {Box | null} what changed; null when there is nothing to undo */
  undo() {
    this.commit();
    return this.move(this.past, this.future);
  }

  /** Do the last edit that was undone again. @returns {Box | null} */
  redo() {
    this.commit();
    return this.move(this.future, this.past);
  }

  /**
   * @param {Edit[]} from
   * @param {Edit[]} to
   * @returns {Box | null}
   */
  move(from, to) {
    const edit = from.pop();
    if (!edit) return null;
    this.bytes -= editBytes(edit);
    /** @type {Edit} */
    const other = new Map();
    /** @type {Box | null} */
    let box = null;
    for (const [tile, packed] of edit) {
      other.set(tile, pack(this.map.readTile(tile)));
      this.map.writeTile(tile, unpack(packed));
      box = union(box, this.map.tileBox(tile));
    }
    to.push(other);
    this.bytes += editBytes(other);
    return box;
  }

  /**
   * @param {Edit[]} edits
   * @param {number} [count] the oldest; default: all
   */
  forget(edits, count = edits.length) {
    for (const edit of edits.splice(0, count)) this.bytes -= editBytes(edit);
  }
}

/** @param {Edit} edit */
function editBytes(edit) {
  let sum = 0;
  for (const packed of edit.values()) sum += packedBytes(packed);
  return sum;
}
