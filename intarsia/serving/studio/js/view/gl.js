/** Drawing by WebGL2: labels stay indices in integer textures, colours are looked up in a palette of 256 entries. */

import { intersection } from "../box.js";
import { contextOf, overviewOf } from "../photo.js";
import { hasCard, link } from "./card.js";
import { shownPart } from "./scene.js";

/** @typedef {import("../labelmap.js").LabelMap} LabelMap */
/** @typedef {import("../box.js").Box} Box */
/** @typedef {import("./scene.js").Scene} Scene */

const TILE = 1024;
const OVERVIEW = 4096;
const MOST_HEAT = 2048;
const UPLOADS_PER_FRAME = 4;
const UNITS = { labels: 0, others: 1, full: 2, overview: 3, ready: 4, heat: 5, palette: 6 };

/** @typedef {keyof typeof UNITS} Unit */

export class GlPainter {
  /**
   * Open WebGL2 on a canvas.
   * @param {HTMLCanvasElement} canvas
   * @param {boolean} always also where a program plays the graphics card
   * @returns {GlPainter | null} null where the browser has none
   */
  static on(canvas, always) {
    if (!always && !hasCard()) return null;
    // What was drawn stays, so that a stroke draws only its own box again.
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true });
    return gl && new GlPainter(gl);
  }

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.gl = gl;
    /** @type {ImageBitmap | null} */
    this.photo = null;
    /** @type {LabelMap | null} */
    this.labels = null;
    /** @type {LabelMap | null} */
    this.other = null;
    this.hasHeat = false;
    this.overviewSize = OVERVIEW;
    /** @type {Set<number>} */
    this.loaded = new Set();
    /** @type {Map<Unit, WebGLTexture>} */
    this.textures = new Map();
    this.program = link(gl);
    gl.useProgram(this.program);
    gl.enable(gl.SCISSOR_TEST);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    /** @type {Map<string, WebGLUniformLocation | null>} */
    this.places = new Map();
    for (const [name, unit] of Object.entries(UNITS)) gl.uniform1i(this.place(name), unit);
    this.copy = contextOf(new OffscreenCanvas(TILE, TILE), true);
    for (const empty of [this.setPhoto, this.setLabels, this.setOther, this.setHeat]) empty.call(this, null);
    this.setPalette(new Uint8Array(1024));
  }

  /** @param {ImageBitmap | null} photo */
  setPhoto(photo) {
    const { gl } = this;
    this.photo = photo;
    this.loaded.clear();
    this.bind("overview", gl.TEXTURE_2D, gl.LINEAR_MIPMAP_NEAREST, gl.LINEAR);
    const small = photo && overviewOf(photo, Math.min(OVERVIEW, gl.getParameter(gl.MAX_TEXTURE_SIZE)));
    if (small) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, small);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    gl.generateMipmap(gl.TEXTURE_2D);
    this.overviewSize = small?.width ?? 1;
    const layers = photo && small !== photo ? layersOf(photo) : 0;
    this.bind("full", gl.TEXTURE_2D_ARRAY, gl.LINEAR, gl.LINEAR);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.RGBA8, layers ? TILE : 1, layers ? TILE : 1, layers || 1);
    this.bind("ready", gl.TEXTURE_2D, gl.NEAREST, gl.NEAREST);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R8UI, layers || 1, 1);
  }

  /** @param {LabelMap | null} map */
  setLabels(map) {
    this.labels = map;
    this.storeLabels("labels", map);
  }

  /** @param {LabelMap | null} map of the photo's size, as the labels */
  setOther(map) {
    this.other = map;
    this.storeLabels("others", map);
  }

  /**
   * @param {Unit} unit
   * @param {LabelMap | null} map
   */
  storeLabels(unit, map) {
    const { gl } = this;
    this.bind(unit, gl.TEXTURE_2D_ARRAY, gl.NEAREST, gl.NEAREST);
    if (!map) {
      gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.R8UI, 1, 1, 1);
      return;
    }
    const format = map.data instanceof Uint8Array ? gl.R8UI : gl.R16UI;
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, format, TILE, TILE, layersOf(map));
    this.upload(unit, map, { left: 0, top: 0, right: map.width, bottom: map.height });
  }

  /** @param {Box} box of pixels whose labels changed */
  update(box) {
    if (this.labels) this.upload("labels", this.labels, box);
  }

  /**
   * Send a box of labels, straight from the map's own array.
   * @param {Unit} unit
   * @param {LabelMap} map
   * @param {Box} box
   */
  upload(unit, map, box) {
    const { gl } = this;
    const columns = Math.ceil(map.width / TILE);
    const type = map.data instanceof Uint8Array ? gl.UNSIGNED_BYTE : gl.UNSIGNED_SHORT;
    gl.activeTexture(gl.TEXTURE0 + UNITS[unit]);
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, map.width);
    for (let top = box.top - (box.top % TILE); top < box.bottom; top += TILE) {
      for (let left = box.left - (box.left % TILE); left < box.right; left += TILE) {
        const part = intersection(box, { left, top, right: left + TILE, bottom: top + TILE });
        if (!part) continue;
        gl.texSubImage3D(
          gl.TEXTURE_2D_ARRAY,
          0,
          part.left - left,
          part.top - top,
          (top / TILE) * columns + left / TILE,
          part.right - part.left,
          part.bottom - part.top,
          1,
          gl.RED_INTEGER,
          type,
          map.data,
          part.top * map.width + part.left,
        );
      }
    }
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0);
  }

  /** @param {Uint8Array} table RGBA by label, 256 or 65536 entries */
  setPalette(table) {
    const { gl } = this;
    this.bind("palette", gl.TEXTURE_2D, gl.NEAREST, gl.NEAREST);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, table.length / 1024, 0, gl.RGBA, gl.UNSIGNED_BYTE, table);
  }

  /** @param {import("../png.js").Mask | null} heat 8 bits; large ones are thinned, for this is no exact thing */
  setHeat(heat) {
    const { gl } = this;
    this.hasHeat = heat !== null;
    this.bind("heat", gl.TEXTURE_2D, gl.LINEAR, gl.LINEAR);
    if (!heat) {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, 1, 1, 0, gl.RED, gl.UNSIGNED_BYTE, new Uint8Array(1));
      return;
    }
    const step = Math.max(1, Math.ceil(Math.max(heat.width, heat.height) / MOST_HEAT));
    const [width, height] = [Math.ceil(heat.width / step), Math.ceil(heat.height / step)];
    const thin = new Uint8Array(width * height);
    for (let y = 0, to = 0; y < height; y++) {
      for (let x = 0; x < width; x++) thin[to++] = heat.data[y * step * heat.width + x * step];
    }
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, width, height, 0, gl.RED, gl.UNSIGNED_BYTE, thin);
  }

  /**
   * Draw.
   * @param {Scene} scene
   * @param {Box | null} clip part of the screen; null: all
   * @returns {boolean} whether parts of the photo are still to come
   */
  draw(scene, clip) {
    const { gl } = this;
    const size = this.photo ?? { width: 0, height: 0 };
    const detail = this.photo ? this.photo.width / this.overviewSize : 1;
    const more = this.photo !== null && detail > 1 && scene.pixel < detail && this.loadVisible(scene);
    const height = gl.drawingBufferHeight;
    gl.viewport(0, 0, gl.drawingBufferWidth, height);
    gl.uniform2f(this.place("size"), size.width, size.height);
    gl.uniform2f(this.place("origin"), scene.x, scene.y);
    gl.uniform1f(this.place("pixel"), scene.pixel);
    gl.uniform1f(this.place("opacity"), scene.opacity);
    gl.uniform1f(this.place("reach"), scene.line * scene.pixel);
    gl.uniform1f(this.place("isFull"), detail > 1 ? 0 : 1);
    gl.uniform1f(this.place("detail"), detail);
    gl.uniform1i(this.place("outlines"), scene.outlines ? 1 : 0);
    gl.uniform1i(this.place("heated"), scene.heat && this.hasHeat ? 1 : 0);
    gl.uniform1i(this.place("columns"), Math.ceil(size.width / TILE));
    gl.uniform3fv(this.place("back"), scene.back.map((channel) => channel / 255));
    gl.uniform3fv(this.place("accent"), scene.accent.map((channel) => channel / 255));
    for (const pane of scene.panes) {
      const box = clip ? intersection(pane, clip) : pane;
      if (!box) continue;
      gl.scissor(box.left, height - box.bottom, box.right - box.left, box.bottom - box.top);
      gl.uniform3f(this.place("pane"), pane.start, pane.top, height);
      gl.uniform1i(this.place("source"), this.sourceOf(pane));
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
    return more;
  }

  /**
   * What a pane can show of what it wants.
   * @param {import("./scene.js").Pane} pane
   */
  sourceOf({ source }) {
    const mine = this.labels !== null;
    const theirs = this.other !== null;
    return (source === 1 && mine) || (source === 2 && theirs) || (source === 3 && mine && theirs) ? source : 0;
  }

  /**
   * Send some tiles of the photo that can be seen and are not there yet.
   * @param {Scene} scene
   * @returns {boolean} whether some are left for the next frame
   */
  loadVisible(scene) {
    const photo = /** @type {ImageBitmap} */ (this.photo);
    const columns = Math.ceil(photo.width / TILE);
    let sent = 0;
    for (const pane of scene.panes) {
      const shown = shownPart(scene, pane, photo.width, photo.height);
      if (shown.left >= shown.right || shown.top >= shown.bottom) continue;
      /** @param {number} at @param {number} start @param {number} from @param {number} most */
      const tileAt = (at, start, from, most) =>
        Math.floor(Math.min(Math.max((at - start) * scene.pixel + from, 0), most - 1) / TILE);
      const bottom = tileAt(shown.bottom, pane.top, scene.y, photo.height);
      const right = tileAt(shown.right, pane.start, scene.x, photo.width);
      for (let row = tileAt(shown.top, pane.top, scene.y, photo.height); row <= bottom; row++) {
        for (let column = tileAt(shown.left, pane.start, scene.x, photo.width); column <= right; column++) {
          if (this.loaded.has(row * columns + column)) continue;
          if (sent++ === UPLOADS_PER_FRAME) return true;
          this.load(photo, column, row, row * columns + column);
        }
      }
    }
    return false;
  }

  /**
   * @param {ImageBitmap} photo
   * @param {number} column
   * @param {number} row
   * @param {number} layer
   */
  load(photo, column, row, layer) {
    const { gl } = this;
    this.copy.clearRect(0, 0, TILE, TILE);
    this.copy.drawImage(photo, -column * TILE, -row * TILE);
    gl.activeTexture(gl.TEXTURE0 + UNITS.full);
    gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, 0, 0, layer, TILE, TILE, 1, gl.RGBA, gl.UNSIGNED_BYTE, this.copy.canvas);
    gl.activeTexture(gl.TEXTURE0 + UNITS.ready);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, layer, 0, 1, 1, gl.RED_INTEGER, gl.UNSIGNED_BYTE, Uint8Array.of(1));
    this.loaded.add(layer);
  }

  /** Wait until everything is drawn, for those who measure. */
  finish() {
    this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  /**
   * Make a fresh texture and bind it to its unit.
   * @param {Unit} unit
   * @param {number} target
   * @param {number} far filter where the picture is smaller than itself
   * @param {number} near
   */
  bind(unit, target, far, near) {
    const { gl } = this;
    gl.deleteTexture(this.textures.get(unit) ?? null);
    const texture = /** @type {WebGLTexture} */ (gl.createTexture());
    this.textures.set(unit, texture);
    gl.activeTexture(gl.TEXTURE0 + UNITS[unit]);
    gl.bindTexture(target, texture);
    gl.texParameteri(target, gl.TEXTURE_MIN_FILTER, far);
    gl.texParameteri(target, gl.TEXTURE_MAG_FILTER, near);
    gl.texParameteri(target, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(target, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  /** @param {string} name */
  place(name) {
    if (!this.places.has(name)) this.places.set(name, this.gl.getUniformLocation(this.program, name));
    return this.places.get(name) ?? null;
  }
}

/** @param {{width: number, height: number}} size */
function layersOf({ width, height }) {
  return Math.ceil(width / TILE) * Math.ceil(height / TILE);
}
