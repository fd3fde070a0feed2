/** The panel "Frames" of a video: a timeline by the times of the frames, and predicting a range of them. */

import { call } from "../api.js";
import { make } from "../dom.js";
import { addPanel, openItem, state } from "../main.js";
import { fetchItem, pathOf, predict, reasonOf } from "./items.js";

const SOON = 120;
const AHEAD = 3; // frames that are fetched before they are asked for

export function startFrames() {
  /** @type {Frames | null} */
  let frames = null;
  const panel = addPanel({ id: "frames", title: "Frames", open: true, build: (body) => (frames = new Frames(body)) });
  const show = () => {
    panel.hidden = state.item?.medium !== "video";
    if (!panel.hidden) void frames?.show();
  };
  state.on("item", show);
  state.on("saved", (how) => how === "saved" && frames?.mark(state.frame));
  show();
}

class Frames {
  /** @param {HTMLElement} body */
  constructor(body) {
    /** @type {string | null} */
    this.id = null;
    /** @type {number[]} */
    this.times = [];
    /** @type {Set<number>} */
    this.labelled = new Set();
    this.timer = 0;
    this.ahead = new AbortController();
    this.slider = make("input", { type: "range", min: "0", step: "1", "aria-label": "Frame", className: "timeline" });
    this.when = make("output", {});
    this.marks = make("div", { className: "marks", role: "group", "aria-label": "Frames with labels" });
    this.slider.addEventListener("input", () => {
      this.#write();
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.open(Number(this.slider.value)), SOON);
    });
    const steps = [this.#step("Previous frame", "‹", -1), this.#step("Next frame", "›", 1)];
    body.append(make("div", { className: "line" }, steps[0], this.slider, steps[1]), this.when, this.marks, this.#range());
  }

  /**
   * @param {string} label
   * @param {string} text
   * @param {1 | -1} step
   */
  #step(label, text, step) {
    const button = make("button", { type: "button", className: "tiny", "aria-label": label }, text);
    button.addEventListener("click", () => void this.open(Number(this.slider.value) + step));
    return button;
  }

  #range() {
    const first = make("input", { type: "number", min: "1", value: "1", "aria-label": "First frame" });
    const last = make("input", { type: "number", min: "1", value: "10", "aria-label": "Last frame" });
    const start = make("button", { type: "button" }, "Predict");
    const bar = make("progress", { hidden: true, "aria-label": "Predicting frames" });
    /** @type {AbortController | null} */
    let running = null;
    start.addEventListener("click", async () => {
      if (running) return running.abort();
      running = new AbortController();
      start.textContent = "Stop";
      try {
        await this.#predict(Number(first.value) - 1, Number(last.value) - 1, bar, running.signal);
      } catch (error) {
        if (!running.signal.aborted) state.say(reasonOf(error), "error");
      } finally {
        running = null;
        start.textContent = "Predict";
        bar.hidden = true;
      }
    });
    const line = make("div", { className: "line" }, start, make("span", {}, "frames"), first, make("span", {}, "to"), last);
    return make("div", { className: "range" }, line, bar);
  }

  /**
   * @param {number} first
   * @param {number} last
   * @param {HTMLProgressElement} bar
   * @param {AbortSignal} signal
   */
  async #predict(first, last, bar, signal) {
    const { item } = state;
    const end = Math.min(last, this.times.length - 1);
    if (!item || !(first >= 0) || !(first <= end)) return state.say(`Frames are numbered from 1 to ${this.times.length}.`, "error");
    bar.hidden = false;
    for (let frame = first; frame <= end; frame += 1) {
      signal.throwIfAborted();
      await predict(item.id, { frame, model: state.model }, signal);
      Object.assign(bar, { max: end - first + 1, value: frame - first + 1 });
    }
    state.say(`Frames ${first + 1} to ${end + 1} are predicted: step through them, and correct what is wrong.`);
  }

  /** Show the open video. */
  async show() {
    const { item, frame } = state;
    if (!item) return;
    if (this.id !== item.id) {
      this.id = item.id;
      try {
        const { times = [], labelled = [] } = await fetchItem(item.id);
        if (this.id !== item.id) return;
        this.times = times;
        this.labelled = new Set(labelled);
      } catch (error) {
        state.say(reasonOf(error), "error");
      }
    }
    this.slider.max = String(Math.max(0, this.times.length - 1));
    if (document.activeElement !== this.slider) this.slider.value = String(frame);
    this.#write();
    this.#showMarks();
    this.#fetchAhead(item.id, frame);
  }

  /**
   * Note that a frame has labels now.
   * @param {number} frame
   */
  mark(frame) {
    if (state.item?.id !== this.id) return;
    this.labelled.add(frame);
    this.#showMarks();
  }

  #showMarks() {
    const frames = [...this.labelled].sort((one, other) => one - other);
    this.marks.replaceChildren(
      ...frames.map((frame) => {
        const button = make("button", { type: "button", "aria-label": `Frame ${frame + 1}, labelled` }, String(frame + 1));
        button.addEventListener("click", () => void this.open(frame));
        return button;
      }),
    );
  }

  #write() {
    const frame = Number(this.slider.value);
    const text = `Frame ${frame + 1} of ${this.times.length}, ${(this.times[frame] ?? 0).toFixed(3)} s`;
    this.when.textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
  }

  /** @param {number} frame */
  async open(frame) {
    const { item } = state;
    if (!item || frame < 0 || frame >= this.times.length) return;
    this.slider.value = String(frame);
    await openItem(item, { frame });
  }

  /**
   * Have the browser fetch the next frames, so that a step shows them at once.
   * @param {string} id
   * @param {number} frame
   */
  #fetchAhead(id, frame) {
    this.ahead.abort();
    this.ahead = new AbortController();
    const { signal } = this.ahead;
    void (async () => {
      for (let next = frame + 1; next <= Math.min(frame + AHEAD, this.times.length - 1); next += 1) {
        await (await call(pathOf(id, "/image"), { query: { frame: next }, signal })).blob();
      }
    })().catch(() => {}); // another frame was opened meanwhile, or opening this one says why
  }
}
