/** Drawing by a plain canvas where there is no WebGL2: only the points of the screen that show the picture. */

import { intersection } from "../box.js";
import { contextOf, overviewOf } from "../photo.js";
import { placesOf, shownPart } from "./scene.js";

/** @typedef {import("../labelmap.js").LabelMap} LabelMap */
/** @typedef {import("../box.js").Box} Box */
/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./scene.js").Pane} Pane */
/** @typedef {import("./scene.js").Places} Places */

const OVERVIEW = 2048;

/** Colour by uncertainty: clear where the model is sure, then amber to red; bytes are red, green, blue, alpha. */
const GLOW = Uint32Array.from({ length: 256 }, (_, unsure) => {
  if (unsure < 16) return 0;
  const [red, green, blue] = [252 - 0.14 * unsure, 190 - 0.7 * unsure, 50].map(Math.round);
  return ((Math.min(230, Math.round(1.3 * unsure)) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
});

export class FlatPainter {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser gives no canvas");
    this.context = context;
    this.scratch = contextOf(new OffscreenCanvas(1, 1));
    this.image = new ImageData(1, 1);
    /** @type {ImageBitmap | null} */
    this.photo = null;
    /** @type {ImageBitmap | OffscreenCanvas | null} */
    this.overview = null;
    /** @type {LabelMap | null} */
    this.labels = null;
    /** @type {LabelMap | null} */
    this.other = null;
    /** @type {import("../png.js").Mask | null} */
    this.heat = null;
    this.palette = new Uint8Array(1024);
    this.colors = new Uint32Array(256);
  }

  /** @param {ImageBitmap | null} photo */
  setPhoto(photo) {
    this.photo = photo;
    this.overview = photo && overviewOf(photo, OVERVIEW);
  }

  /** @param {LabelMap | null} map */
  setLabels(map) {
    this.labels = map;
  }

  /** @param {LabelMap | null} map */
  setOther(map) {
    this.other = map;
  }

  /** @param {import("../png.js").Mask | null} heat */
  setHeat(heat) {
    this.heat = heat;
  }

  /** @param {Uint8Array} table RGBA by label */
  setPalette(table) {
    this.palette = table.slice();
    this.colors = new Uint32Array(this.palette.buffer);
  }

  update() {} // the map itself is read while drawing

  finish() {
    this.context.getImageData(0, 0, 1, 1);
  }

  /**
   * Draw.
   * @param {Scene} scene
   * @param {Box | null} clip
   * @returns {boolean}
   */
  draw(scene, clip) {
    const { context } = this;
    for (const pane of scene.panes) {
      const open = clip ? intersection(clip, pane) : pane;
      if (!open) continue;
      context.fillStyle = `rgb(${scene.back.join(" ")})`;
      context.fillRect(open.left, open.top, open.right - open.left, open.bottom - open.top);
      if (!this.photo) continue;
      const box = intersection(open, shownPart(scene, pane, this.photo.width, this.photo.height));
      if (!box) continue;
      this.drawPhoto(scene, pane, box);
      this.drawLabels(scene, pane, box);
    }
    return false;
  }

  /**
   * @param {Scene} scene
   * @param {Pane} pane
   * @param {Box} box
   */
  drawPhoto(scene, pane, box) {
    const { context, photo, overview } = this;
    if (!photo || !overview) return;
    const step = photo.width / overview.width;
    const far = scene.pixel >= step;
    const scale = far ? step : 1;
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    context.clip();
    context.imageSmoothingEnabled = scene.pixel > 0.5;
    context.drawImage(
      far ? overview : photo,
      pane.start - scene.x / scene.pixel,
      pane.top - scene.y / scene.pixel,
      ((far ? overview : photo).width * scale) / scene.pixel,
      ((far ? overview : photo).height * scale) / scene.pixel,
    );
    context.restore();
  }

  /**
   * @param {Scene} scene
   * @param {Pane} pane
   * @param {Box} box
   */
  drawLabels(scene, pane, box) {
    const { labels, other, heat, photo } = this;
    const map = pane.source === 2 ? other : labels;
    if (!photo) return;
    const places = placesOf(scene, pane, box, photo);
    if (pane.source === 3 && labels && other) {
      this.lay(box, (points) => this.differ(points, places, scene, labels, other));
    } else if (pane.source > 0 && map) {
      this.lay(box, (points) => {
        if (!scene.outlines) return this.fill(points, places, map, scene.opacity);
        const before = placesOf(scene, pane, box, photo, -scene.line);
        this.outline(points, places, before, placesOf(scene, pane, box, photo, scene.line), map);
      });
    }
    if (scene.heat && heat) this.lay(box, (points) => this.glow(points, places, heat, photo.width));
  }

  /**
   * Lay a layer over what is drawn.
   * @param {Box} box
   * @param {(points: Uint32Array) => void} fill writes one RGBA a point
   */
  lay(box, fill) {
    const { context, scratch } = this;
    const [width, height] = [box.right - box.left, box.bottom - box.top];
    // One for every frame of the same size: megabytes that are thrown away each time would have to be collected.
    if (this.image.width !== width || this.image.height !== height) this.image = new ImageData(width, height);
    const { image } = this;
    fill(new Uint32Array(image.data.buffer).fill(0));
    if (scratch.canvas.width < width || scratch.canvas.height < height) {
      scratch.canvas.width = Math.max(scratch.canvas.width, width);
      scratch.canvas.height = Math.max(scratch.canvas.height, height);
    }
    scratch.putImageData(image, 0, 0);
    context.drawImage(scratch.canvas, 0, 0, width, height, box.left, box.top, width, height);
  }

  /**
   * @param {Uint32Array} points
   * @param {Places} places
   * @param {LabelMap} map
   * @param {number} opacity
   */
  fill(points, { columns, rows }, map, opacity) {
    const colors = this.colors.slice();
    const alpha = Math.round(255 * opacity) << 24;
    for (let id = 0; id < colors.length; id++) if (colors[id] >>> 24) colors[id] = (colors[id] & 0xffffff) | alpha;
    const { data, width } = map;
    for (let y = 0, to = 0; y < rows.length; y++) {
      const base = rows[y] * width;
      for (let x = 0; x < columns.length; x++) points[to++] = colors[data[base + columns[x]]];
    }
  }

  /**
   * @param {Uint32Array} points
   * @param {Places} places
   * @param {Places} before places a line's width to the left and above
   * @param {Places} after to the right and below
   * @param {LabelMap} map
   */
  outline(points, { columns, rows }, before, after, { data, width }) {
    for (let y = 0, to = 0; y < rows.length; y++) {
      const base = rows[y] * width;
      const above = before.rows[y] * width;
      const below = after.rows[y] * width;
      for (let x = 0; x < columns.length; x++, to++) {
        const at = columns[x];
        const id = data[base + at];
        if (
          data[base + before.columns[x]] !== id ||
          data[base + after.columns[x]] !== id ||
          data[above + at] !== id ||
          data[below + at] !== id
        ) {
          points[to] = this.colors[id];
        }
      }
    }
  }

  /**
   * @param {Uint32Array} points
   * @param {Places} places
   * @param {Scene} scene
   * @param {LabelMap} mine
   * @param {LabelMap} theirs
   */
  differ(points, { columns, rows }, scene, mine, theirs) {
    const [red, green, blue] = scene.accent;
    const mark = ((217 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    for (let y = 0, to = 0; y < rows.length; y++) {
      const base = rows[y] * mine.width;
      for (let x = 0; x < columns.length; x++, to++) {
        points[to] = mine.data[base + columns[x]] === theirs.data[base + columns[x]] ? 0x90808080 : mark;
      }
    }
  }

  /**
   * @param {Uint32Array} points
   * @param {Places} places
   * @param {import("../png.js").Mask} heat
   * @param {number} width of the picture
   */
  glow(points, { columns, rows }, heat, width) {
    const scale = heat.width / width;
    for (let y = 0, to = 0; y < rows.length; y++) {
      const base = Math.floor(rows[y] * scale) * heat.width;
      for (let x = 0; x < columns.length; x++) {
        points[to++] = GLOW[heat.data[base + Math.floor(columns[x] * scale)]];
      }
    }
  }
}
