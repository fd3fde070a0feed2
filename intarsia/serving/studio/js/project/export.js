/** The panel "Export": the whole project, or the open picture, as files; and the request to say the same elsewhere. */

import { call, callJson } from "../api.js";
import { make } from "../dom.js";
import { addPanel, state } from "../main.js";
import { encode } from "../pngclient.js";
import { curlOf, pythonOf } from "./commands.js";
import { reasonOf } from "./items.js";

/** @typedef {{name: string, about: string}} Form */

const NEEDS_MODEL = ["confidence", "npz"]; // of predictions; corrected labels have no probabilities

export function startExport() {
  addPanel({ id: "export", title: "Export", build: (body) => void build(body) });
}

/** @param {HTMLElement} body */
async function build(body) {
  const project = part("Whole project", "Form of the project", downloadProject);
  const picture = part("This picture", "Form of the picture", downloadPicture);
  body.append(project.element, picture.element, makeCopies(project.choice, picture.choice));
  try {
    const [options, answers] = await Promise.all([callJson("/v1/project/options"), callJson("/v1/answers")]);
    project.offer(options.exports);
    picture.offer(answers.filter((/** @type {Form} */ { name }) => !NEEDS_MODEL.includes(name)));
  } catch (error) {
    state.say(reasonOf(error), "error");
  }
}

/** @param {Form} form */
function optionOf({ name, about }) {
  return make("option", { value: name, title: about }, `${name}: ${about.length > 60 ? `${about.slice(0, 58)} …` : about}`);
}

/**
 * A form to choose and to download; what it is stands below, for a list that is closed has no room for it.
 * @param {string} title
 * @param {string} label
 * @param {(form: string) => Promise<void>} run
 */
function part(title, label, run) {
  const choice = make("select", { "aria-label": label });
  const button = make("button", { type: "button", "aria-label": `Download: ${title.toLowerCase()}` }, "Download");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await run(choice.value);
    } catch (error) {
      state.say(reasonOf(error), "error");
    } finally {
      button.disabled = false;
    }
  });
  const about = make("p", { className: "note" });
  const describe = () => (about.textContent = choice.selectedOptions[0]?.title ?? "");
  choice.addEventListener("change", describe);
  /** @param {Form[]} forms */
  const offer = (forms) => {
    choice.append(...forms.map(optionOf));
    describe();
  };
  const line = make("div", { className: "line" }, choice, button);
  return { element: make("section", { className: "export" }, make("h3", {}, title), line, about), choice, offer };
}

/** @param {string} format */
async function downloadProject(format) {
  const answer = await call("/v1/project/export", { query: { format } });
  save(await answer.blob(), nameIn(answer) ?? `labels-${format}.zip`);
  tellLosses(answer);
}

/** @param {string} format */
async function downloadPicture(format) {
  const { item, labels, photoFile } = state;
  if (!item || !labels || !photoFile) throw new Error("Open a picture first.");
  const stem = (item.name.split("/").at(-1) ?? item.name).replace(/\.[^.]+$/, "");
  const form = new FormData();
  form.append("file", photoFile, nameOf(item.name)); // annotations tell whose they are
  form.append("labels", new Blob([await encode(labels, state.colors())], { type: "image/png" }), `${stem}.png`);
  form.append("classes", JSON.stringify(byNumber()));
  const keep = format === "alpha" ? state.nameOf(state.current) : undefined;
  const answer = await call("/v1/render", { method: "POST", body: form, query: { format, keep } });
  const ending = endingOf(answer);
  save(await answer.blob(), nameIn(answer) ?? `${stem}${ending === `.${format}` ? "" : `.${format}`}${ending}`);
  tellLosses(answer);
}

/**
 * Name what is shown of an item: pictures as they are called, all else, which the server drew, as PNG.
 * @param {string} name
 */
function nameOf(name) {
  const last = name.split("/").at(-1) ?? name;
  return /\.(jpe?g|png|webp|bmp|gif)$/i.test(last) ? last : `${last.replace(/\.[^.]+$/, "")}.png`;
}

/** The classes in the order of their numbers, as encoders take them. */
function byNumber() {
  return [...state.classes].sort((one, other) => one.index - other.index).map(({ name, color }) => ({ name, color }));
}

/** @param {Response} answer */
function nameIn(answer) {
  const said = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
  return said ? decodeURIComponent(said[1]) : null;
}

/** @param {Response} answer */
function endingOf(answer) {
  const type = (answer.headers.get("Content-Type") ?? "").split(";")[0];
  const known = { "image/png": ".png", "image/jpeg": ".jpg", "application/json": ".json", "application/zip": ".zip", "application/xml": ".xml", "application/geo+json": ".geojson", "application/x-ndjson": ".ndjson", "text/plain": ".txt" };
  return known[/** @type {keyof typeof known} */ (type)] ?? "";
}

/** @param {Response} answer */
function tellLosses(answer) {
  const losses = answer.headers.get("X-Losses");
  state.say(losses ? `Downloaded; this form cannot hold: ${decodeURIComponent(losses)}` : "Downloaded.");
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/**
 * @param {HTMLSelectElement} project
 * @param {HTMLSelectElement} picture
 */
function makeCopies(project, picture) {
  const text = make("textarea", { readOnly: true, rows: 4, hidden: true, "aria-label": "Command" });
  const copy = (/** @type {string} */ title, /** @type {() => string} */ make_) => {
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", async () => {
      text.value = make_();
      text.hidden = false;
      try {
        await navigator.clipboard.writeText(text.value);
        state.say("Copied.");
      } catch {
        text.select(); // not allowed: it can be copied by hand
        state.say("Copy it from the field.");
      }
    });
    return button;
  };
  const asked = () => ({
    origin: location.origin, project: project.value, picture: picture.value, model: state.models.some(({ name }) => name === state.model) ? state.model : "",
    name: state.item?.name.split("/").at(-1) ?? "photo.jpg", needsKey: sessionStorage.getItem("intarsia-key") !== null,
  });
  const buttons = make("div", { className: "line" }, copy("Copy as curl", () => curlOf(asked())), copy("Copy as Python", () => pythonOf(asked())));
  return make("section", { className: "export" }, make("h3", {}, "The same elsewhere"), buttons, text);
}
