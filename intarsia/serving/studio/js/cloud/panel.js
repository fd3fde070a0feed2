/** The panel "Cloud": what points are coloured by, how large they are, between which heights, and their way in and out. */

import { call, callJson } from "../api.js";
import { make } from "../dom.js";
import { addPanel, state } from "../main.js";
import { reasonOf } from "../project/items.js";

/** @typedef {import("./session.js").CloudSession} CloudSession */
/** @typedef {import("./view.js").Mode} Mode */

const MODES = /** @type {[Mode, string][]} */ ([["class", "Class"], ["intensity", "Intensity"], ["height", "Height"], ["rgb", "Colour"]]);
const STEPS = 1000; // of a slider over all heights

export class CloudPanel {
  /** @param {import("./view.js").CloudView} view */
  constructor(view) {
    this.view = view;
    /** @type {CloudSession | null} */
    this.session = null;
    this.about = make("p", { className: "note" });
    this.modes = MODES.map(([mode, text]) => {
      const button = make("button", { type: "button", "aria-pressed": "false" }, text);
      button.addEventListener("click", () => this.colour(mode));
      return { mode, button };
    });
    this.size = slider("Point size", 1, 8, 0.5, view.pointSize, (value) => (view.pointSize = value));
    this.low = slider("Lowest height", 0, STEPS, 1, 0, () => this.#cut());
    this.high = slider("Highest height", 0, STEPS, 1, STEPS, () => this.#cut());
    for (const { field } of [this.size, this.low, this.high]) field.addEventListener("input", () => view.redraw());
    this.front = make("input", { type: "checkbox", id: "cloud-front" });
    this.model = make("select", { "aria-label": "Model of clouds" });
    this.panel = addPanel({ id: "cloud", title: "Cloud", open: true, build: (body) => this.#build(body) });
    this.panel.hidden = true;
  }

  /** @param {HTMLElement} body */
  #build(body) {
    const predict = make("button", { type: "button" }, "Predict");
    predict.addEventListener("click", () => void this.predict());
    const save = make("button", { type: "button", className: "primary" }, "Download with labels");
    save.addEventListener("click", () => void this.#download());
    const modes = make("div", { className: "segments", role: "group", "aria-label": "Colour by" }, ...this.modes.map(({ button }) => button));
    body.append(
      this.about, modes, this.size.line, this.low.line, this.high.line,
      make("label", { className: "choice", htmlFor: "cloud-front" }, this.front, "The lasso takes only the nearest surface"),
      make("div", { className: "line" }, this.model, predict), save,
    );
  }

  /** @param {CloudSession | null} session what is open */
  show(session) {
    this.session = session;
    this.panel.hidden = !session;
    if (!session) return;
    this.low.set(0);
    this.high.set(STEPS);
    session.addEventListener("change", () => this.#tell());
    if (!this.model.options.length) void this.#offerModels();
  }

  #tell() {
    const { session, view } = this;
    if (!session) return;
    const numbers = [view.loaded, session.total].map((count) => count.toLocaleString("en"));
    this.about.textContent = session.isLoaded ? `${numbers[1]} points` : `${numbers.join(" of ")} points`;
    for (const { mode, button } of this.modes) {
      button.disabled = (mode === "intensity" && !session.hasIntensity) || (mode === "rgb" && !session.hasColors);
      if (button.disabled && mode === view.mode) this.colour("class");
    }
    this.colour(view.mode, false);
  }

  /** @param {Mode} mode @param {boolean} [draws] */
  colour(mode, draws = true) {
    this.view.mode = mode;
    for (const each of this.modes) each.button.setAttribute("aria-pressed", String(each.mode === mode));
    if (draws) this.view.redraw();
  }

  #cut() {
    const { view } = this;
    const height = view.camera.box[2];
    const [low, high] = [Number(this.low.field.value), Number(this.high.field.value)];
    view.heights = [low > 0 ? (height * low) / STEPS : -Infinity, high < STEPS ? (height * high) / STEPS : Infinity];
    const base = this.session?.base ?? 0;
    const said = (/** @type {number} */ share) => (base + (height * share) / STEPS).toFixed(2);
    this.low.say(said(low));
    this.high.say(said(high));
  }

  async #offerModels() {
    try {
      const { models } = await callJson("/v1/models");
      const clouds = models.filter((/** @type {{medium: string}} */ { medium }) => medium === "cloud");
      this.model.replaceChildren(...clouds.map((/** @type {{name: string, title: string}} */ { name, title }) => make("option", { value: name }, title || name)));
    } catch (error) {
      state.say(reasonOf(error), "error");
    }
  }

  async predict() {
    await this.session?.predict(this.model.value);
  }

  async #download() {
    const { session } = this;
    if (!session) return;
    state.emit("busy", "Writing the file");
    try {
      const answer = await call(`${session.path}/export`);
      const name = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "cloud";
      const link = make("a", { href: URL.createObjectURL(await answer.blob()), download: decodeURIComponent(name) });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      const losses = answer.headers.get("X-Losses");
      state.say(losses ? `Downloaded. ${decodeURIComponent(losses)}` : "Downloaded.");
    } catch (error) {
      state.say(reasonOf(error), "error");
    } finally {
      state.emit("busy", "");
    }
  }
}

/**
 * Make a slider with its name.
 * @param {string} name
 * @param {number} min
 * @param {number} max
 * @param {number} step
 * @param {number} value
 * @param {(value: number) => void} use
 */
function slider(name, min, max, step, value, use) {
  const field = make("input", { type: "range", min: String(min), max: String(max), step: String(step), "aria-label": name });
  const line = make("div", { className: "line" }, make("span", { className: "cloud-name" }, name), field);
  field.value = String(value);
  field.addEventListener("input", () => use(Number(field.value)));
  const set = (/** @type {number} */ to) => (field.value = String(to));
  const say = (/** @type {string} */ text) => field.setAttribute("aria-valuetext", text);
  return { field, line, set, say };
}
