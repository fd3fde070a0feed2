/** The panel of a use: what may be asked, what came of it, and how to say the same elsewhere. */

import { make } from "../dom.js";
import { reasonOf } from "../project/items.js";
import { state } from "../state.js";
import { show } from "./answers.js";
import { curlOf, pythonOf, shellOf, stemOf } from "./commands.js";
import { makeForm } from "./form.js";
import { ask } from "./requests.js";

/** @typedef {import("./schema.js").Use} Use */
/** @typedef {import("./schema.js").Wish} Wish */

const ENDINGS = /** @type {Record<string, string>} */ ({ "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp" });

/**
 * Fill the panel of a use.
 * @param {HTMLElement} body
 * @param {Use} use
 */
export function buildPanel(body, use) {
  const form = makeForm(use);
  const run = make("button", { type: "button", className: "primary" }, `Apply to this ${use.photo}`);
  const place = make("div", { className: "use-result", "aria-live": "polite" });
  body.append(make("p", { className: "note" }, use.about), form.element, run, place, makeCopies(use, form.read));
  if (use.consent) run.before(make("p", { className: "note" }, use.consent));
  if (use.missing) {
    run.disabled = true;
    run.before(make("p", { role: "note" }, `This server has no model “${use.missing}”, which this needs.`));
  }
  run.addEventListener("click", async () => {
    run.disabled = true;
    const done = state.wait(use.title);
    try {
      const photo = state.photoFile;
      if (!photo) throw new Error("Open a picture first.");
      const answer = await ask(use, await form.read(true), photo, photoName());
      await show(place, answer, photo, `${use.name}.bin`);
    } catch (error) {
      place.replaceChildren(make("p", { role: "alert", className: "use-error" }, reasonOf(error)));
    } finally {
      run.disabled = false;
      done();
    }
  });
}

/** The name of the open picture, with the ending of what is sent. */
function photoName() {
  return `${stemOf(state.item?.name ?? "photo.jpg")}${ENDINGS[state.photoFile?.type ?? ""] ?? ".png"}`;
}

/**
 * Buttons that copy the same request for elsewhere.
 * @param {Use} use
 * @param {(sending: boolean) => Promise<Wish>} read
 */
function makeCopies(use, read) {
  const text = make("textarea", { readOnly: true, rows: 4, hidden: true, "aria-label": `${use.title} elsewhere` });
  const buttons = /** @type {const} */ ([
    ["curl", curlOf],
    ["shell", shellOf],
    ["Python", pythonOf],
  ]).map(([title, write]) => {
    const button = make("button", { type: "button", "aria-label": `Copy as ${title}` }, title);
    button.addEventListener("click", async () => {
      try {
        const name = state.item?.name.split("/").at(-1) ?? "photo.jpg";
        text.value = write(use, await read(false), { origin: location.origin, name, needsKey: sessionStorage.getItem("intarsia-key") !== null });
        text.hidden = false;
        await copy(text);
      } catch (error) {
        state.say(reasonOf(error), "error");
      }
    });
    return button;
  });
  return make("div", { className: "use-copies" }, make("span", { className: "note" }, "Copy as"), ...buttons, text);
}

/** @param {HTMLTextAreaElement} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text.value);
    state.say("Copied.");
  } catch {
    text.select(); // not allowed: it can be copied by hand
    state.say("Copy it from the field.");
  }
}
