/** The form of a use, made from what the server says of it. */

import { make } from "../dom.js";
import { BLUR, controlOf } from "./controls.js";
import { projectPhotos } from "./photos.js";
import { parametersOf } from "./schema.js";

/** @typedef {import("./schema.js").Use} Use */
/** @typedef {import("./schema.js").Wish} Wish */
/** @typedef {import("./schema.js").FileField} FileField */

/** Stands, in commands, for a file with the pictures of the project. */
const ALL = "photos.zip";

/**
 * Make a form.
 * @param {Use} use
 * @param {string[]} [without] parameters that make no sense where the form stands
 * @returns {{element: HTMLElement, read: (sending: boolean) => Promise<Wish>}} `read` gives what is wanted now; unless it
 *   is `sending`, a name stands for the pictures of the project
 */
export function makeForm(use, without = []) {
  const fields = parametersOf(use).filter(({ name }) => !without.includes(name));
  const grounds = new Set(fields.filter(({ about }) => about.format === "ground").map(({ name }) => name));
  const controls = fields.map(({ name, about, optional }) => {
    return { name, about, control: controlOf(name, about, optional, use.files.some((file) => file.name === name)) };
  });
  const files = use.files.filter(({ name }) => !grounds.has(name)).map(fileControl);
  const element = make("div", { className: "use-form" }, ...controls.map(({ control }) => control.element), ...files.map((one) => one.element));
  const ground = /** @type {HTMLSelectElement | null} */ (element.querySelector("[data-ground]"));
  const blur = controls.find(({ about }) => about.format === BLUR)?.control.element;
  ground?.addEventListener("change", () => blur && (blur.hidden = ground.value !== BLUR));
  return { element, read };

  /**
   * @param {boolean} sending
   * @returns {Promise<Wish>}
   */
  async function read(sending) {
    /** @type {Wish} */
    const wish = { values: {}, files: {} };
    for (const { name, control } of controls) {
      const value = control.element.hidden ? undefined : control.value();
      if (value !== undefined) wish.values[name] = value;
      const sent = control.files?.() ?? [];
      if (sent.length) wish.files[name] = sent;
    }
    for (const { name, chosen } of files) {
      const sent = await chosen(sending);
      if (sent.length) wish.files[name] = sent;
    }
    return wish;
  }
}

/**
 * The control of a file that is no ground; of several photos, those of the project can be taken.
 * @param {FileField} field
 */
function fileControl(field) {
  const input = make("input", { type: "file", multiple: field.many, accept: field.many ? "image/*,.zip" : field.pictures ? "image/*" : "" });
  const own = make("input", { type: "checkbox", checked: field.many });
  own.addEventListener("change", () => (input.disabled = own.checked));
  input.disabled = own.checked;
  const element = make("div", { className: "use-file" }, make("label", {}, make("span", {}, field.about), input));
  if (field.many) element.append(make("label", { className: "choice" }, own, make("span", {}, "The pictures of the project")));
  const chosen = async (/** @type {boolean} */ sending) => {
    if (!field.many || !own.checked) return [...(input.files ?? [])];
    return sending ? projectPhotos() : [new File([], ALL)];
  };
  return { name: field.name, element, chosen };
}
