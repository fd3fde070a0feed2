/** What a live camera can be shown as: each mode has its form, and asks the server for one frame. */

import { ApiError, call } from "../api.js";
import { make } from "../dom.js";
import { state } from "../state.js";
import { makeForm } from "./form.js";
import { ask, queryOf } from "./requests.js";

/** @typedef {import("./schema.js").Use} Use */
/** @typedef {{title: string, consent: string, element: HTMLElement, send: (frame: Blob, signal: AbortSignal) => Promise<Response>}} Mode */

const CONFLICT = 409; // of a stream whose picture the server does not remember

/** A body that is the frame itself. @type {Record<string, string>} */
const JPEG = { "Content-Type": "image/jpeg" };

/**
 * The classes' colours over each frame.
 * @returns {Mode}
 */
export function overlayMode() {
  const model = make("select", { "aria-label": "Model" }, ...state.models.map(({ name, title }) => make("option", { value: name }, title || name)));
  model.value = state.models.some(({ name }) => name === "person") ? "person" : state.model;
  const element = make("label", { className: "use-field" }, make("span", {}, "Model"), model);
  const send = (/** @type {Blob} */ frame, /** @type {AbortSignal} */ signal) =>
    call("/v1/segment", { method: "POST", query: { model: model.value, format: "overlay" }, headers: JPEG, body: frame, signal, patient: false });
  return { title: "Overlay", consent: "", element, send };
}

/**
 * A use whose frames the server goes through as one stream.
 * @param {Use} use
 * @returns {Mode}
 */
export function streamMode(use) {
  const form = makeForm(use, ["lossless"]); // lossless frames are slow
  const session = crypto.randomUUID();
  /** The picture that the server remembers for this stream. @type {File | null} */
  let known = null;

  /** @type {Mode["send"]} */
  async function send(frame, signal) {
    const wish = await form.read(true);
    wish.values.session = session;
    const [[field, [picture]] = ["", []]] = Object.entries(wish.files);
    if (picture && picture !== known) {
      const answer = await ask(use, wish, frame, "frame.jpg", signal);
      known = picture;
      return answer;
    }
    const query = picture ? { ...queryOf(wish), [field]: "picture" } : queryOf(wish);
    try {
      return await call(`/v1/composite/${use.name}`, { method: "POST", query, headers: JPEG, body: frame, signal, patient: false });
    } catch (error) {
      if (!(error instanceof ApiError && error.status === CONFLICT)) throw error;
      known = null;
      return send(frame, signal);
    }
  }
  return { title: use.title, consent: use.consent, element: form.element, send };
}
