/** The bar above the picture, the tools beside it, and the line below. */

import { byId, icon, make } from "./dom.js";
import { editor } from "./editor.js";
import { onAction } from "./keys.js";
import { fetchUncertainty, predictAgain } from "./picture.js";
import { state } from "./state.js";
import { hand, TOOLS } from "./tools/index.js";

/** @typedef {import("./view.js").View} View */

const READING = 70; // milliseconds that a character takes

const SAVED = {
  saved: "Saved",
  saving: "Saving …",
  here: "Kept in this browser",
  conflict: "Two versions: decide",
  "": "",
};

/** @param {View} view */
export function startToolbar(view) {
  startTools();
  startOptions();
  startHistory();
  startViewButtons(view);
  startModel();
  startStatus(view);
}

function startTools() {
  const bar = byId("tools");
  for (const tool of TOOLS) {
    bar.append(
      make("button", { type: "button", className: "tool", "data-action": `tool-${tool.id}`, "aria-label": tool.title }, icon(tool.id)),
    );
    onAction(`tool-${tool.id}`, () => hand.take(tool));
  }
  const show = () => {
    for (const button of bar.children) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-action") === `tool-${hand.tool.id}`));
    }
    byId("canvas").dataset.tool = hand.tool.id;
    byId("hint").textContent = hand.tool.hint;
  };
  hand.addEventListener("tool", show);
  show();
  onAction("cancel", () => hand.tool.cancel?.());
  onAction("back", () => hand.tool.cancel?.());
}

/** Size of the brush, tolerance of the wand, and the class in hand. */
function startOptions() {
  const slider = /** @type {HTMLInputElement} */ (byId("size"));
  const isWand = () => hand.tool.id === "wand";
  const show = () => {
    const value = isWand() ? editor.tolerance : editor.size;
    byId("options-size").hidden = !hand.tool.round && !isWand();
    byId("size-label").textContent = isWand() ? "Tolerance" : "Size";
    byId("size-value").textContent = isWand() ? String(value) : `${value} px`;
    // Sizes are felt by their ratio, so the slider runs over the root.
    slider.max = String(isWand() ? 255 : 20);
    slider.value = String(isWand() ? value : Math.sqrt(value));
    slider.setAttribute("aria-valuetext", byId("size-value").textContent ?? "");
  };
  slider.addEventListener("input", () => {
    if (isWand()) editor.setTolerance(Number(slider.value));
    else editor.setSize(Number(slider.value) ** 2);
  });
  const change = (/** @type {number} */ way) => {
    if (isWand()) editor.setTolerance(editor.tolerance + 4 * way);
    else editor.setSize(editor.size + way * Math.max(1, Math.round(0.15 * editor.size)));
  };
  onAction("smaller", () => change(-1));
  onAction("larger", () => change(1));
  hand.addEventListener("tool", show);
  editor.addEventListener("size", show);
  show();
  const only = byId("only");
  const showOnly = () => {
    only.textContent = state.only === null ? "Over every class" : `Over ${state.nameOf(state.only)} alone`;
    only.setAttribute("aria-pressed", String(state.only !== null));
  };
  state.on("locks", showOnly);
  showOnly();
}

function startHistory() {
  onAction("undo", () => editor.undo());
  onAction("redo", () => editor.redo());
  const show = () => {
    const { history } = editor;
    /** @type {HTMLButtonElement} */ (byId("undo")).disabled = !history?.past.length;
    /** @type {HTMLButtonElement} */ (byId("redo")).disabled = !history?.future.length;
  };
  editor.addEventListener("history", show);
  show();
}

/** @param {View} view */
function startViewButtons(view) {
  const opacity = /** @type {HTMLInputElement} */ (byId("opacity"));
  const setOpacity = (/** @type {number} */ value) => {
    view.opacity = Math.min(1, Math.max(0, value));
    opacity.value = String(Math.round(100 * view.opacity));
    view.redraw();
  };
  opacity.addEventListener("input", () => setOpacity(Number(opacity.value) / 100));
  onAction("fainter", () => setOpacity(view.opacity - 0.1));
  onAction("stronger", () => setOpacity(view.opacity + 0.1));
  onAction("labels", () => toggle("labels", (view.showLabels = !view.showLabels)));
  onAction("outlines", () => toggle("outlines", (view.outlines = !view.outlines)));
  onAction("uncertainty", async () => {
    try {
      if (!view.heat) {
        const heat = await fetchUncertainty();
        if (!heat) return; // something else was opened, which shows none at first
        view.setHeat(heat);
      }
      toggle("uncertainty", (view.heat = !view.heat));
    } catch (error) {
      state.say(error instanceof Error ? error.message : String(error), "error");
    }
  });
  const toggle = (/** @type {string} */ id, /** @type {boolean} */ on) => {
    for (const button of document.querySelectorAll(`[data-action="${id}"]`)) button.setAttribute("aria-pressed", String(on));
    view.redraw();
  };
  onAction("zoom-in", () => view.zoomBy(1.5));
  onAction("zoom-out", () => view.zoomBy(1 / 1.5));
  onAction("fit", () => view.fit());
  onAction("actual", () => view.zoomBy(view.ratio() / view.zoom));
  state.on("item", () => {
    toggle("uncertainty", (view.heat = false));
  });
}

function startModel() {
  const choice = /** @type {HTMLSelectElement} */ (byId("model"));
  state.on("models", () => {
    const options = state.predictors().map(({ name, title }) => make("option", { value: name }, title || name));
    choice.replaceChildren(make("option", { value: "" }, "Choose by a look"), ...options);
    choice.value = state.model;
    choice.hidden = !state.models.length;
  });
  choice.addEventListener("change", () => {
    state.model = choice.value;
    state.emit("model");
  });
  onAction("predict", () => void predictAgain());
}

/** @param {View} view */
function startStatus(view) {
  const showZoom = () => (byId("zoom").textContent = `${Math.round((100 * view.zoom) / view.ratio())} %`);
  view.addEventListener("moved", showZoom);
  state.on("item", () => {
    byId("item-name").textContent = state.item?.name ?? "";
    document.title = state.item ? `${state.item.name} – Intarsia` : "Intarsia";
    byId("canvas").setAttribute("aria-label", state.item ? `Picture ${state.item.name}` : "No picture");
    byId("empty").hidden = state.item !== null;
  });
  state.on("saved", (/** @type {keyof typeof SAVED} */ how) => {
    const saved = /** @type {HTMLButtonElement} */ (byId("saved"));
    saved.textContent = SAVED[how];
    saved.hidden = !how;
    saved.dataset.how = how;
    saved.disabled = how !== "conflict";
  });
  state.on("busy", (what) => {
    byId("busy").textContent = what;
    byId("busy").hidden = !what;
    byId("stage").setAttribute("aria-busy", String(Boolean(what)));
  });
  startMessages();
}

function startMessages() {
  const box = byId("message");
  let timer = 0;
  const write = (/** @type {string} */ text) => {
    box.textContent = text;
    box.classList.remove("long");
    box.classList.toggle("long", box.scrollWidth > box.clientWidth); // what the line has no room for stands above it
  };
  state.on("message", ({ text, kind }) => {
    clearTimeout(timer);
    box.dataset.kind = kind;
    write(text);
    timer = setTimeout(write, Math.max(kind === "error" ? 12000 : 5000, READING * text.length), "");
  });
}
