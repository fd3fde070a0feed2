/** Opening a picture of the project: its pixels, its labels, or else what the model says. */

import { call, callJson } from "./api.js";
import { takeClasses } from "./classlist.js";
import { editor } from "./editor.js";
import { LabelMap } from "./labelmap.js";
import { notice } from "./notice.js";
import { decode } from "./pngclient.js";
import { rememberOpened } from "./lastopened.js";
import { leave, revisionOf, watch } from "./saving.js";
import { state } from "./state.js";

/** @typedef {import("./state.js").Item} Item */

/** What no model knows of items without one, by their medium. @type {Record<string, string>} */
const THINGS = { picture: "these classes", video: "these classes", volume: "scans", raster: "maps" };

/** Counts openings, so that a slow answer for a picture that was left is not shown. */
let opening = 0;
/** Done when what is being opened is there, or was left. @type {Promise<unknown>} */
let opened = Promise.resolve();
/** Counts predictions that somebody asked for, so that a slow answer does not go over a later one. */
let asking = 0;
/** The model that the opening asked for the prediction that is shown; "": the usual one. */
let askedByOpening = "";
/** Whether classes are being taken over that came with labels which go by them, and which take the place of what is open. */
let isArriving = false;

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
  const done = state.wait(`Opening ${item.name}`);
  opened = load(item, options, mine).finally(done);
  await opened;
}

/**
 * @param {Item} item
 * @param {{frame?: number, window?: string}} options
 * @param {number} mine this opening's number
 */
async function load(item, options, mine) {
  try {
    await leave();
    const path = pathOf(item);
    const labels = storedLabels(item, options.frame);
    // At the beginning nobody leafs through pictures yet, so what the model says is asked for beside the pixels.
    const early = mine === 1 ? labels.then((stored) => (needsModel(item, stored) ? askFirst(path, options.frame) : null)) : null;
    for (const answer of [labels, early]) answer?.catch(() => {}); // reported below, after the picture
    const file = await (await call(`${path}/image`, { query: options })).blob();
    const photo = await readPhoto(file);
    if (mine !== opening) return;
    Object.assign(state, { item, frame: options.frame ?? 0, photo, photoFile: file });
    Object.assign(state, { labels: null, prediction: null, uncertainty: null });
    editor.open(null);
    state.emit("item");
    rememberOpened(item.id, options.frame);
    await openLabels(mine, path, await labels, await early);
  } catch (error) {
    if (mine === opening) state.say(`${item.name}: ${error instanceof Error ? error.message : error}`, "error");
  }
}

/** Open once more what is open. */
export async function openAgain() {
  const { item, frame } = state;
  if (item) await openItem(item, item.frames ? { frame } : {});
}

/**
 * Give the open labels the numbers that classes have now. What somebody corrected keeps the names of its classes; what
 * nobody touched is opened anew, as models say other things of other classes.
 * @param {Map<number, number>} numbers new ones by old ones
 */
export async function renumberOpen(numbers) {
  const { item, labels } = state;
  if (item?.medium === "cloud") return; // its own labels come with the classes that it brought
  if (!labels || !editor.isTouched) return isArriving ? undefined : openAgain();
  const box = { left: 0, top: 0, right: labels.width, bottom: labels.height };
  const data = labels.data.map((label) => numbers.get(label) ?? label);
  editor.apply((own) => own.paste(box, data, new Uint8Array(65536)));
  editor.open(labels); // undo would bring the old numbers back
  state.say("Other classes took the place of some. Your labels keep their names.");
}

/**
 * @param {number} mine
 * @param {string} path
 * @param {{map: LabelMap, revision: number} | null} stored
 * @param {Response | null} early what a model said meanwhile
 */
async function openLabels(mine, path, stored, early) {
  const { item } = state;
  const query = item?.frames ? { frame: state.frame } : {};
  if (!stored && item && hasNoModel(item)) {
    if (state.photo) await takeInHand(path, emptyMap(state.photo), null);
    return explain(item);
  }
  let map = stored?.map;
  if (!map) {
    if (!needsModel(item, null)) return;
    const done = state.wait("Predicting");
    map = await takeAnswer(early ?? askFirst(path, query.frame), true).finally(done);
  }
  if (mine !== opening) return;
  await takeInHand(path, map, stored ? stored.revision : null, stored ? null : map.copy());
  // A draft is kept beside its doubt, so this costs no second prediction; without one nobody is told.
  if (!stored || item?.uncertainty != null) fetchUncertainty().catch(() => {});
}

