/** A cloud on the screen: drawn a part at a time, so that it follows the hand; at rest every point is there. */

import { Camera } from "./camera.js";
import { CloudPainter } from "./painter.js";

/** @typedef {"class" | "intensity" | "height" | "rgb"} Mode */

const MODES = /** @type {Mode[]} */ (["class", "intensity", "height", "rgb"]);
const FRAME = 40; // milliseconds that a part may take
const LEAST = 30_000;

export class CloudView {
  /** @param {HTMLCanvasElement} canvas fills its parent */
  constructor(canvas) {
    this.canvas = canvas;
    this.camera = new Camera();
    /** Null where the browser has no WebGL2. */
    this.painter = CloudPainter.on(canvas);
    /** @type {Mode} */
    this.mode = "class";
    this.pointSize = 2;
    this.back = [0, 0, 0];
    /** Lowest and highest z, from the origin, of what is shown. @type {[number, number]} */
    this.heights = [-Infinity, Infinity];
    /** Points that are there. */
    this.loaded = 0;
    /** Points that are on the screen as it is meant now. */
    this.drawn = 0;
    /** Points of one part: as many as the machine draws in time. */
    this.budget = 300_000;
    this.frame = 0;
    /** The part that is being drawn. @type {{sync: WebGLSync, since: number, count: number} | null} */
    this.going = null;
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.painter = CloudPainter.on(canvas);
      this.going = null;
    });
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  /**
   * Begin another cloud.
   * @param {import("./wire.js").Part} part its first points
   */
  begin(part) {
    const steps = part.positions instanceof Uint32Array ? 4294967295 : 65535;
    const box = /** @type {import("./camera.js").Vector} */ (part.scale.map((step) => step * steps));
    this.loaded = 0;
    this.heights = [-Infinity, Infinity];
    this.camera.fit(box);
    this.painter?.reserve(part);
    this.resize();
  }

  /** @param {import("./wire.js").Part} part the points after those that are there */
  add(part) {
    this.painter?.put(part);
    this.loaded = part.first + part.count;
    this.#plan();
  }

  /** Draw all anew. */
  redraw() {
    this.drawn = 0;
    this.#plan();
  }

  #plan() {
    this.frame ||= requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.frame = 0;
    if (!this.painter || this.canvas.hidden) return;
    if (!this.#isDone()) return this.#plan();
    const { gl } = this.painter;
    const count = Math.min(this.budget, this.loaded - this.drawn);
    this.painter.draw(this.scene(), this.drawn, count);
    this.drawn += count;
    const sync = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    this.going = sync && { sync, since: performance.now(), count };
    gl.flush();
    if (this.drawn < this.loaded) this.#plan();
  }

  /** Whether the last part is on the screen; its time says how large the next one may be. */
  #isDone() {
    const { going, painter } = this;
    if (!going || !painter) return true;
    const { gl } = painter;
    if (gl.getSyncParameter(going.sync, gl.SYNC_STATUS) === gl.UNSIGNALED && !gl.isContextLost()) return false;
    gl.deleteSync(going.sync);
    const took = performance.now() - going.since;
    if (going.count === this.budget || took > FRAME) {
      const better = this.budget * Math.min(2, Math.max(0.5, FRAME / Math.max(1, took)));
      this.budget = Math.max(LEAST, Math.round(0.5 * (this.budget + better)));
    }
    this.going = null;
    return true;
  }

  /** @returns {import("./painter.js").Scene} */
  scene() {
    return {
      matrix: this.matrix(),
      size: this.pointSize * devicePixelRatio,
      mode: MODES.indexOf(this.mode),
      heights: /** @type {[number, number]} */ (this.heights.map((z) => Math.max(-3e38, Math.min(3e38, z)))),
      span: [Math.max(0, this.heights[0]), Math.min(this.camera.box[2], this.heights[1])],
      back: this.back,
    };
  }

  /** Rows of the matrix that brings points onto the screen. */
  matrix() {
    return this.camera.matrix(this.canvas.clientWidth / Math.max(1, this.canvas.clientHeight));
  }

  resize() {
    const { canvas } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(1, Math.round(side * devicePixelRatio)));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    this.redraw();
  }
}
