/** Requests for a use. */

import { call } from "../api.js";
import { inWordsOfThePage } from "../words.js";

/** @typedef {import("./schema.js").Use} Use */
/** @typedef {import("./schema.js").Wish} Wish */

/**
 * Ask for what somebody wants of a photo.
 * @param {Use} use
 * @param {Wish} wish
 * @param {Blob} photo
 * @param {string} name of the photo
 * @param {AbortSignal} [signal]
 */
export function ask(use, wish, photo, name, signal) {
  const body = new FormData();
  body.append("file", photo, name);
  for (const [field, files] of Object.entries(wish.files)) for (const file of files) body.append(field, file, file.name);
  return call(`/v1/composite/${use.name}`, { method: "POST", query: queryOf(wish), body, signal });
}

/**
 * The values of a wish as texts of an address.
 * @param {Wish} wish
 * @returns {Record<string, string>}
 */
export function queryOf(wish) {
  return Object.fromEntries(Object.entries(wish.values).map(([name, value]) => [name, String(value)]));
}

/**
 * What the server noted about an answer; "" if nothing.
 * @param {Response} answer
 */
export function noteOf(answer) {
  return inWordsOfThePage(decodeURIComponent(answer.headers.get("X-Note") ?? ""));
}

/**
 * What the server found, as it says in a header.
 * @param {Response} answer
 * @returns {Record<string, unknown>}
 */
export function factsOf(answer) {
  return JSON.parse(decodeURIComponent(answer.headers.get("X-Facts") ?? "{}"));
}

/**
 * How an answer is called as a file.
 * @param {Response} answer
 * @param {string} otherwise
 */
export function nameOf(answer, otherwise) {
  const said = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
  return said ? decodeURIComponent(said[1]) : otherwise;
}