/**
 * Tell whether the labels of an item are what a model says.
 * @param {Item | null} item
 * @param {object | null} stored labels at the server
 */
function needsModel(item, stored) {
  return !stored && !(item && hasNoModel(item)) && Boolean(state.models.length || state.classes.length);
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
 * Predict the open picture again, once it is there. What somebody corrected becomes the new prediction in one step of undo,
 * and what is locked stays; a prediction that nobody touched gives way to the new one, and is no correction.
 * @returns {Promise<void>}
 */
export async function predictAgain() {
  const mine = ++asking;
  const { model, prediction } = state;
  const done = state.wait("Predicting");
  try {
    await opened;
    const { item, photoFile } = state;
    if (!item || mine !== asking) return;
    if (!state.labels) return await openAgain();
    if (state.prediction && state.prediction !== prediction && askedByOpening === model) return; // by the opening
    if (hasNoModel(item)) return explain(item);
    const map = await predictOpen(state.model, true);
    await opened;
    if (mine !== asking || !map) return; // the later one is what was asked for
    if (state.photoFile !== photoFile) return state.say(`What the model says of ${item.name} came too late: something else was opened.`);
    await takePrediction(item, map);
  } catch (error) {
    state.say(error instanceof Error ? error.message : String(error), "error");
  } finally {
    done();
  }
}

/**
 * @param {Item} item that is open
 * @param {LabelMap} map what a model says of it
 */
async function takePrediction(item, map) {
  if (map.data.every((label) => label === state.ignoreIndex)) return; // a model of other things: it was told which
  if (!item.revision && !editor.isTouched) return takeInHand(pathOf(item), map, null, map.copy());
  state.prediction = map;
  const box = { left: 0, top: 0, right: map.width, bottom: map.height };
  editor.apply((own, keep) => own.paste(box, map.data, keep));
}

/**
 * Return what a model says about the open picture, and change nothing but the classes.
 * @param {string} model
 * @param {boolean} [replaces] whether it is to take the place of what is open
 * @returns {Promise<LabelMap | null>} null when no picture is open
 */
export async function predictOpen(model, replaces = false) {
  if (!state.item) return null;
  return takeAnswer(askModel(pathOf(state.item), state.item.frames ? state.frame : undefined, model), replaces);
}

/** Fetch where the model is unsure about the open picture, once; null where another one is open by then. */
export async function fetchUncertainty() {
  const { item, frame } = state;
  if (!item || state.uncertainty) return state.uncertainty;
  const query = item.frames ? { frame } : {};
  const answer = await call(`${pathOf(item)}/uncertainty`, { query });
  const mask = await decode(await answer.arrayBuffer());
  if (state.item !== item || state.frame !== frame) return null; // another picture's
  state.uncertainty = mask;
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
 * @param {number | undefined} frame
 * @param {string} model
 */
function askModel(path, frame, model) {
  return call(`${path}/predict`, { method: "POST", query: { frame, model } });
}

/**
 * Ask for the prediction with which an item is opened.
 * @param {string} path
 * @param {number} [frame]
 */
function askFirst(path, frame) {
  askedByOpening = state.model;
  return askModel(path, frame, state.model);
}

/**
 * Take over what a model answers, but its labels, which are returned.
 * @param {Response | Promise<Response>} asked
 * @param {boolean} replaces whether the labels are to take the place of what is open
 */
async function takeAnswer(asked, replaces) {
  const answer = await asked;
  state.lastModel = decoded(answer.headers.get("X-Model") ?? "");
  const left = answer.headers.get("X-Left-Out");
  const note = answer.headers.get("X-Note");
  if (left) state.say(`Left out, because this project has no such classes: ${decoded(left)}. Edit classes adds them.`);
  else if (note) state.say(`${titleOf(state.lastModel)}: ${decoded(note)}.`);
  const [map, told] = await Promise.all([readMap(answer), callJson("/v1/project", { query: { limit: 0 } })]);
  isArriving = replaces;
  takeClasses(told);
  isArriving = false;
  state.emit("model");
  return map;
}

/** @param {string} name of a model */
function titleOf(name) {
  return state.predictors().find((each) => each.name === name)?.title || name;
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
 * The frame that is opened first: one with labels, else the middle of a volume and the beginning of a video.
 * @param {Item} item
 */
export function startOf(item) {
  return item.labelled?.[0] ?? (item.medium === "volume" ? Math.floor((item.frames ?? 1) / 2) : 0);
}
