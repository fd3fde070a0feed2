/** Every action of the studio, its keys, and the sheet that lists them: all from one table. */

import { byId, make } from "./dom.js";

/** @typedef {{id: string, keys: string[], title: string, group: string, onPicture?: boolean}} Row */

/** `onPicture`: only while the picture has the focus, because the key means something elsewhere. @type {Row[]} */
export const TABLE = [
  { id: "tool-pan", keys: ["v"], title: "Move the picture", group: "Tools" },
  { id: "tool-click", keys: ["c"], title: "Click: the model finds the region", group: "Tools" },
  { id: "tool-brush", keys: ["b"], title: "Brush", group: "Tools" },
  { id: "tool-eraser", keys: ["e"], title: "Eraser", group: "Tools" },
  { id: "tool-polygon", keys: ["p"], title: "Polygon", group: "Tools" },
  { id: "tool-fill", keys: ["f"], title: "Fill a region", group: "Tools" },
  { id: "tool-wand", keys: ["w"], title: "Magic wand", group: "Tools" },
  { id: "smaller", keys: ["["], title: "Smaller brush, less tolerance", group: "Tools" },
  { id: "larger", keys: ["]"], title: "Larger brush, more tolerance", group: "Tools" },
  { id: "undo", keys: ["Ctrl+z"], title: "Undo", group: "Edit" },
  { id: "redo", keys: ["Ctrl+Shift+z", "Ctrl+y"], title: "Redo", group: "Edit" },
  { id: "cancel", keys: ["Escape"], title: "Give up what is begun", group: "Edit" },
  { id: "back", keys: ["Backspace"], title: "Take the last corner back", group: "Edit", onPicture: true },
  { id: "predict", keys: ["r"], title: "Predict again", group: "Edit" },
  { id: "cursor", keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], title: "Move the cursor by a pixel", group: "On the picture", onPicture: true },
  { id: "cursor-far", keys: ["Shift+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowDown"], title: "Move the cursor by ten", group: "On the picture", onPicture: true },
  { id: "press", keys: ["Enter"], title: "Use the tool at the cursor; close a polygon at the same place", group: "On the picture", onPicture: true },
  { id: "hold", keys: ["Shift+Enter"], title: "Brush down, and up again", group: "On the picture", onPicture: true },
  { id: "pan-view", keys: ["Ctrl+ArrowLeft", "Ctrl+ArrowRight", "Ctrl+ArrowUp", "Ctrl+ArrowDown"], title: "Move the picture", group: "On the picture", onPicture: true },
  { id: "class-by-number", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"], title: "Take class 1 to 10", group: "Classes" },
  { id: "class-before", keys: [","], title: "Take the class before", group: "Classes" },
  { id: "class-after", keys: ["."], title: "Take the class after", group: "Classes" },
  { id: "pick", keys: ["i"], title: "Take the class under the pointer", group: "Classes" },
  { id: "hide", keys: ["h"], title: "Hide or show the class", group: "Classes" },
  { id: "solo", keys: ["s"], title: "Show this class alone", group: "Classes" },
  { id: "lock", keys: ["l"], title: "Lock the class", group: "Classes" },
  { id: "only", keys: ["k"], title: "Edit over this class alone", group: "Classes" },
  { id: "zoom-in", keys: ["+", "="], title: "Zoom in", group: "View" },
  { id: "zoom-out", keys: ["-"], title: "Zoom out", group: "View" },
  { id: "fit", keys: ["Home"], title: "Whole picture", group: "View" },
  { id: "actual", keys: ["End"], title: "One pixel to one", group: "View" },
  { id: "labels", keys: ["t"], title: "Labels on or off", group: "View" },
  { id: "outlines", keys: ["o"], title: "Outlines only", group: "View" },
  { id: "fainter", keys: ["Alt+ArrowDown"], title: "Fainter labels", group: "View" },
  { id: "stronger", keys: ["Alt+ArrowUp"], title: "Stronger labels", group: "View" },
  { id: "uncertainty", keys: ["u"], title: "Where the model is unsure", group: "View" },
  { id: "swipe", keys: ["a"], title: "Before and after", group: "View" },
  { id: "side", keys: ["m"], title: "Two models side by side", group: "View" },
  { id: "difference", keys: ["d"], title: "Where the two differ", group: "View" },
  { id: "safe", keys: ["y"], title: "Colours for the colour-blind", group: "View" },
  { id: "next", keys: ["n"], title: "Next picture", group: "Studio" },
  { id: "previous", keys: ["Shift+n"], title: "Picture before", group: "Studio" },
  { id: "keys", keys: ["?"], title: "This list", group: "Studio" },
];

