/** The panel "Slices" of a volume: which slice, and which values are black and white. */

import { make } from "../dom.js";
import { addPanel, openItem, state } from "../main.js";
import { fetchItem, reasonOf } from "./items.js";

const SOON = 120; // milliseconds that a slider must rest
const AIR = -200; // values below are Hounsfield units of a CT

/** Windows by which CT is looked at, in Hounsfield units. @type {[string, number, number][]} */
const CT = [
  ["Soft tissue", -160, 240],
  ["Lung", -1350, 150],
  ["Bone", -450, 1050],
  ["Brain", 0, 80],
];

export function startSlices() {
  /** @type {Slices | null} */
  let slices = null;
  const panel = addPanel({ id: "slices", title: "Slices", open: true, build: (body) => (slices = new Slices(body)) });
  const show = () => {
    panel.hidden = state.item?.medium !== "volume";
    if (!panel.hidden) void slices?.show();
  };
  state.on("item", show);
  show();
}

class Slices {
  /** @param {HTMLElement} body */
  constructor(body) {
    this.slider = make("input", { type: "range", min: "0", step: "1", "aria-label": "Slice" });
    this.number = make("output", {});
    this.low = make("input", { type: "number", step: "any", "aria-label": "Value that is black" });
    this.high = make("input", { type: "number", step: "any", "aria-label": "Value that is white" });
    this.presets = make("div", { className: "presets", role: "group", "aria-label": "Windows" });
    body.append(
      make("div", { className: "line" }, this.slider, this.number),
      make("div", { className: "line" }, make("span", {}, "Window"), this.low, make("span", {}, "to"), this.high),
      this.presets,
    );
    /** @type {string | null} */
    this.id = null;
    this.timer = 0;
    /** Of the item: the window that it has by itself. @type {[number, number]} */
    this.usual = [0, 1];
    this.slider.addEventListener("input", () => {
      this.#write();
      this.#soon();
    });
    for (const field of [this.low, this.high]) field.addEventListener("change", () => void this.open());
  }

  /** Show the open volume. */
  async show() {
    const { item } = state;
    if (!item) return;
    this.slider.max = String((item.frames ?? 1) - 1);
    if (document.activeElement !== this.slider) this.slider.value = String(state.frame);
    this.#write();
    if (this.id === item.id) return;
    this.id = item.id;
    try {
      const { window: usual } = await fetchItem(item.id);
      if (this.id !== item.id || !usual) return;
      this.usual = usual;
      this.#offer();
      this.#fill(usual);
    } catch (error) {
      state.say(reasonOf(error), "error");
    }
  }

  #offer() {
    const windows = /** @type {[string, number, number][]} */ ([["Usual", ...this.usual], ...(this.usual[0] < AIR ? CT : [])]);
    this.presets.replaceChildren(
      ...windows.map(([name, low, high]) => {
        const button = make("button", { type: "button", title: `${Math.round(low)} to ${Math.round(high)}` }, name);
        button.addEventListener("click", () => {
          this.#fill([low, high]);
          void this.open();
        });
        return button;
      }),
    );
  }

  /** @param {[number, number]} values */
  #fill([low, high]) {
    this.low.value = String(Math.round(1000 * low) / 1000);
    this.high.value = String(Math.round(1000 * high) / 1000);
  }

  #write() {
    this.number.textContent = `${Number(this.slider.value) + 1} of ${Number(this.slider.max) + 1}`;
    this.slider.setAttribute("aria-valuetext", this.number.textContent);
  }

  #soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.open(), SOON);
  }

  /** Open the slice of the slider in the window of the fields. */
  async open() {
    const { item } = state;
    if (!item) return;
    const low = Number(this.low.value);
    const high = Number(this.high.value);
    const isKnown = this.low.value !== "" && this.high.value !== ""; // until the server tells it, slices come in their own
    if (isKnown && !(low < high)) return state.say("The black value must be below the white one.", "error");
    const frame = Number(this.slider.value);
    await openItem(item, isKnown ? { frame, window: `${low},${high}` } : { frame });
  }
}
