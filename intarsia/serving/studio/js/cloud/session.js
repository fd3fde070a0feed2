/** A cloud that is open: its points as they come, its labels, and the changes that the server makes at full resolution. */

import { ApiError, call, sendJson } from "../api.js";
import { state } from "../main.js";
import { follow } from "../project/events.js";
import { pathOf, reasonOf } from "../project/items.js";
import { eachChange, readChange, readPart } from "./wire.js";

/** @typedef {import("./wire.js").Change} Change */

const FIRST = 200_000; // points that come first, for a quick look at all of it
const PART = 500_000;
const LATER = 100_000; // points above which a prediction is a job, as it takes longer than a request may

/** Events: "begin" (the first points are there), "change" (more points, other labels, other steps to undo). */
export class CloudSession extends EventTarget {
  /**
   * @param {import("../state.js").Item} item
   * @param {import("./view.js").CloudView} view
   */
  constructor(item, view) {
    super();
    this.item = item;
    this.view = view;
    this.path = pathOf(item.id, "/cloud");
    this.stop = new AbortController();
    this.revision = 0;
    this.total = 0;
    this.past = 0;
    this.future = 0;
    /** Lowest height in the file's own coordinates. */
    this.base = 0;
    this.hasIntensity = false;
    this.hasColors = false;
    /** By rank. @type {import("./wire.js").Labels} */
    this.labels = new Uint8Array(0);
    /** Changes happen one after the other. @type {Promise<void>} */
    this.changing = Promise.resolve();
  }

  /**
   * Fetch all points, the first of which are an even sample.
   * @returns {Promise<void>}
   */
  async load() {
    let first = 0;
    do {
      const part = readPart(await (await this.#get(first)).arrayBuffer());
      if (this.stop.signal.aborted) return;
      if (!first) this.#begin(part);
      else if (part.revision !== this.revision) return this.load(); // somebody saved meanwhile
      this.labels.set(part.labels, first);
      this.view.add(part);
      first += part.count;
      this.dispatchEvent(new Event("change"));
    } while (first < this.total);
  }

  /** @param {number} first */
  #get(first) {
    return call(this.path, { query: { first, count: first ? PART : FIRST }, signal: this.stop.signal });
  }

  /** @param {import("./wire.js").Part} part */
  #begin(part) {
    const { revision, total, past, future } = part;
    Object.assign(this, { revision, total, past, future });
    this.base = part.origin[2];
    this.hasIntensity = part.intensity !== null;
    this.hasColors = part.colors !== null;
    this.labels = part.labels instanceof Uint16Array ? new Uint16Array(total) : new Uint8Array(total);
    this.view.begin(part);
    this.dispatchEvent(new Event("begin"));
  }

  get isLoaded() {
    return this.view.loaded === this.total;
  }

  close() {
    this.stop.abort();
  }

  /** What of the legend rules a change: locks, the one class, and what is shown. */
  rules() {
    const shown = [...state.classes.map(({ index }) => index).filter((index) => !state.hidden.has(index)), state.ignoreIndex];
    return { locked: [...state.locked], only: state.only, visible: state.hidden.size ? shown : null };
  }

  /**
   * Give the points in a polygon the class in hand.
   * @param {[number, number][]} polygon in pixels of the view
   * @param {boolean} front only those that no other hides
   */
  lasso(polygon, front) {
    const { canvas, heights } = this.view;
    const limits = heights.every((z) => !Number.isFinite(z)) ? null : heights.map((z) => Math.max(-1e15, Math.min(1e15, z)));
    const asked = {
      view: this.view.matrix(), size: [canvas.clientWidth, canvas.clientHeight], polygon, class: state.current,
      heights: limits, front, ...this.rules(),
    };
    return this.#change("/lasso", asked, "Relabelling");
  }

  /** @param {"undo" | "redo"} way */
  step(way) {
    return this.#change(`/${way}`, {}, way === "undo" ? "Undoing" : "Redoing");
  }

  /** @param {string} model "" for the usual one */
  predict(model) {
    const query = model ? `?model=${encodeURIComponent(model)}` : "";
    return this.total > LATER ? this.#predictLater(query) : this.#change(`/predict${query}`, this.rules(), "Predicting");
  }

  /**
   * Have a job predict, and take the labels over when it is over; what is corrected meanwhile stays.
   * @param {string} query
   */
  async #predictLater(query) {
    try {
      const answer = await sendJson("POST", `${this.path}/predict${query}${query ? "&" : "?"}later=true`, { revision: this.revision, ...this.rules() });
      let job = await answer.json();
      for await (const { event, data } of follow(`/v1/jobs/${job.id}/events`, this.stop.signal)) {
        if (event === "state") job = data;
        if (job.total) state.emit("busy", `Predicting, ${Math.floor((100 * job.done) / job.total)} %`);
      }
      if (job.state !== "done") return state.say(job.error ?? "The prediction was stopped.", "error");
      await this.changing;
      await this.load();
      Object.assign(this.item, { revision: this.revision, state: "corrected" });
      state.emit("saved", "saved");
      state.say(`${job.notes.join("; ")}.`);
    } catch (error) {
      await this.#fail(error);
    } finally {
      state.emit("busy", "");
    }
  }

  /** How many points have each label. */
  counts() {
    const found = new Uint32Array(65536);
    for (const label of this.labels.subarray(0, this.view.loaded)) found[label]++;
    return found;
  }

  /**
   * Have the server change labels, after the changes before.
   * @param {string} way
   * @param {Record<string, unknown>} asked
   * @param {string} what
   */
  #change(way, asked, what) {
    this.changing = this.changing.then(async () => {
      if (!this.isLoaded) return state.say("The points are still being loaded.");
      state.emit("busy", what);
      try {
        const answer = await sendJson("POST", this.path + way, { revision: this.revision, ...asked });
        const change = readChange(await answer.arrayBuffer());
        if (!this.stop.signal.aborted) this.#apply(change);
      } catch (error) {
        await this.#fail(error);
      } finally {
        state.emit("busy", "");
      }
    });
    return this.changing;
  }

  /** @param {Change} change */
  #apply(change) {
    const { revision, past, future, changed } = change;
    Object.assign(this, { revision, past, future });
    let [low, high] = [this.total, -1];
    eachChange(change, (rank, label) => {
      this.labels[rank] = label;
      low = Math.min(low, rank);
      high = rank;
    });
    if (high >= low) {
      this.view.painter?.putLabels(low, this.labels.subarray(low, high + 1));
      this.view.redraw();
      Object.assign(this.item, { revision, state: "corrected" });
      state.emit("saved", "saved");
    }
    state.say(changed ? `${changed.toLocaleString("en")} points changed.` : "No point changed.");
    this.dispatchEvent(new Event("change"));
  }

  /** @param {unknown} error */
  async #fail(error) {
    if (this.stop.signal.aborted) return;
    state.say(reasonOf(error), "error");
    if (error instanceof ApiError && error.status === 409) await this.load();
  }
}
