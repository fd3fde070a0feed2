/** The list of classes: what is painted, shown, locked, how it is coloured, and how much of the picture it is. */

import { changeClasses } from "./classlist.js";
import { byId, icon, make } from "./dom.js";
import { onAction } from "./keys.js";
import { paletteTable, safeColor } from "./palettes.js";
import { state } from "./state.js";

/** @typedef {import("./state.js").ClassInfo} ClassInfo */

const SHARES_EVERY = 200;
const SAVE_AFTER = 600;

/** @typedef {{row: HTMLElement, swatch: HTMLInputElement, name: HTMLElement, share: HTMLElement, alone: HTMLElement,
 *   eye: HTMLElement, lock: HTMLElement, told: string}} Row one class, in the order of the list, and what it shows */

/** @type {Row[]} */
let rows = [];
let safe = false;
let sharesTimer = 0;
let saveTimer = 0;
/** Colours that are not yet sent, by the names of their classes. @type {Map<string, string>} */
const chosen = new Map();

/**
 * Fill the legend, and keep the palette of the view as it says.
 * @param {import("./view.js").View} view
 */
export function startLegend(view) {
  const repaint = () => {
    const size = state.labels?.counts.length ?? 256;
    view.setPalette(paletteTable(state.classes, state.hidden, safe, size));
    rows.forEach(refresh);
  };
  state.on("classes", () => {
    build();
    repaint();
  });
  for (const name of /** @type {const} */ (["locks", "current"])) state.on(name, () => rows.forEach(refresh));
  state.on("labels", (box) => {
    if (!box) repaint();
    sharesTimer ||= setTimeout(writeShares, SHARES_EVERY);
  });
  byId("legend-filter").addEventListener("input", filter);
  addEventListener("palette", repaint);
  bindActions();
}

/** Tell that colours or what is hidden changed, without building the list again. */
function repaintSoon() {
  dispatchEvent(new Event("palette"));
}

function build() {
  rows = state.classes.map(makeRow);
  byId("legend-list").replaceChildren(...rows.map(({ row }) => row));
  byId("legend-filter").hidden = state.classes.length < 12;
  byId("legend-count").textContent = String(state.classes.length);
  filter();
  writeShares();
}

/**
 * @param {ClassInfo} info
 * @param {number} position
 * @returns {Row}
 */
function makeRow(info, position) {
  const { index, name } = info;
  const number = position < 10 ? String((position + 1) % 10) : "";
  const swatch = make("input", { type: "color", className: "swatch", "aria-label": `Colour of ${name}` });
  swatch.addEventListener("input", () => recolour(info, swatch.value));
  const label = make("button", { type: "button", className: "name" }, make("span", {}, name), make("kbd", {}, number));
  label.addEventListener("click", () => state.setCurrent(index));
  label.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    event.stopPropagation();
    takeNext(event.key === "ArrowDown" ? 1 : -1);
    rows.find(({ row }) => row.classList.contains("current"))?.name.focus();
  });
  const eye = make("button", { type: "button", className: "tiny eye", "aria-label": `Show ${name}` }, icon("eye"));
  eye.addEventListener("click", (event) => (event.altKey ? solo(index) : toggleHidden(index)));
  const alone = make("button", { type: "button", className: "tiny alone", "aria-label": `Show ${name} alone` }, icon("solo"));
  alone.addEventListener("click", () => solo(index));
  const lock = make("button", { type: "button", className: "tiny lock", "aria-label": `Lock ${name}` }, icon("lock"));
  lock.addEventListener("click", () => toggleLock(index));
  const share = make("span", { className: "share" });
  const row = make("li", { className: "row" }, swatch, label, share, alone, eye, lock);
  return { row, swatch, name: label, share, alone, eye, lock, told: "" };
}

/**
 * Show the state of a class; what is shown already is left alone, for the page takes its time with every field.
 * @param {Row} parts
 * @param {number} position
 */
