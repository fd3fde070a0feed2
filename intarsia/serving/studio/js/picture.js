/** Opening a picture of the project: its pixels, its labels, or else what the model says. */

import { ApiError, call, callJson } from "./api.js";
import { editor } from "./editor.js";
import { LabelMap } from "./labelmap.js";
import { decode } from "./pngclient.js";
import { leave, revisionOf, watch } from "./saving.js";
import { state } from "./state.js";

/** @typedef {import("./state.js").Item} Item */

/** Counts openings, so that a slow answer for a picture that was left is not shown. */
let opening = 0;

/** @param {Item} item */
const pathOf = (item) => `/v1/project/items/${encodeURIComponent(item.id)}`;

/**
 * Open an item of the project.
 * @param {Item} item
 * @param {{frame?: number, window?: string}} [options] frame of a video or slice of a volume; window "low,high" of a CT
 */
export async function openItem(item, options = {}) {
  const mine = ++opening;
  if (item.medium === "cloud") return void dispatchEvent(new CustomEvent("open-cloud", { detail: item }));
  state.emit("busy", `Opening ${item.name}`);
  try {
    await leave();
    const path = pathOf(item);
    const labels = storedLabels(path, options.frame);
    labels.catch(() => {}); // reported below, after the picture
    const file = await (await call(`${path}/image`, { query: options })).blob();
    const photo = await readPhoto(file);
    if (mine !== opening) return;
    Object.assign(state, { item, frame: options.frame ?? 0, photo, photoFile: file });
    Object.assign(state, { labels: null, prediction: null, uncertainty: null });
    editor.open(null);
    state.emit("item");
    await openLabels(mine, path, await labels);
  } catch (error) {
    if (mine === opening) state.say(`${item.name}: ${error instanceof Error ? error.message : error}`, "error");
  } finally {
    if (mine === opening) state.emit("busy", "");
  }
}

/**
 * @param {number} mine
 * @param {string} path
 * @param {{map: LabelMap, revision: number} | null} stored
 */
async function openLabels(mine, path, stored) {
  const query = state.item?.frames ? { frame: state.frame } : {};
  let map = stored?.map;
  if (!map) {
    if (!state.models.length && !state.classes.length) return;
    state.emit("busy", "Predicting");
    map = await predictedLabels(path, query, state.model);
  }
  if (mine !== opening) return;
  await takeInHand(path, map, stored ? stored.revision : null);
  // A draft is kept beside its doubt, so this costs no second prediction; without one nobody is told.
  if (!stored || state.item?.uncertainty != null) fetchUncertainty().catch(() => {});
}

/**
 * Take labels of the open picture in hand, with nothing to undo.
 * @param {string} path
 * @param {LabelMap} map
 * @param {number | null} revision at the server; null of a prediction
 */
async function takeInHand(path, map, revision) {
  const { item, frame, project } = state;
  if (revision === null) map.touchAll(); // the server keeps no prediction: what is corrected must be saved whole
  state.labels = map;
  state.prediction = revision === null ? map.copy() : null;
  editor.open(map);
  state.emit("labels", null);
  const query = item?.frames ? { frame } : {};
  await watch({ path: `${path}/labels`, picture: `${project}:${path}:${frame}`, query }, map, revision ?? 0);
}

/**
 * Predict the open picture again. What somebody corrected becomes the new prediction in one step of undo, and what is
 * locked stays; a prediction that nobody touched gives way to the new one, and is no correction.
 * @returns {Promise<void>}
 */
export async function predictAgain() {
  const { item, labels } = state;
  if (!item) return;
  if (!labels) return openItem(item, item.frames ? { frame: state.frame } : {});
  state.emit("busy", "Predicting");
  try {
    const map = await predictOpen(state.model);
    if (state.labels !== labels || !map) return;
    if (map.data.every((label) => label === state.ignoreIndex)) return; // a model of other things: it was told which
    if (!item.revision && !editor.history?.past.length) return await takeInHand(pathOf(item), map, null);
    state.prediction = map;
    const box = { left: 0, top: 0, right: labels.width, bottom: labels.height };
    editor.apply((own, keep) => own.paste(box, map.data, keep));
  } catch (error) {
    state.say(error instanceof Error ? error.message : String(error), "error");
  } finally {
    state.emit("busy", "");
  }
}

