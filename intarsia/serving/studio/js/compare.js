/** Comparing: with the prediction, another model, or what somebody else saved; side by side, by a divider, or the difference. */

import { byId, make } from "./dom.js";
import { onAction } from "./keys.js";
import { LabelMap } from "./labelmap.js";
import { addPanel } from "./panels.js";
import { predictOpen } from "./picture.js";
import { decide } from "./saving.js";
import { state } from "./state.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Layout} Layout */

const PREDICTION = "\u0000prediction"; // no model can have this name

const RESULT_AFTER = 500;

/** @type {View} */
let view;
let resultTimer = 0;
let source = PREDICTION;
/** @type {HTMLSelectElement | null} */
let choice = null;

/** @param {View} shown */
export function startCompare(shown) {
  view = shown;
  addPanel({ id: "compare", title: "Compare", build });
  for (const layout of /** @type {const} */ (["side", "difference"])) onAction(layout, () => toggle(layout));
  onAction("swipe", () => {
    view.setLayout(view.layout === "swipe" ? "single" : "swipe");
    refresh();
  });
  state.on("models", fillChoice);
  state.on("item", refresh);
  state.on("labels", () => {
    clearTimeout(resultTimer);
    if (view.other) resultTimer = setTimeout(writeResult, RESULT_AFTER);
  });
  startDivider();
}

/**
 * Show labels that somebody else saved beside one's own.
 * @param {LabelMap} theirs
 */
export function compareWith(theirs) {
  view.setOther(theirs);
  view.setLayout("side");
  refresh();
  state.say("Left: yours. Right: theirs. Decide by the button in the top bar.");
}

/** @param {HTMLElement} body */
function build(body) {
  choice = make("select", { id: "compare-with" });
  choice.addEventListener("change", async () => {
    source = choice?.value ?? PREDICTION;
    view.setOther(null);
    if (view.layout !== "swipe") await toggle("side");
  });
  fillChoice();
  const buttons = /** @type {[Layout, string][]} */ ([
    ["side", "Side by side"],
    ["swipe", "Divider"],
    ["difference", "Difference"],
  ]).map(([layout, text]) => make("button", { type: "button", "data-layout": layout }, text));
  body.append(
    make("label", { htmlFor: "compare-with" }, "Your labels with"),
    choice,
    make("div", { className: "segments", role: "group", "aria-label": "How to compare" }, ...buttons),
    make("p", { id: "compare-result", className: "note" }),
  );
  for (const button of buttons) {
    button.addEventListener("click", () => void toggle(/** @type {Layout} */ (button.dataset.layout)));
  }
  refresh();
}

function fillChoice() {
  if (!choice) return;
  const options = state.predictors().map(({ name, title }) => make("option", { value: name }, title || name));
  choice.replaceChildren(make("option", { value: PREDICTION }, "the prediction"), ...options);
  choice.value = source;
}

/** @param {Layout} layout */
async function toggle(layout) {
  if (view.layout === layout) {
    view.setLayout("single");
  } else {
    if (!view.other && !(await load())) return;
    view.setLayout(layout);
  }
  refresh();
}

/** Fetch what is compared with. @returns {Promise<boolean>} whether it is there */
async function load() {
  const { photoFile } = state;
  const wanted = source;
  if (!state.labels) return false;
  const done = state.wait("Predicting");
  try {
    const map = wanted === PREDICTION && state.prediction ? state.prediction : await predictOpen(wanted === PREDICTION ? state.model : wanted);
    const { labels } = state;
    if (!map || !labels || wanted !== source) return false; // somebody chose another one meanwhile, which comes
    if (photoFile !== state.photoFile) {
      state.say("The labels to compare with came too late: something else was opened.");
      return false;
    }
    if (map.width !== labels.width || map.height !== labels.height) throw new Error("The other labels have another size.");
    view.setOther(map);
    return true;
  } catch (error) {
    state.say(error instanceof Error ? error.message : String(error), "error");
    return false;
  } finally {
    done();
  }
}

function refresh() {
  for (const layout of ["side", "swipe", "difference"]) {
    for (const button of document.querySelectorAll(`[data-action="${layout}"], [data-layout="${layout}"]`)) {
      button.setAttribute("aria-pressed", String(view.layout === layout));
    }
  }
  byId("divider").hidden = view.layout !== "swipe";
  placeDivider();
  writeResult();
}

function writeResult() {
  const result = document.getElementById("compare-result");
  if (result) result.textContent = view.other && state.labels ? differenceText(state.labels, view.other) : "";
}

/**
 * @param {LabelMap} one
 * @param {LabelMap} other
 */
function differenceText(one, other) {
  let differing = 0;
  for (let i = 0; i < one.data.length; i++) if (one.data[i] !== other.data[i]) differing++;
  return `${((100 * differing) / one.data.length).toFixed(2)} % of the pixels differ.`;
}

function placeDivider() {
  const divider = byId("divider");
  const percent = Math.round(100 * view.split);
  divider.style.left = `${percent}%`;
  divider.setAttribute("aria-valuenow", String(percent));
}

/** @param {number} split */
function setSplit(split) {
  view.split = Math.min(1, Math.max(0, split));
  placeDivider();
  view.redraw();
}

function startDivider() {
  const divider = byId("divider");
  divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const frame = view.canvas.getBoundingClientRect();
    setSplit((event.clientX - frame.left) / frame.width);
  });
  divider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setSplit(view.split + step);
  });
  byId("saved").addEventListener("click", () => void decide());
}
