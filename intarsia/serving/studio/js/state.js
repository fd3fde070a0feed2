/**
 * What the studio works on, and the one hub of its events.
 *
 * Events: "item" (another picture), "labels" (detail: the box that changed, or null for all), "classes" (list, colours or
 * what is shown), "renumbered" (classes were removed; detail: the number of each by its old one), "locks", "current", "busy" (detail: what is being waited for, or ""), "message" (detail: {text, kind}),
 * "saved" (detail: "saved", "saving", "here", "conflict" or ""), "models", "model" (another one is chosen, or spoke last).
 */

/** @typedef {import("./box.js").Box} Box */
/** @typedef {{index: number, name: string, color: string}} ClassInfo */
/** @typedef {{name: string, title: string, medium: string, classes: ClassInfo[], ignore_index: number}} Model */
/**
 * `model` predicts it where nobody chooses one: "" leaves that to a look at it, null says that none is for such items.
 * @typedef {{id: string, name: string, medium: string, width: number, height: number, frames?: number, labelled?: number[],
 *   revision: number, state: string, uncertainty: number | null, model: string | null}} Item
 */
/** @typedef {"item" | "labels" | "classes" | "renumbered" | "locks" | "current" | "busy" | "message" | "saved" | "models" | "model"} EventName */

export class State extends EventTarget {
  constructor() {
    super();
    /** What tells this project from others at the same address: its folder, or else its name. */
    this.project = "";
    /** @type {Item | null} */
    this.item = null;
    /** Frame of a video or slice of a volume. */
    this.frame = 0;
    /** @type {ImageBitmap | null} */
    this.photo = null;
    /** The photo's file as the server sent it. @type {Blob | null} */
    this.photoFile = null;
    /** @type {import("./labelmap.js").LabelMap | null} */
    this.labels = null;
    /** What the model said, before any correction. @type {import("./labelmap.js").LabelMap | null} */
    this.prediction = null;
    /** Grey: 0 sure to 255 unsure. @type {import("./png.js").Mask | null} */
    this.uncertainty = null;
    /** @type {ClassInfo[]} */
    this.classes = [];
    this.ignoreIndex = 255;
    /** Counts the changes of the classes at the server; 0: it told none yet. */
    this.classesRevision = 0;
    /** @type {Model[]} */
    this.models = [];
    /** What finds segments in a picture without training; null where the server cannot. @type {Model | null} */
    this.clustering = null;
    /** Name of the model that predicts; "" leaves the choice to the server. */
    this.model = "";
    /** Name of the model that said the last prediction. */
    this.lastModel = "";
    /** @type {Set<number>} */
    this.locked = new Set();
    /** The one class that edits may change; null: all. @type {number | null} */
    this.only = null;
    /** @type {Set<number>} */
    this.hidden = new Set();
    /** Class that is painted. */
    this.current = 0;
    /** What is being waited for, the latest last. @type {Set<{what: string}>} */
    this.waits = new Set();
  }

  /**
   * Tell everybody about a change.
   * @param {EventName} name
   * @param {unknown} [detail]
   */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /**
   * Listen.
   * @param {EventName} name
   * @param {(detail: any) => void} heard
   */
  on(name, heard) {
    this.addEventListener(name, (event) => heard(/** @type {CustomEvent} */ (event).detail));
  }

  /**
   * Show a message to people, also to those who hear the page.
   * @param {string} text
   * @param {"info" | "error"} [kind]
   */
  say(text, kind = "info") {
    this.emit("message", { text, kind });
  }

  /**
   * Show what is being waited for, until all of it is over.
   * @param {string} what
   * @returns {() => void} tells that this one is over
   */
  wait(what) {
    const one = { what };
    this.waits.add(one);
    this.emit("busy", what);
    return () => {
      this.waits.delete(one);
      this.emit("busy", [...this.waits].at(-1)?.what ?? "");
    };
  }

  /**
   * Replace the classes, keeping the one in hand where it still exists.
   * @param {ClassInfo[]} classes
   * @param {number} ignoreIndex
   */
  setClasses(classes, ignoreIndex) {
    this.classes = classes.map((each) => ({ ...each }));
    this.ignoreIndex = ignoreIndex;
    const known = new Set(classes.map((each) => each.index));
    for (const set of [this.locked, this.hidden]) for (const index of set) if (!known.has(index)) set.delete(index);
    if (this.only !== null && !known.has(this.only)) this.only = null;
    if (!known.has(this.current)) this.current = classes[0]?.index ?? 0;
    this.emit("classes");
    this.emit("current");
    this.emit("locks");
  }

  /** @param {number} index */
  setCurrent(index) {
    this.current = index;
    this.emit("current");
  }

  /**
   * Return the name of a class, or what stands for no class.
   * @param {number} index
   */
  nameOf(index) {
    return this.classes.find((each) => each.index === index)?.name ?? (index === this.ignoreIndex ? "unknown" : `class ${index}`);
  }

  /** Everything that can predict the open picture. */
  predictors() {
    return this.clustering ? [...this.models, this.clustering] : this.models;
  }

  /** Return "#rrggbb" by class index, black between. */
  colors() {
    const colors = /** @type {string[]} */ ([]);
    for (const { index, color } of this.classes) colors[index] = color;
    return Array.from(colors, (color) => color ?? "#000000");
  }
}

export const state = new State();