function refresh(parts, position) {
  const { row, swatch, name, alone, eye, lock } = parts;
  const { index } = state.classes[position];
  const color = safe ? safeColor(position) : state.classes[position].color;
  const [isCurrent, isHidden, isLocked] = [index === state.current, state.hidden.has(index), state.locked.has(index)];
  const told = [color, safe, isCurrent, isHidden, isLocked, isSolo(index)].join();
  if (told === parts.told) return;
  parts.told = told;
  row.classList.toggle("current", isCurrent);
  row.classList.toggle("hidden-class", isHidden);
  swatch.value = color;
  swatch.disabled = safe;
  press(name, isCurrent);
  press(eye, !isHidden);
  press(lock, isLocked);
  press(alone, isSolo(index));
  // One stop of the Tab key for the whole list: the row in hand.
  for (const field of [swatch, name, alone, eye, lock]) field.tabIndex = isCurrent ? 0 : -1;
}

/**
 * @param {HTMLElement} button
 * @param {boolean} pressed
 */
function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

/**
 * Return the colour that a class is shown in now.
 * @param {number} index
 * @returns {string | null} "#rrggbb"; null when it is no class
 */
export function shownColor(index) {
  const position = state.classes.findIndex((each) => each.index === index);
  if (position < 0) return null;
  return safe ? safeColor(position) : state.classes[position].color;
}

function writeShares() {
  sharesTimer = 0;
  const { labels } = state;
  showShares(labels?.counts ?? [], labels?.data.length ?? 0);
}

/**
 * Show how large a part of all each class is.
 * @param {ArrayLike<number>} counts pixels or points, by label
 * @param {number} total
 */
export function showShares(counts, total) {
  rows.forEach(({ row, share: field }, position) => {
    const pixels = counts[state.classes[position].index] ?? 0;
    const share = total ? (100 * pixels) / total : 0;
    const text = !pixels ? "" : share < 0.1 ? "< 0.1 %" : `${share.toFixed(1)} %`;
    field.textContent = text;
    row.classList.toggle("absent", !pixels);
  });
}

function filter() {
  const words = /** @type {HTMLInputElement} */ (byId("legend-filter")).value.trim().toLowerCase();
  rows.forEach(({ row }, position) => (row.hidden = !state.classes[position].name.toLowerCase().includes(words)));
}

/**
 * @param {ClassInfo} info
 * @param {string} color
 */
function recolour(info, color) {
  info.color = color;
  repaintSoon();
  clearTimeout(saveTimer);
  chosen.set(info.name, color);
  saveTimer = setTimeout(() => {
    const colors = new Map(chosen);
    chosen.clear();
    const change = (/** @type {import("./classlist.js").Row[]} */ rows) => rows.map((row) => ({ ...row, color: colors.get(row.name) ?? row.color }));
    changeClasses(change).catch((error) => state.say(error.message, "error"));
  }, SAVE_AFTER);
}

/** @param {number} index */
function toggleHidden(index) {
  if (!state.hidden.delete(index)) state.hidden.add(index);
  repaintSoon();
}

/** @param {number} index */
function isSolo(index) {
  return state.classes.length > 1 && state.hidden.size === state.classes.length - 1 && !state.hidden.has(index);
}

/** @param {number} index */
function solo(index) {
  const others = isSolo(index) ? [] : state.classes.map((each) => each.index).filter((each) => each !== index);
  state.hidden = new Set(others);
  repaintSoon();
}

/** @param {number} index */
function toggleLock(index) {
  if (!state.locked.delete(index)) state.locked.add(index);
  state.emit("locks");
}

/** @param {number} step */
function takeNext(step) {
  const position = state.classes.findIndex(({ index }) => index === state.current);
  const next = state.classes[position + step];
  if (next) state.setCurrent(next.index);
  rows[position + step]?.row.scrollIntoView({ block: "nearest" });
}

function bindActions() {
  onAction("class-by-number", (key) => {
    const chosen = state.classes[(Number(key) + 9) % 10];
    if (chosen) state.setCurrent(chosen.index);
  });
  onAction("class-before", () => takeNext(-1));
  onAction("class-after", () => takeNext(1));
  onAction("hide", () => toggleHidden(state.current));
  onAction("solo", () => solo(state.current));
  onAction("lock", () => toggleLock(state.current));
  onAction("only", () => {
    state.only = state.only === state.current ? null : state.current;
    state.emit("locks");
    state.say(state.only === null ? "Edits go over every class." : `Edits go over ${state.nameOf(state.only)} alone.`);
  });
  onAction("safe", () => {
    safe = !safe;
    for (const button of document.querySelectorAll("[data-action=safe]")) button.setAttribute("aria-pressed", String(safe));
    repaintSoon();
  });
}