/**
 * Return what a model says about the open picture, and change nothing.
 * @param {string} model
 * @returns {Promise<LabelMap | null>} null when no picture is open
 */
export async function predictOpen(model) {
  if (!state.item) return null;
  return predictedLabels(pathOf(state.item), state.item.frames ? { frame: state.frame } : {}, model);
}

/** Fetch where the model is unsure about the open picture, once. */
export async function fetchUncertainty() {
  const { item, frame } = state;
  if (!item || state.uncertainty) return state.uncertainty;
  const query = item.frames ? { frame } : {};
  const answer = await call(`${pathOf(item)}/uncertainty`, { query });
  const mask = await decode(await answer.arrayBuffer());
  if (state.item === item && state.frame === frame) state.uncertainty = mask;
  return mask;
}

/**
 * @param {string} path
 * @param {number} [frame]
 * @returns {Promise<{map: LabelMap, revision: number} | null>}
 */
async function storedLabels(path, frame) {
  try {
    const answer = await call(`${path}/labels`, { query: { frame } });
    return { map: await readMap(answer), revision: revisionOf(answer, 0) };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/**
 * @param {string} path
 * @param {{frame?: number}} query
 * @param {string} model
 */
async function predictedLabels(path, query, model) {
  const answer = await call(`${path}/predict`, { method: "POST", query: { ...query, model } });
  const left = answer.headers.get("X-Left-Out");
  const note = answer.headers.get("X-Note");
  if (left) state.say(`Left out, because this project has no such classes: ${decoded(left)}. Add them under Edit classes.`);
  else if (note) state.say(decoded(note));
  const [map] = await Promise.all([readMap(answer), refreshClasses()]);
  return map;
}

/**
 * Read what a header says; one whose author left a lone "%" in is shown as it is.
 * @param {string} text
 */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Take over the classes of the project: a prediction may have brought new ones. */
async function refreshClasses() {
  const { classes, ignore_index: ignoreIndex } = await callJson("/v1/project", { query: { limit: 0 } });
  const same = JSON.stringify(classes) === JSON.stringify(state.classes) && ignoreIndex === state.ignoreIndex;
  if (classes.length && !same) state.setClasses(classes, ignoreIndex);
}

/** @param {Response} answer */
async function readMap(answer) {
  const { width, height, data } = await decode(await answer.arrayBuffer());
  return new LabelMap(width, height, data);
}

/**
 * The server sends pixels as they are meant: nothing may be turned, converted or multiplied on the way.
 * @param {Blob} file
 */
function readPhoto(file) {
  return createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

/**
 * Open the project: its models, its classes and its first picture; an empty one begins with a sample.
 * @returns {Promise<Item[]>}
 */
export async function openProject() {
  const [models, project] = await Promise.all([callJson("/v1/models"), callJson("/v1/project")]);
  state.models = models.models.filter((/** @type {import("./state.js").Model} */ { medium }) => medium !== "cloud");
  state.emit("models");
  state.project = project.folder ?? project.name;
  const fallback = state.models.find(({ name }) => name === models.default) ?? state.models[0];
  const known = project.classes.length ? project : fallback;
  if (known) state.setClasses(known.classes, known.ignore_index);
  const items = project.items.length ? project.items : await addSample();
  const first = items.find((/** @type {Item} */ { medium }) => medium !== "cloud");
  if (first) await openItem(first, first.frames ? { frame: 0 } : {});
  return items;
}

/** @returns {Promise<Item[]>} the first sample as an item of the project; none where there are no samples */
async function addSample() {
  const [sample] = await callJson("/v1/samples");
  if (!sample) return [];
  const file = await (await call(`/v1/samples/${encodeURIComponent(sample.name)}`)).blob();
  const form = new FormData();
  form.append("file", file, sample.name);
  return (await (await call("/v1/project/items", { method: "POST", body: form })).json()).items;
}
