/** Mouse, pen, fingers and keys over a cloud: turning, moving and zooming, and drawing a lasso. */

import { state } from "../main.js";

/** @typedef {"turn" | "lasso" | "polygon"} ToolName */
/** @typedef {[number, number]} Point in CSS pixels of the canvas */

const TURN = 0.006; // radians a pixel
const KEY_TURN = 0.08;
const APART = 3; // pixels between corners of a line that a hand draws
const REACH = 9; // of the first corner of a polygon, and of the last one for a double click
const DOUBLE_WITHIN = 400;
const ARROWS = /** @type {Record<string, Point>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });

export class CloudGestures extends EventTarget {
  /**
   * @param {import("./view.js").CloudView} view
   * @param {(polygon: Point[]) => void} use hears a closed lasso
   */
  constructor(view, use) {
    super();
    this.view = view;
    this.use = use;
    /** @type {ToolName} */
    this.tool = "turn";
    /** Corners of the lasso that is being drawn. @type {Point[]} */
    this.line = [];
    /** Where the pointer or the cursor of the keyboard is. @type {Point | null} */
    this.place = null;
    this.byKeys = false;
    this.spaced = false;
    this.lastDown = 0;
    /** @type {"turn" | "pan" | "pinch" | "draw" | null} */
    this.doing = null;
    /** Pointers that are down. @type {Map<number, Point>} */
    this.pointers = new Map();
    this.#listen();
  }

  #listen() {
    const { canvas } = this.view;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#up(event, true));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    addEventListener("blur", () => (this.spaced = false));
    document.addEventListener("keyup", (event) => event.key === " " && (this.spaced = false));
  }

  /** @param {ToolName} tool */
  take(tool) {
    this.tool = tool;
    this.clear();
  }

  /** Give up what is drawn. */
  clear() {
    this.line = [];
    if (this.doing === "draw") this.doing = null;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("line"));
  }

  /** @param {MouseEvent} event @returns {Point} */
  #point(event) {
    const frame = this.view.canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const point = this.#point(event);
    this.view.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, point);
    this.byKeys = false;
    if (this.pointers.size > 1) {
      if (this.tool === "lasso") this.line = [];
      this.doing = "pinch";
    } else if (event.button || this.spaced || this.tool === "turn") {
      this.doing = event.shiftKey || (event.button === 2 && this.tool === "turn") ? "pan" : "turn";
    } else if (this.tool === "lasso") {
      this.doing = "draw";
      this.line = [point];
    } else {
      const last = this.line[this.line.length - 1];
      const isNear = Boolean(last) && Math.hypot(point[0] - last[0], point[1] - last[1]) < REACH;
      const isDouble = isNear && event.timeStamp - this.lastDown < DOUBLE_WITHIN;
      this.lastDown = event.timeStamp;
      this.#corner(point, isDouble);
    }
    this.#tell();
  }

  /**
   * Set a corner of the polygon, or close it.
   * @param {Point} point
   * @param {boolean} last
   */
  #corner(point, last) {
    const [first] = this.line;
    const isBack = this.line.length > 2 && Math.hypot(point[0] - first[0], point[1] - first[1]) < REACH;
    if (isBack || (last && this.line.length > 2)) this.close();
    else this.line.push(point);
  }

  /** Use the lasso as it is drawn. */
  close() {
    const { line } = this;
    this.line = [];
    this.#tell();
    if (line.length > 2) this.use(line);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const point = this.#point(event);
    const before = this.pointers.get(event.pointerId);
    this.place = point;
    this.byKeys = false;
    if (before) this.#drag(event, point, before);
    if (this.line.length) this.#tell();
  }

  /**
   * @param {PointerEvent} event
   * @param {Point} point
   * @param {Point} before
   */
  #drag(event, point, before) {
    const { camera, canvas } = this.view;
    const [dx, dy] = [point[0] - before[0], point[1] - before[1]];
    this.pointers.set(event.pointerId, point);
    if (this.doing === "draw") {
      const last = this.line[this.line.length - 1];
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= APART) this.line.push(point);
      return;
    }
    if (this.doing === "turn") camera.look(camera.turn - dx * TURN, camera.tilt + dy * TURN);
    else if (this.doing === "pan") camera.panBy(dx / canvas.clientHeight, dy / canvas.clientHeight);
    else if (this.doing === "pinch") this.#pinch(event.pointerId, point, before);
    else return;
    this.view.redraw();
  }

  /**
   * @param {number} id
   * @param {Point} point
   * @param {Point} before
   */
  #pinch(id, point, before) {
    const other = [...this.pointers].find(([each]) => each !== id)?.[1];
    if (!other) return;
    const { camera, canvas } = this.view;
    const [was, is] = [before, point].map(([x, y]) => Math.hypot(x - other[0], y - other[1]));
    camera.panBy((point[0] - before[0]) / 2 / canvas.clientHeight, (point[1] - before[1]) / 2 / canvas.clientHeight);
    if (was && is) camera.zoomBy(is / was);
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} [broken]
   */
  #up(event, broken = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.doing === "draw") broken ? this.clear() : this.close();
    if (!this.pointers.size) this.doing = null;
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    this.view.camera.zoomBy(Math.exp((-event.deltaY * (event.deltaMode === 1 ? 16 : 1)) / 700));
    this.view.redraw();
  }

  /**
   * Hear a key while the canvas has the focus.
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it meant something
   */
  key(event) {
    const way = ARROWS[event.key];
    if (event.key === " ") this.spaced = true;
    else if (way && this.tool === "polygon" && !event.ctrlKey) this.#step(way, event.shiftKey ? 1 : 10);
    else if (way) this.#turnByKey(way, event.shiftKey || event.ctrlKey);
    else if (event.key === "Enter" && this.tool === "polygon") this.#pressByKey();
    else return false;
    return true;
  }

  /** @param {Point} way @param {boolean} pans */
  #turnByKey([dx, dy], pans) {
    const { camera } = this.view;
    if (pans) camera.panBy(-0.06 * dx, -0.06 * dy);
    else camera.look(camera.turn + KEY_TURN * dx, camera.tilt - KEY_TURN * dy);
    this.view.redraw();
  }

  /** @param {Point} way @param {number} pixels */
  #step([dx, dy], pixels) {
    const { clientWidth: width, clientHeight: height } = this.view.canvas;
    const [x, y] = this.place ?? [width / 2, height / 2];
    this.place = [Math.min(width, Math.max(0, x + dx * pixels)), Math.min(height, Math.max(0, y + dy * pixels))];
    this.byKeys = true;
    this.#tell();
  }

  #pressByKey() {
    if (!this.place) return this.#step([0, 0], 0);
    const last = this.line[this.line.length - 1];
    const isSame = Boolean(last && last[0] === this.place[0] && last[1] === this.place[1]);
    if (!isSame) state.say(`Corner ${this.line.length + 1}.`);
    this.#corner(this.place, isSame);
    this.#tell();
  }

  /** Take the last corner back. */
  back() {
    this.line.pop();
    this.#tell();
  }
}