/** @type {Map<string, (key: string) => void>} */
const handlers = new Map();
/** Keys that were pressed before their room was there, which does them when it comes. @type {Map<string, string>} */
const waiting = new Map();
/** Keys of other rooms, which listen to them on their own. @type {Map<string, {title: string, keys: string[]}[]>} */
const others = new Map();

/**
 * Have the sheet list the keys of a room.
 * @param {string} group
 * @param {{title: string, keys: string[]}[]} rows
 */
export function addToSheet(group, rows) {
  others.set(group, rows);
}

/**
 * Say what an action of the table does. Buttons with `data-action="ID"` do it as well, and tell their key.
 * @param {string} id
 * @param {(key: string) => void} run hears the key, or "" from a button
 */
export function onAction(id, run) {
  const row = TABLE.find((each) => each.id === id);
  if (!row) throw new Error(`keys.js has no action ${id}`);
  handlers.set(id, run);
  const key = waiting.get(id);
  if (waiting.delete(id)) act(row, /** @type {string} */ (key));
  for (const button of document.querySelectorAll(`[data-action="${id}"]`)) bindButton(/** @type {HTMLElement} */ (button), row);
}

/**
 * Make a button do an action.
 * @param {HTMLElement} button
 * @param {Row} row
 */
function bindButton(button, row) {
  button.title = `${row.title} (${readable(row.keys[0])})`;
  button.setAttribute("aria-keyshortcuts", row.keys.map((key) => key.replace("Ctrl", "Control")).join(" "));
  button.addEventListener("click", () => act(row, ""));
}

/**
 * Do an action, and tell the page first: what stands over the picture gives way to it.
 * @param {Row} row
 * @param {string} key
 */
function act(row, key) {
  document.dispatchEvent(new CustomEvent("studio-action", { detail: row.id }));
  handlers.get(row.id)?.(key);
}

/** Listen to the keyboard. */
export function startKeys() {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (document.querySelector("dialog[open]") || isTyping(target, event.key)) return;
    const key = nameOf(event);
    const row = TABLE.find((each) => each.keys.includes(key));
    if (!row || (row.onPicture && target.id !== "canvas")) return;
    event.preventDefault();
    if (handlers.has(row.id)) act(row, key);
    else waiting.set(row.id, key);
  });
  onAction("keys", showSheet);
}

/**
 * Name a key with what is held, as the table does.
 * @param {KeyboardEvent} event
 */
function nameOf(event) {
  const letter = event.key.length === 1;
  const key = letter ? event.key.toLowerCase() : event.key;
  const isShifted = event.shiftKey && (!letter || key !== key.toUpperCase());
  return [event.ctrlKey || event.metaKey ? "Ctrl+" : "", event.altKey ? "Alt+" : "", isShifted ? "Shift+" : "", key].join("");
}

/**
 * Say whether a key belongs to the field that has the focus.
 * @param {HTMLElement} target
 * @param {string} key
 */
function isTyping(target, key) {
  if (target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement || target.isContentEditable) return true;
  if (!(target instanceof HTMLInputElement)) return false;
  const isText = !["range", "color", "checkbox", "radio", "button"].includes(target.type);
  return isText || /^(Arrow|Home|End|Page)/.test(key);
}

/** @param {string} key */
function readable(key) {
  const names = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Backspace: "⌫" };
  return key
    .split(/(?<=.)\+/)
    .map((part) => names[/** @type {keyof typeof names} */ (part)] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(" ");
}

function showSheet() {
  const sheet = /** @type {HTMLDialogElement} */ (byId("sheet"));
  /** @type {Map<string, {title: string, keys: string[]}[]>} */
  const groups = Map.groupBy(TABLE.filter((row) => handlers.has(row.id)), (row) => row.group);
  const sections = [...groups, ...others].map(([group, rows]) =>
    make(
      "section",
      {},
      make("h3", {}, group),
      make("dl", {}, ...rows.map((row) => make("div", {}, make("dt", {}, row.title), make("dd", {}, ...chips(row.keys))))),
    ),
  );
  byId("sheet-keys").replaceChildren(make("div", { className: "columns" }, ...sections)); // which is scrolled downward alone
  sheet.showModal();
}

/** @param {string[]} keys */
function chips(keys) {
  const shown = keys.length > 3 ? [keys[0], "…", keys[keys.length - 1]] : keys;
  return shown.map((key) => make("kbd", {}, readable(key)));
}
