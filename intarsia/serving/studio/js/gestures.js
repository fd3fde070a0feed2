/** Mouse, pen, fingers and arrow keys on the picture, turned into what tools hear. */

import { hand, pan } from "./tools/index.js";
import { onAction } from "./keys.js";
import { state } from "./state.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./tools/tool.js").Point} Point */

const DOUBLE_WITHIN = 400;
const SAME_PLACE = 8;
const ARROWS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});

export class Gestures extends EventTarget {
  /** @param {View} view */
  constructor(view) {
    super();
    this.view = view;
    /** Where the pointer or the cursor of the keyboard is; null: not over the picture. @type {Point | null} */
    this.place = null;
    /** Whether the keyboard moves the cursor. */
    this.byKeys = false;
    this.held = false;
    this.spaced = false;
    /** @type {"tool" | "pan" | "pinch" | null} */
    this.doing = null;
    this.lastDown = { time: 0, x: 0, y: 0 };
    /** Pointers that are down. @type {Map<number, {x: number, y: number}>} */
    this.pointers = new Map();
    this.listen();
    this.listenToKeys();
  }

  listen() {
    const { canvas } = this.view;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.up(event, true));
    canvas.addEventListener("pointerleave", () => this.doing || this.setPlace(null));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    addEventListener("blur", () => (this.spaced = false));
    document.addEventListener("keyup", (event) => event.key === " " && (this.spaced = false));
    canvas.addEventListener("keydown", (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      this.spaced = true;
    });
  }

  /** @param {PointerEvent} event */
  down(event) {
    const { canvas } = this.view;
    canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.byKeys = false;
    if (this.pointers.size === 2) {
      if (this.doing === "tool") hand.tool.cancel?.();
      this.doing = "pinch";
      return;
    }
    const isPan = event.button === 1 || this.spaced || hand.tool === pan;
    if (event.button > 1 || (!isPan && event.button !== 0)) return;
    this.doing = isPan ? "pan" : "tool";
    if (!isPan) this.press(event);
  }

  /** @param {PointerEvent} event */
  press(event) {
    const { lastDown, view } = this;
    const place = view.placeAt(event.clientX, event.clientY);
    if (place.source === 2) {
      this.doing = null;
      return state.say("This side shows the other labels. Draw on the side of your own.");
    }
    if (!this.hasLabels()) {
      this.doing = null;
      return;
    }
    const near = Math.hypot(event.clientX - lastDown.x, event.clientY - lastDown.y) < SAME_PLACE;
    const double = near && event.timeStamp - lastDown.time < DOUBLE_WITHIN;
    this.lastDown = { time: double ? 0 : event.timeStamp, x: event.clientX, y: event.clientY };
    hand.tool.down(place, { altKey: event.altKey, double, reach: (SAME_PLACE * view.ratio()) / view.zoom });
    this.setPlace(place);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (this.doing === "pinch" && before) {
      this.pinch(event, before);
    } else if (this.doing === "pan" && before) {
      this.view.panBy(event.clientX - before.x, event.clientY - before.y);
    } else if (this.doing === "tool" && before) {
      // All places since the last frame: a fast stroke stays round.
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) {
        hand.tool.move?.(this.view.placeAt(each.clientX, each.clientY));
      }
    } else if (!this.doing) {
      hand.tool.move?.(this.view.placeAt(event.clientX, event.clientY));
    }
    if (before) this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.byKeys = false;
    this.setPlace(this.view.placeAt(event.clientX, event.clientY));
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} [broken]
   */
  up(event, broken = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.doing === "tool") broken ? hand.tool.cancel?.() : hand.tool.up?.();
    if (!this.pointers.size || this.doing === "tool") this.doing = null;
    this.dispatchEvent(new Event("place"));
  }

  /**
   * Zoom and move by two fingers.
   * @param {PointerEvent} event
   * @param {{x: number, y: number}} before
   */
  pinch(event, before) {
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return;
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(event.clientX - other.x, event.clientY - other.y);
    this.view.panBy((event.clientX - before.x) / 2, (event.clientY - before.y) / 2);
    if (was && is) this.view.zoomBy(is / was, (event.clientX + other.x) / 2, (event.clientY + other.y) / 2);
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    const step = event.deltaMode === 1 ? 16 : 1;
    if (event.shiftKey) this.view.panBy(-event.deltaY * step, 0);
    else this.view.zoomBy(2 ** ((-event.deltaY * step) / (event.ctrlKey ? 100 : 300)), event.clientX, event.clientY);
  }

  listenToKeys() {
    const { view } = this;
    const arrow = (/** @type {string} */ key) => ARROWS[key.slice(key.lastIndexOf("+") + 1)];
    onAction("cursor", (key) => this.step(arrow(key), 1));
    onAction("cursor-far", (key) => this.step(arrow(key), 10));
    onAction("pan-view", (key) => view.panBy(-64 * arrow(key)[0], -64 * arrow(key)[1]));
    onAction("press", () => this.pressByKey());
    onAction("hold", () => this.holdByKey());
  }

  /**
   * Move the keyboard's cursor.
   * @param {[number, number]} direction
   * @param {number} pixels
   */
  step([dx, dy], pixels) {
    const { photo } = this.view;
    if (!photo) return;
    const from = this.place ?? { x: photo.width / 2, y: photo.height / 2 };
    const place = {
      x: Math.min(photo.width - 1, Math.max(0, Math.round(from.x) + dx * pixels)),
      y: Math.min(photo.height - 1, Math.max(0, Math.round(from.y) + dy * pixels)),
    };
    this.byKeys = true;
    hand.tool.move?.(place);
    this.view.reveal(place.x, place.y);
    this.setPlace(place);
  }

  pressByKey() {
    if (!this.place) return this.step([0, 0], 0);
    if (!this.hasLabels()) return;
    if (!this.byKeys && hand.tool.finish?.()) return; // the corners are the mouse's
    const { x, y } = this.lastDown;
    const double = x === this.place.x && y === this.place.y;
    this.lastDown = { time: 0, x: this.place.x, y: this.place.y };
    hand.tool.down(this.place, { altKey: false, double, reach: 0.5 });
    hand.tool.up?.();
    this.setPlace(this.place);
  }

  holdByKey() {
    if (!this.place) this.step([0, 0], 0);
    if (!this.place || !this.hasLabels()) return;
    this.held = !this.held;
    if (this.held) hand.tool.down(this.place, { altKey: false, double: false, reach: 0.5 });
    else hand.tool.up?.();
    state.say(this.held ? "Down: the arrow keys draw." : "Up.");
  }

  /** Whether there are labels to draw on; where they are not yet there, people are told. */
  hasLabels() {
    if (state.labels) return true;
    if (state.waits.size) state.say("The labels of this picture are still coming: draw when they are there.");
    else if (state.photo) state.say("This picture has no labels to draw on yet: press Predict.");
    return false;
  }

  /** @param {Point | null} place */
  setPlace(place) {
    this.place = place;
    this.dispatchEvent(new Event("place"));
  }
}
