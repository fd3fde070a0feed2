/** Controls for parameters: each gives its value, or nothing where the server's own default shall hold. */

import { make } from "../dom.js";

/** @typedef {import("./schema.js").Parameter} Parameter */
/** @typedef {import("./schema.js").Value} Value */
/** @typedef {{element: HTMLElement, value: () => Value | undefined, files?: () => File[]}} Control */

export const BLUR = "blur";
const PLAIN_COLOR = "#7a4a2b";

/**
 * Make the control of a parameter.
 * @param {string} name
 * @param {Parameter} about
 * @param {boolean} optional
 * @param {boolean} withPicture whether a picture may be sent instead
 * @returns {Control}
 */
export function controlOf(name, about, optional, withPicture) {
  const title = about.title ?? name;
  if (about.format === "color") return colorControl(title, about);
  if (about.format === "ground") return groundControl(title, about, withPicture);
  if (about.enum) return choiceControl(title, about, about.enum, optional);
  if (about.type === "boolean") return switchControl(title, about);
  if (about.type === "number" && (about.maximum ?? Infinity) <= 2) return rangeControl(title, about);
  return textControl(title, about);
}

/**
 * Put a title and its controls into a row.
 * @param {string} title
 * @param {Parameter} about
 * @param {...(Node | null)} controls
 */
function row(title, about, ...controls) {
  return make("label", { className: "use-field", title: about.description ?? "" }, make("span", {}, title), ...controls);
}

/**
 * @param {string} title
 * @param {Parameter} about
 * @param {string[]} values
 * @param {boolean} optional
 * @returns {Control}
 */
function choiceControl(title, about, values, optional) {
  const select = make("select");
  if (optional && about.default == null) select.append(make("option", { value: "" }, "as it is"));
  select.append(...values.map((value) => make("option", { value }, value)));
  select.value = String(about.default ?? select.options[0].value);
  return { element: row(title, about, select), value: () => (select.value === about.default ? undefined : select.value || undefined) };
}

/**
 * @param {string} title
 * @param {Parameter} about
 * @returns {Control}
 */
function switchControl(title, about) {
  const box = make("input", { type: "checkbox", checked: about.default === true });
  return { element: row(title, about, box), value: () => (box.checked === about.default ? undefined : box.checked) };
}

/**
 * @param {string} title
 * @param {Parameter} about
 * @returns {Control}
 */
function rangeControl(title, about) {
  const least = about.minimum ?? (about.exclusiveMinimum ?? 0) + 0.05;
  const input = make("input", { type: "range", min: String(least), max: String(about.maximum), step: "0.01" });
  input.value = String(about.default ?? about.usual ?? least);
  const shown = make("output", {}, input.value);
  let touched = false;
  input.addEventListener("input", () => {
    touched = true;
    shown.textContent = input.value;
  });
  return { element: row(title, about, input, shown), value: () => (touched ? Number(input.value) : undefined) };
}

/**
 * @param {string} title
 * @param {Parameter} about
 * @returns {Control}
 */
function textControl(title, about) {
  const isNumber = about.type === "number" || about.type === "integer";
  const input = make("input", { type: isNumber ? "number" : "text", value: about.default == null ? "" : String(about.default) });
  if (about.minimum !== undefined) input.min = String(about.minimum);
  if (about.maximum !== undefined) input.max = String(about.maximum);
  if (about.type === "number") input.step = "any";
  const value = () => (input.value === "" || input.value === String(about.default) ? undefined : isNumber ? Number(input.value) : input.value);
  return { element: row(title, about, input), value };
}

/**
 * A colour that may be left out.
 * @param {string} title
 * @param {Parameter} about
 * @returns {Control}
 */
function colorControl(title, about) {
  const box = make("input", { type: "checkbox", checked: about.start !== undefined });
  const color = make("input", { type: "color", value: about.start ?? PLAIN_COLOR, "aria-label": `${title}: colour` });
  color.addEventListener("input", () => (box.checked = true));
  const element = make("div", { className: "use-field", title: about.description ?? "" }, make("label", {}, box, title), color);
  return { element, value: () => (box.checked ? color.value : undefined) };
}

/**
 * What is behind people: a blur, nothing, a colour, or a picture.
 * @param {string} title
 * @param {Parameter} about
 * @param {boolean} withPicture
 * @returns {Control}
 */
function groundControl(title, about, withPicture) {
  const kinds = [BLUR, "transparent", "colour", ...(withPicture ? ["picture"] : [])];
  const select = make("select", { "data-ground": "" }, ...kinds.map((kind) => make("option", { value: kind }, kind)));
  const color = make("input", { type: "color", value: "#20304a", hidden: true, "aria-label": `${title}: colour` });
  const file = make("input", { type: "file", accept: "image/*", hidden: true, "aria-label": `${title}: picture` });
  select.addEventListener("change", () => {
    color.hidden = select.value !== "colour";
    file.hidden = select.value !== "picture";
  });
  const element = make("div", { className: "use-field", title: about.description ?? "" }, make("label", {}, `${title} `, select), color, file);
  return {
    element,
    value: () => (select.value === "colour" ? color.value : select.value === "transparent" ? select.value : undefined),
    files: () => (select.value === "picture" ? [...(file.files ?? [])] : []),
  };
}
