/** What a use answered, shown: a picture with the one before it, a text, or what was found. */

import { make } from "../dom.js";
import { showBeside } from "./beside.js";
import { factsOf, nameOf, noteOf } from "./requests.js";

const MOST_TEXT = 2000; // characters of a text that are shown

/** @typedef {{rank: number, score: number, name: string, category: string, colours: string[], picture: string | null}} Match */

/**
 * Show an answer.
 * @param {HTMLElement} place
 * @param {Response} answer
 * @param {Blob} before the photo that was sent
 * @param {string} otherwise name of the answer if the server gives none
 */
export async function show(place, answer, before, otherwise) {
  const blob = await answer.blob();
  const name = nameOf(answer, otherwise);
  const note = noteOf(answer);
  forget(place);
  place.replaceChildren(
    await shown(blob, before, name, answer.headers.get("Content-Type") ?? ""),
    ...(note ? [make("p", { className: "note" }, note)] : []),
    ...lines(factsOf(answer)),
    download(blob, name),
  );
}

/**
 * @param {Blob} blob
 * @param {Blob} before
 * @param {string} name
 * @param {string} type
 */
async function shown(blob, before, name, type) {
  if (type.startsWith("image/")) {
    const image = make("img", { src: URL.createObjectURL(blob), alt: `${name}, made of the picture` });
    const open = make("button", { type: "button", className: "use-answer", title: "Before and after, large" }, image);
    open.addEventListener("click", () => void showBeside(before, blob, name));
    await showBeside(before, blob, name);
    return open;
  }
  const text = await blob.text();
  const found = type.startsWith("application/json") ? JSON.parse(text) : null;
  if (Array.isArray(found?.matches)) return matchesOf(found.matches, found.photos);
  return make("pre", { className: "use-text", tabIndex: 0, role: "region", "aria-label": name }, text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)} …` : text);
}

/**
 * @param {Match[]} matches
 * @param {number} photos that were searched
 */
function matchesOf(matches, photos) {
  const none = photos === 1 ? "The only photo there is this one, or does not pass the filters: add more." : `None of ${photos} photos passes the filters.`;
  if (!matches.length) return make("p", {}, none);
  const list = make("ol", { className: "use-matches" });
  for (const { score, name, category, picture } of matches) {
    const image = picture ? make("img", { src: picture, alt: "" }) : null;
    list.append(make("li", {}, image, make("span", {}, `${name} · ${category} · ${score.toFixed(3)}`)));
  }
  return list;
}

/**
 * Facts as lines of a list.
 * @param {Record<string, unknown>} facts
 */
function lines(facts) {
  const entries = Object.entries(facts);
  if (!entries.length) return [];
  return [make("dl", { className: "use-facts" }, ...entries.flatMap(([name, value]) => [make("dt", {}, name.replaceAll("_", " ")), make("dd", {}, said(value))]))];
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function said(value) {
  if (value === null) return "unknown";
  if (typeof value !== "object") return String(value);
  return Object.entries(value)
    .map(([name, one]) => `${name} ${said(one)}`)
    .join(", ");
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function download(blob, name) {
  return make("a", { href: URL.createObjectURL(blob), download: name, className: "use-download" }, `Download ${name}`);
}

/**
 * Let go of what the page holds for an earlier answer.
 * @param {HTMLElement} place
 */
function forget(place) {
  for (const { src } of place.querySelectorAll("img")) if (src.startsWith("blob:")) URL.revokeObjectURL(src);
  for (const { href } of place.querySelectorAll("a")) URL.revokeObjectURL(href);
}
