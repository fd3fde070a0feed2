/** Opening a picture of the project: its pixels, its labels, or else what the model says. */

import { call, callJson } from "./api.js";
import { editor } from "./editor.js";
import { LabelMap } from "./labelmap.js";
import { notice } from "./notice.js";
import { decode, prepare } from "./pngclient.js";
import { leave, revisionOf, watch } from "./saving.js";
import { openedLast, rememberOpened } from "./lastopened.js";
import { state } from "./state.js";

/** @typedef {import("./state.js").Item} Item */

/** What no model knows of items without one, by their medium. @type {Record<string, string>} */
const THINGS = { picture: "these classes", video: "these classes", volume: "scans", raster: "maps" };

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
    const labels = storedLabels(item, options.frame);
    labels.catch(() => {}); // reported below, after the picture
    const file = await (await call(`${path}/image`, { query: options })).blob();
    prepare();
    const photo = await readPhoto(file);
    if (mine !== opening) return;
    Object.assign(state, { item, frame: options.frame ?? 0, photo, photoFile: file });
    Object.assign(state, { labels: null, prediction: null, uncertainty: null });
    editor.open(null);
    state.emit("item");
    rememberOpened(item.id, options.frame);
    await openLabels(mine, path, await labels);
  } catch (error) {
    if (mine === opening) state.say(`${item.name}: ${error instanceof Error ? error.message : error}`, "error");
  } finally {
    if (mine === opening) state.emit("busy", "");
  }
}

/** Open once more what is open. */
export async function openAgain() {
  const { item, frame } = state;
  if (item) await openItem(item, item.frames ? { frame } : {});
}

/**
 * @param {number} mine
 * @param {string} path
 * @param {{map: LabelMap, revision: number} | null} stored
 */
async function openLabels(mine, path, stored) {
  const { item } = state;
  const query = item?.frames ? { frame: state.frame } : {};
  if (!stored && item && hasNoModel(item)) {
    if (state.photo) await takeInHand(path, emptyMap(state.photo), null);
    return explain(item);
  }
  let map = stored?.map;
  if (!map) {
    if (!state.models.length && !state.classes.length) return;
    state.emit("busy", "Predicting");
    map = await predictedLabels(path, query, state.model);
  }
  if (mine !== opening) return;
  await takeInHand(path, map, stored ? stored.revision : null, stored ? null : map.copy());
  // A draft is kept beside its doubt, so this costs no second prediction; without one nobody is told.
  if (!stored || item?.uncertainty != null) fetchUncertainty().catch(() => {});
}

/**
 * Tell whether nothing can predict an item until somebody chooses a model: the server has none for its medium.
 * @param {Item} item
 */
export function hasNoModel(item) {
  const hasDraft = item.state === "predicted" && !item.frames; // of one frame another one's is no use
  return item.model === null && !state.model && !hasDraft;
}

/** @param {Item} item */
function explain(item) {
  notice(
    `No model here knows ${THINGS[item.medium]}, so this one starts without labels. Paint a few strokes of each ` +
      "class and press Learn, click what belongs to the class in hand, or choose a model above and press Predict.",
  );
}

/**
 * Make labels that say nothing yet.
 * @param {{width: number, height: number}} size
 */
function emptyMap({ width, height }) {
  const data = state.ignoreIndex > 255 ? new Uint16Array(width * height) : new Uint8Array(width * height);
  return new LabelMap(width, height, data.fill(state.ignoreIndex));
}

/**
 * Take labels of the open picture in hand, with nothing to undo.
 * @param {string} path
 * @param {LabelMap} map
 * @param {number | null} revision at the server; null of what it does not keep
 * @param {LabelMap | null} [prediction] what the model said
 */
async function takeInHand(path, map, revision, prediction = null) {
  const { item, frame, project } = state;
  if (revision === null) map.touchAll(); // what the server does not keep must be saved whole once it is corrected
  state.labels = map;
  state.prediction = prediction;
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
  if (!labels) return openAgain();
  if (hasNoModel(item)) return explain(item);
  state.emit("busy", "Predicting");
  try {
    const map = await predictOpen(state.model);
    if (state.labels !== labels || !map) return;
    if (map.data.every((label) => label === state.ignoreIndex)) return; // a model of other things: it was told which
    if (!item.revision && !editor.history?.past.length) return await takeInHand(pathOf(item), map, null, map.copy());
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
 * Fetch the labels that the server has, after a look at how the item is now: somebody else may have saved some.
 * @param {Item} item
 * @param {number} [frame]
 * @returns {Promise<{map: LabelMap, revision: number} | null>} null where there are none
 */
async function storedLabels(item, frame) {
  Object.assign(item, await callJson(pathOf(item)));
  const hasLabels = item.labelled ? item.labelled.includes(frame ?? 0) : item.revision > 0;
  if (!hasLabels) return null;
  const answer = await call(`${pathOf(item)}/labels`, { query: { frame } });
  return { map: await readMap(answer), revision: revisionOf(answer, 0) };
}

/**
 * @param {string} path
 * @param {{frame?: number}} query
 * @param {string} model
 */
async function predictedLabels(path, query, model) {
  const answer = await call(`${path}/predict`, { method: "POST", query: { ...query, model } });
  state.lastModel = decoded(answer.headers.get("X-Model") ?? "");
  const left = answer.headers.get("X-Left-Out");
  const note = answer.headers.get("X-Note");
  if (left) state.say(`Left out, because this project has no such classes: ${decoded(left)}. Edit classes adds them.`);
  else if (note) state.say(decoded(note));
  const [map] = await Promise.all([readMap(answer), refreshClasses()]);
  state.emit("model");
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

/** Take over the classes of the project: a prediction may have brought new ones. What somebody edits meanwhile is newer. */
async function refreshClasses() {
  const before = state.classes;
  const { classes, ignore_index: ignoreIndex } = await callJson("/v1/project", { query: { limit: 0 } });
  if (state.classes !== before) return;
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
 * Open the project: its models, its classes and the picture that was open last, else the first; an empty one begins with a
 * sample.
 * @returns {Promise<Item[]>}
 */
export async function openProject() {
  const [models, project, options] = await Promise.all(["/v1/models", "/v1/project", "/v1/project/options"].map((path) => callJson(path)));
  state.clustering = options.clustering;
  state.models = models.models.filter((/** @type {import("./state.js").Model} */ { medium }) => medium !== "cloud");
  state.emit("models");
  state.project = project.folder ?? project.name;
  const fallback = state.models.find(({ name }) => name === models.default) ?? state.models[0];
  const known = project.classes.length ? project : fallback;
  if (known) state.setClasses(known.classes, known.ignore_index);
  const items = project.items.length ? project.items : await addSample();
  const last = openedLast();
  const again = items.find((/** @type {Item} */ { id }) => id === last?.id);
  const first = again ?? items.find((/** @type {Item} */ { medium }) => medium !== "cloud");
  if (!first) return items;
  const frame = again && last?.frame !== undefined ? last.frame : startOf(first);
  await openItem(first, first.frames ? { frame: Math.min(frame, first.frames - 1) } : {});
  return items;
}

/**
 * The frame that is opened first: one with labels, else the middle of a volume and the beginning of a video.
 * @param {Item} item
 */
export function startOf(item) {
  return item.labelled?.[0] ?? (item.medium === "volume" ? Math.floor((item.frames ?? 1) / 2) : 0);
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
