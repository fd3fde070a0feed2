/**
 * The panel "Edit classes": add, rename, recolour and reorder. Numbers in the masks stay; only what people see changes.
 * While nothing is labelled classes can be removed as well, one by one, or all for two of one's own.
 */

import { changeClasses } from "../classlist.js";
import { make } from "../dom.js";
import { addPanel, state } from "../main.js";
import { leave } from "../saving.js";
import { reasonOf } from "./items.js";

/** @typedef {import("./list.js").PictureList} PictureList */
/** @typedef {import("../classlist.js").Row} Row */

/** What a project of one's own begins with, to be renamed. */
const OWN = [{ name: "background" }, { name: "object" }];

/** @type {PictureList} */
let list;

/** @param {PictureList} pictures */
export function startClasses(pictures) {
  list = pictures;
  addPanel({ id: "classes", title: "Edit classes", build });
}

/** @param {HTMLElement} body */
function build(body) {
  const rows = make("ol", { className: "class-rows" });
  const name = make("input", { type: "text", placeholder: "New class", "aria-label": "Name of a new class", maxLength: 200 });
  const add = make("button", { type: "submit" }, "Add");
  const form = make("form", { className: "add-class" }, name, add);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = name.value.trim();
    if (text && (await save((rows) => [...rows, { name: text }]))) {
      name.value = "";
      const made = state.classes.find((each) => each.name === text);
      if (made) state.setCurrent(made.index);
    }
  });
  body.append(rows, form, makeOffer(), makeFresh());
  const show = () => rows.replaceChildren(...state.classes.map((_, place) => makeRow(place, rows)));
  state.on("classes", show);
  show();
}

/** A button that adds what the model in hand knows and the project does not; hidden where there is nothing to add. */
function makeOffer() {
  const button = make("button", { type: "button" });
  button.addEventListener("click", async () => {
    const { lacking } = lackingClasses();
    if (await save((rows) => [...rows, ...lacking])) state.say(`${lacking.length} classes added; press Predict to see them.`);
  });
  const show = () => {
    const { title, lacking } = lackingClasses();
    button.hidden = !lacking.length;
    button.textContent = `Add the classes of ${title} (${lacking.length})`;
    button.title = lacking.map(({ name }) => name).join(", ");
  };
  for (const name of /** @type {const} */ (["classes", "models", "model"])) state.on(name, show);
  show();
  return button;
}

/** A button that begins with classes of one's own, for pictures of other things than the models know. */
function makeFresh() {
  const button = make("button", { type: "button", title: "Puts the two classes background and object in place of these, to be renamed; while nothing is labelled" }, "Begin with classes of my own");
  button.addEventListener("click", () => void remove(() => OWN));
  const show = () => (button.hidden = state.classes.length <= OWN.length);
  state.on("classes", show);
  show();
  return button;
}

/** The classes that the project lacks of the model that is chosen, or else spoke last. */
function lackingClasses() {
  const wanted = state.model || state.lastModel;
  const model = state.predictors().find(({ name }) => name === wanted);
  const known = new Set(state.classes.map(({ name }) => name));
  const lacking = (model?.classes ?? []).filter(({ name }) => !known.has(name)).map(({ name, color }) => ({ name, color }));
  return { title: model?.title ?? "", lacking };
}

/**
 * @param {number} place
 * @param {HTMLElement} rows
 */
function makeRow(place, rows) {
  const { name, color } = state.classes[place];
  const swatch = make("input", { type: "color", className: "swatch", value: color, "aria-label": `Colour of class ${name}` });
  swatch.addEventListener("change", () => void change(name, { color: swatch.value }));
  const field = make("input", { type: "text", value: name, maxLength: 200, "aria-label": `Name of class ${name}` });
  field.addEventListener("change", async () => {
    const text = field.value.trim();
    if (!text || !(await change(name, { name: text }))) field.value = name;
  });
  const gone = make("button", { type: "button", className: "tiny", "aria-label": `Remove class ${name}` }, "×");
  gone.disabled = state.classes.length === 1;
  gone.addEventListener("click", () => void remove((rows) => rows.filter((each) => each.name !== name)));
  const row = make("li", { draggable: true }, swatch, field, mover(place, -1, rows), mover(place, 1, rows), gone);
  field.addEventListener("focus", () => (row.draggable = false)); // text is marked by dragging, too
  field.addEventListener("blur", () => (row.draggable = true));
  row.addEventListener("dragstart", (event) => event.dataTransfer?.setData("text/x-class", name));
  row.addEventListener("dragover", (event) => event.dataTransfer?.types.includes("text/x-class") && event.preventDefault());
  row.addEventListener("drop", (event) => {
    const from = event.dataTransfer?.getData("text/x-class");
    if (!from) return;
    event.preventDefault();
    event.stopPropagation();
    void move(from, (rows) => placeOf(rows, name));
  });
  return row;
}

/**
 * @param {number} place
 * @param {1 | -1} step
 * @param {HTMLElement} rows
 */
function mover(place, step, rows) {
  const { name } = state.classes[place];
  const label = `Move class ${name} ${step > 0 ? "down" : "up"}`;
  const button = make("button", { type: "button", className: "tiny", "aria-label": label }, step > 0 ? "↓" : "↑");
  button.disabled = !state.classes[place + step];
  button.addEventListener("click", async () => {
    if (!(await move(name, (rows) => placeOf(rows, name) + step))) return;
    const again = [...rows.querySelectorAll("button")].find((each) => each.getAttribute("aria-label") === label);
    if (again && !again.disabled) again.focus();
    else /** @type {HTMLElement | null} */ (rows.children[place + step]?.querySelector("button:enabled"))?.focus();
  });
  return button;
}

/**
 * Find a class by its name, which somebody else may have changed meanwhile.
 * @param {Row[]} rows
 * @param {string} name
 */
function placeOf(rows, name) {
  const place = rows.findIndex((row) => row.name === name);
  if (place < 0) throw new Error(`There is no class ${name} any more: it was renamed or removed in another window.`);
  return place;
}

/**
 * @param {string} name
 * @param {(rows: Row[]) => number} to
 */
function move(name, to) {
  return save((rows) => {
    const place = to(rows);
    const [row] = rows.splice(placeOf(rows, name), 1);
    rows.splice(place, 0, row);
    return rows;
  });
}

/**
 * @param {string} name
 * @param {Partial<Row>} changed
 */
function change(name, changed) {
  return save((rows) => {
    rows[placeOf(rows, name)] = { ...rows[placeOf(rows, name)], ...changed };
    return rows;
  });
}

/**
 * Leave classes out. The numbers of the others change, so what is open is read anew; what is saved forbids it.
 * @param {(rows: Row[]) => Row[]} rest
 */
async function remove(rest) {
  await leave();
  if (await save(rest)) await list.reload(); // what was predicted is forgotten
}

/**
 * @param {(rows: Row[]) => Row[]} change
 * @returns {Promise<boolean>} whether the server took it
 */
async function save(change) {
  try {
    await changeClasses(change);
    return true;
  } catch (error) {
    state.say(reasonOf(error), "error");
    return false;
  }
}
