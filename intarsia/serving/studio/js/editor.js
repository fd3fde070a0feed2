/** Edits of the labels in hand: with the locks, as one step of undo each, and told to everybody. */

import { union } from "./box.js";
import { History } from "./history.js";
import { keepTable } from "./locks.js";
import { state } from "./state.js";

/** @typedef {import("./labelmap.js").LabelMap} LabelMap */
/** @typedef {import("./box.js").Box} Box */
/** @typedef {(map: LabelMap, keep: Uint8Array) => void} Change */

const LEAST_SIZE = 1;
const MOST_SIZE = 400;

export class Editor extends EventTarget {
  constructor() {
    super();
    /** @type {History | null} */
    this.history = null;
    /** @type {Uint8Array} */
    this.keep = new Uint8Array(256);
    /** Diameter of brush and eraser in pixels of the picture. */
    this.size = 24;
    /** How far colours may differ in the magic wand, 0..255. */
    this.tolerance = 24;
    this.painting = false;
  }

  /**
   * Take another label map in hand, with nothing to undo.
   * @param {LabelMap | null} map
   */
  open(map) {
    this.history = map && new History(map);
    this.painting = false;
    this.dispatchEvent(new Event("history"));
  }

  /** Begin a stroke: what `paint` does until `end` is one step of undo. */
  begin() {
    if (!this.history) return;
    this.keep = keepTable(this.history.map, state.locked, state.only);
    this.history.begin();
    this.painting = true;
  }

  /** @param {Change} change */
  paint(change) {
    if (!this.history || !this.painting) return;
    change(this.history.map, this.keep);
    this.tell(this.history.map.changed);
  }

  /** End a stroke. */
  end() {
    this.painting = false;
    if (this.history?.commit()) this.dispatchEvent(new Event("history"));
  }

  /**
   * Run a change as one step of undo. A stroke that somebody is drawing goes on after it.
   * @param {Change} change
   */
  apply(change) {
    const { painting } = this;
    this.begin();
    this.paint(change);
    this.end();
    if (painting) this.begin();
  }

  /** Whether somebody changed the labels in hand, be it by a stroke that is not yet ended. */
  get isTouched() {
    return Boolean(this.history?.past.length || this.history?.open?.size);
  }

  undo() {
    this.step((history) => history.undo(), "There is nothing to undo.");
  }

  redo() {
    this.step((history) => history.redo(), "There is nothing to redo.");
  }

  /**
   * @param {(history: History) => Box | null} move
   * @param {string} otherwise
   */
  step(move, otherwise) {
    this.painting = false;
    const box = this.history && move(this.history);
    if (!this.history || !box) return state.say(otherwise);
    this.tell(union(box, this.history.map.changed));
    this.dispatchEvent(new Event("history"));
  }

  /** @param {Box | null} box what changed */
  tell(box) {
    if (box) state.emit("labels", box);
  }

  /** @param {number} size */
  setSize(size) {
    this.size = Math.min(MOST_SIZE, Math.max(LEAST_SIZE, Math.round(size)));
    this.dispatchEvent(new Event("size"));
  }

  /** @param {number} tolerance */
  setTolerance(tolerance) {
    this.tolerance = Math.min(255, Math.max(0, Math.round(tolerance)));
    this.dispatchEvent(new Event("size"));
  }
}

export const editor = new Editor();

/** Return the label that erasing leaves: the class that is named as background, or else "unknown". */
export function erasedLabel() {
  return state.classes.find(({ name }) => /^(background|unlabell?ed|void)$/i.test(name))?.index ?? state.ignoreIndex;
}
