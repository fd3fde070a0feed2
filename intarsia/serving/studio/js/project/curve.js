/** The curve of a training: loss falling, quality rising, on a small canvas that says the same in words. */

import { make } from "../dom.js";

/**
 * `once`: all of the training, as of forests, which know no epochs.
 * @typedef {{epoch: number, loss?: number | null, miou?: number | null, once?: boolean, pixels?: number, itself?: boolean}} Point
 */

const WIDTH = 260;
const HEIGHT = 90;
const MARGIN = 6;

export class Curve {
  constructor() {
    /** @type {Point[]} */
    this.points = [];
    this.canvas = make("canvas", { className: "curve", role: "img", hidden: true });
    this.words = make("p", { className: "note", role: "status" }, "No result yet");
    this.element = make("div", {}, this.canvas, this.words);
  }

  /** @param {Point} point */
  add(point) {
    this.points = [...this.points.filter(({ epoch }) => epoch !== point.epoch), point];
    this.points.sort((one, other) => one.epoch - other.epoch);
    this.draw();
  }

  draw() {
    const ratio = devicePixelRatio;
    Object.assign(this.canvas, { width: WIDTH * ratio, height: HEIGHT * ratio });
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
    const losses = this.points.map(({ loss }) => loss ?? null);
    const top = Math.max(...losses.map((loss) => loss ?? 0), 1e-9);
    this.#line(context, losses.map((loss) => (loss === null ? null : loss / top)), style.getPropertyValue("--muted"), [4, 3]);
    this.#line(context, this.points.map(({ miou }) => miou ?? null), style.getPropertyValue("--accent"), []);
    const text = this.describe();
    this.canvas.hidden = this.points.some(({ once }) => once); // one point is no curve
    this.canvas.setAttribute("aria-label", text);
    this.words.textContent = text;
  }

  /** @returns {string} */
  describe() {
    const last = this.points.at(-1);
    if (!last) return "No result yet";
    if (last.once) return describeOnce(last);
    const quality = this.points.map(({ miou }) => miou).filter((miou) => typeof miou === "number");
    const loss = typeof last.loss === "number" ? `, loss ${last.loss.toFixed(3)} (dashed)` : "";
    const best = quality.length ? `, mIoU ${(100 * Number(quality.at(-1))).toFixed(1)} %, best ${(100 * Math.max(...quality.map(Number))).toFixed(1)} %` : "";
    return `Epoch ${last.epoch}${loss}${best}${quality.length ? measuredBy(last) : ""}`;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {(number | null)[]} values 0 to 1
   * @param {string} color
   * @param {number[]} dash
   */
  #line(context, values, color, dash) {
    const known = /** @type {[number, number][]} */ (values.map((value, place) => [place, value]).filter(([, value]) => value !== null));
    const across = (/** @type {number} */ place) => MARGIN + ((WIDTH - 2 * MARGIN) * place) / Math.max(1, values.length - 1);
    const down = (/** @type {number} */ value) => HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * value;
    context.strokeStyle = context.fillStyle = color.trim() || "#000";
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.beginPath();
    for (const [place, value] of known) context.lineTo(across(place), down(value));
    context.stroke();
    const end = known.at(-1);
    if (end) context.fillRect(across(end[0]) - 2, down(end[1]) - 2, 4, 4);
  }
}

/** @param {Point} point */
function measuredBy({ itself }) {
  return itself ? ", by the labels that it learns from, as there are few" : "";
}

/** @param {Point} point */
function describeOnce(point) {
  const { pixels, miou } = point;
  const from = typeof pixels === "number" ? ` from ${pixels.toLocaleString("en")} labelled pixels` : "";
  return `Learnt in one go${from}${typeof miou === "number" ? `; mIoU ${(100 * miou).toFixed(1)} %${measuredBy(point)}` : ""}`;
}
