/** The picture on the screen: where it lies, how far it is zoomed, and what of it must be drawn again. */

import { union } from "./box.js";
import { FlatPainter } from "./view/flat.js";
import { GlPainter } from "./view/gl.js";
import { panesOf } from "./view/layouts.js";
import { seenPart } from "./view/scene.js";

/** @typedef {import("./box.js").Box} Box */
/** @typedef {import("./labelmap.js").LabelMap} LabelMap */
/** @typedef {import("./view/scene.js").Pane} Pane */
/** @typedef {import("./view/layouts.js").Layout} Layout */

const MOST_ZOOM = 64;
const MARGIN = 2;

export class View extends EventTarget {
  /**
   * @param {HTMLCanvasElement} canvas fills its parent.
   * @param {string} [wanted] "gl" or "flat"; default: WebGL2 where a graphics card computes it, for a program that plays
   *   one takes ten times as long as a plain canvas.
   */
  constructor(canvas, wanted = "") {
    super();
    this.canvas = canvas;
    this.wanted = wanted;
    /** @type {import("./view/scene.js").Painter & {finish: () => void}} */
    this.painter = this.makePainter();
    /** Pixels of the screen per pixel of the picture. */
    this.zoom = 1;
    /** Place of the picture at the upper left of a pane. */
    this.x = 0;
    this.y = 0;
    this.fitted = true;
    this.opacity = 0.55;
    this.outlines = false;
    this.showLabels = true;
    this.heat = false;
    /** @type {Layout} */
    this.layout = "single";
    /** Share of the width at the left of the divider, in the layout "swipe". */
    this.split = 0.5;
    this.back = [0, 0, 0];
    this.accent = [255, 0, 255];
    /** @type {ImageBitmap | null} */
    this.photo = null;
    /** @type {LabelMap | null} */
    this.labels = null;
    /** @type {LabelMap | null} */
    this.other = null;
    /** @type {import("./png.js").Mask | null} */
    this.heatMap = null;
    /** @type {Uint8Array} */
    this.palette = new Uint8Array(1024);
    /** What must be drawn again: a box of the screen, "all", or nothing. @type {Box | "all" | null} */
    this.stale = "all";
    this.frame = 0;
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => this.restore());
    new ResizeObserver(() => this.resize()).observe(/** @type {Element} */ (canvas.parentElement));
    this.resize();
  }

  makePainter() {
    const gl = this.wanted === "flat" ? null : GlPainter.on(this.canvas, this.wanted === "gl");
    return gl ?? new FlatPainter(this.canvas);
  }

  /** Fill a fresh context after the graphics card lost the old one. */
  restore() {
    this.painter = this.makePainter();
    this.painter.setPhoto(this.photo);
    this.painter.setLabels(this.labels);
    this.painter.setOther(this.other);
    this.painter.setPalette(this.palette);
    this.painter.setHeat(this.heatMap);
    this.redraw();
  }

  /**
   * Show another picture, whole.
   * @param {ImageBitmap | null} photo
   * @param {LabelMap | null} labels of the photo's size
   */
  show(photo, labels) {
    const keep = photo && this.photo && photo.width === this.photo.width && photo.height === this.photo.height;
    this.photo = photo;
    this.painter.setPhoto(photo);
    this.setOther(null);
    this.setHeat(null);
    this.setLabels(labels);
    if (!keep) this.fit();
  }

  /** @param {LabelMap | null} labels */
  setLabels(labels) {
    this.labels = labels;
    this.painter.setLabels(labels);
    labels?.takeChanged();
    this.redraw();
  }

  /** @param {LabelMap | null} other labels to compare with */
  setOther(other) {
    this.other = other;
    this.painter.setOther(other);
    if (!other && (this.layout === "side" || this.layout === "difference")) this.layout = "single";
    this.redraw();
  }

  /** @param {import("./png.js").Mask | null} heat */
  setHeat(heat) {
    this.heatMap = heat;
    this.painter.setHeat(heat);
    this.redraw();
  }

  /**
   * Show labels in other colours; drawn again is only where those are seen whose colour is another one.
   * @param {Uint8Array} table RGBA by label
   */
  setPalette(table) {
    const changed = otherColors(this.palette, table);
    this.palette = table;
    this.painter.setPalette(table);
    if (this.stale === "all") return;
    const scene = this.scene();
    for (const pane of scene.panes) {
      const map = pane.source === 1 ? this.labels : pane.source === 2 ? this.other : null;
      const box = map && seenPart(scene, pane, map, changed);
      if (box) this.redraw(this.widened(box));
    }
  }

  /** Take what changed in the labels, and draw that part of the screen again at the next frame. */
  updateLabels() {
    const box = this.labels?.takeChanged();
    if (!box) return;
    this.painter.update(box);
    for (const pane of this.panes()) {
      if (pane.source !== 0 && pane.source !== 2) this.redraw(this.onScreen(box, pane));
    }
  }

  /** @param {Box | null} [box] of the screen; default: all of it */
  redraw(box) {
    if (!box || this.stale === "all") this.stale = "all";
    else this.stale = union(this.stale, box);
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  /** Draw now what is due. */
  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { stale } = this;
    if (!stale) return;
    this.stale = null;
    if (this.painter.draw(this.scene(), stale === "all" ? null : stale)) this.redraw();
  }

  /** @returns {import("./view/scene.js").Scene} */
  scene() {
    return {
      panes: this.panes(),
      x: this.x,
      y: this.y,
      pixel: 1 / this.zoom,
      opacity: this.opacity,
      outlines: this.outlines,
      heat: this.heat,
      line: 1.25 * devicePixelRatio,
      back: this.back,
      accent: this.accent,
    };
  }

  /** Return the parts of the screen and what each shows. */
  panes() {
    return panesOf(this, this.canvas.width, this.canvas.height);
  }

  /**
   * Return the place in the picture under a point of the page; whole numbers are centres of pixels.
   * @param {number} clientX
   * @param {number} clientY
   * @returns {{x: number, y: number, source: import("./view/scene.js").Source}}
   */
  placeAt(clientX, clientY) {
    const frame = this.canvas.getBoundingClientRect();
    const [x, y] = [(clientX - frame.left) * this.ratio(), (clientY - frame.top) * this.ratio()];
    const panes = this.panes();
    const pane = panes.find((each) => x >= each.left && x < each.right) ?? panes[0];
    return {
      x: (x - pane.start) / this.zoom + this.x - 0.5,
      y: (y - pane.top) / this.zoom + this.y - 0.5,
      source: pane.source,
    };
  }

  /**
   * Return the point of the canvas, in CSS pixels, that shows a place of the picture in the first pane with labels.
   * @param {number} x
   * @param {number} y
   */
  pointOf(x, y) {
    const start = this.panes()[0].start;
    return {
      x: ((x + 0.5 - this.x) * this.zoom + start) / this.ratio(),
      y: ((y + 0.5 - this.y) * this.zoom) / this.ratio(),
    };
  }

  /** Pixels of the screen per CSS pixel. */
  ratio() {
    return this.canvas.width / Math.max(1, this.canvas.clientWidth);
  }

  /**
   * @param {Box} box of the picture
   * @param {Pane} pane
   * @returns {Box} of the screen
   */
  onScreen(box, pane) {
    return this.widened({
      left: (box.left - this.x) * this.zoom + pane.start,
      top: (box.top - this.y) * this.zoom,
      right: (box.right - this.x) * this.zoom + pane.start,
      bottom: (box.bottom - this.y) * this.zoom,
    });
  }

  /**
   * Return a box of the screen with all that what lies in it is drawn on.
   * @param {Box} box
   * @returns {Box}
   */
  widened({ left, top, right, bottom }) {
    const margin = MARGIN + (this.outlines ? 2 * devicePixelRatio : 0);
    return {
      left: Math.floor(left - margin),
      top: Math.floor(top - margin),
      right: Math.ceil(right + margin),
      bottom: Math.ceil(bottom + margin),
    };
  }

  /** Room that tools and options take from the whole picture, in pixels of the screen. */
  insets() {
    const narrow = this.canvas.clientWidth < 600;
    const sides = narrow ? [46, 6, 6, 52] : [64, 14, 14, 62];
    const [left, right, top, bottom] = sides.map((side) => side * this.ratio());
    return { left, right, top, bottom };
  }

  /** Show the whole picture. */
  fit() {
    if (!this.photo) return;
    const inset = this.insets();
    const width = Math.max(16, this.canvas.width / (this.layout === "side" ? 2 : 1) - inset.left - inset.right);
    const height = Math.max(16, this.canvas.height - inset.top - inset.bottom);
    this.zoom = Math.min(width / this.photo.width, height / this.photo.height, MOST_ZOOM);
    this.x = (this.photo.width - width / this.zoom) / 2 - inset.left / this.zoom;
    this.y = (this.photo.height - height / this.zoom) / 2 - inset.top / this.zoom;
    this.moved(true);
  }

  /**
   * Zoom about a point of the page.
   * @param {number} factor
   * @param {number} [clientX] default: the middle
   * @param {number} [clientY]
   */
  zoomBy(factor, clientX, clientY) {
    const frame = this.canvas.getBoundingClientRect();
    const [x, y] = [clientX ?? frame.left + frame.width / 2, clientY ?? frame.top + frame.height / 2];
    const before = this.placeAt(x, y);
    const least = this.photo ? Math.min(1, 32 / Math.max(this.photo.width, this.photo.height)) : 0.01;
    this.zoom = Math.min(MOST_ZOOM, Math.max(least, this.zoom * factor));
    const after = this.placeAt(x, y);
    this.x += before.x - after.x;
    this.y += before.y - after.y;
    this.moved();
  }

  /** @param {number} dx CSS pixels @param {number} dy */
  panBy(dx, dy) {
    this.x -= (dx * this.ratio()) / this.zoom;
    this.y -= (dy * this.ratio()) / this.zoom;
    this.moved();
  }

  /**
   * Move just as far as a place of the picture needs to be seen.
   * @param {number} x
   * @param {number} y
   */
  reveal(x, y) {
    const point = this.pointOf(x, y);
    const edge = 24;
    const dx = Math.max(edge - point.x, 0) + Math.min(this.canvas.clientWidth - edge - point.x, 0);
    const dy = Math.max(edge - point.y, 0) + Math.min(this.canvas.clientHeight - edge - point.y, 0);
    if (dx || dy) this.panBy(dx, dy);
  }

  /** @param {Layout} layout */
  setLayout(layout) {
    this.layout = layout;
    if (this.fitted) this.fit();
    else this.moved();
  }

  /** @param {boolean} [fitted] */
  moved(fitted = false) {
    this.fitted = fitted;
    this.redraw();
    this.dispatchEvent(new Event("moved"));
  }

  resize() {
    const { canvas } = this;
    if (!canvas.clientWidth) return; // it is hidden, and has no size
    const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    const height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
    if (canvas.width === width && canvas.height === height) return;
    canvas.width = width;
    canvas.height = height;
    if (this.fitted && this.photo) this.fit();
    else this.moved(this.fitted);
    this.flush(); // a canvas that changed its size is empty: do not show that
  }
}

/**
 * Tell of each label whether two tables show it differently.
 * @param {Uint8Array} before RGBA by label
 * @param {Uint8Array} after
 * @returns {Uint8Array} 1 where they do
 */
function otherColors(before, after) {
  const [old, now] = [before, after].map((table) => new Uint32Array(table.buffer, table.byteOffset, table.length / 4));
  return Uint8Array.from(now, (color, label) => Number(color !== (old[label] ?? 0)));
}
