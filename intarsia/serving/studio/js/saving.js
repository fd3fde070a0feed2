/**
 * Saving by itself: changed tiles into the browser within a second, the whole mask to the server soon after.
 *
 * The server takes a mask only over the revision that it came from. When somebody else saved in between, nothing is
 * lost: people see both and decide.
 */

import { ApiError, call } from "./api.js";
import { refreshClasses } from "./classlist.js";
import { askBy } from "./dialogs.js";
import { editor } from "./editor.js";
import { LabelMap } from "./labelmap.js";
import { decode, encode } from "./pngclient.js";
import { pack, unpack } from "./runs.js";
import { state } from "./state.js";
import { dropDraft, findDraft, isOwn, keepDraft } from "./store.js";

const HERE_AFTER = 300;
const HERE_AT_MOST = 800; // also while one long stroke goes on
const THERE_AFTER = 2000;
const AGAIN_AFTER = 10000;
const TILES_AT_ONCE = 64;

/** @typedef {{map: LabelMap, path: string, picture: string, query: {frame?: number}}} Target what is being edited */

/** @type {Target | null} */
let target = null;
let revision = 0;
/** What the server holds instead, while nobody has decided. @type {{revision: number} | null} */
let conflict = null;
/** Shows the other labels beside one's own. @type {(map: LabelMap) => void} */
let compare = () => {};
let hereTimer = 0;
let thereTimer = 0;
let waitingSince = 0;
/** @type {Promise<void>} */
let sending = Promise.resolve();

/** @param {(map: LabelMap) => void} show */
export function startSaving(show) {
  compare = show;
  state.on("labels", schedule);
  addEventListener("visibilitychange", () => document.hidden && void leave());
}

/**
 * Watch the labels of a picture from now on, and put in what an earlier page did not save.
 * @param {Omit<Target, "map">} place
 * @param {LabelMap} map
 * @param {number} current revision at the server; 0: it has none
 */
export async function watch(place, map, current) {
  target = { ...place, map };
  revision = current;
  conflict = null;
  state.emit("saved", current ? "saved" : "");
  const mine = target;
  const draft = await findDraft(place.picture).catch(() => null); // no database in private windows of some browsers
  if (!draft || draft.width !== map.width || draft.height !== map.height || target !== mine) return;
  const { version } = map;
  editor.apply((labels) => {
    for (const [tile, packed] of draft.tiles) labels.paste(labels.tileBox(tile), unpack(packed), new Uint8Array(65536));
  });
  if (map.version === version) return dropDraft(draft.picture, draft.owner); // the server had it all
  if (draft.revision === current) {
    state.say("What was not yet saved is here again.");
  } else {
    conflict = { revision: current };
    revision = draft.revision; // until somebody decides: a page that goes now must be asked again
    void decide();
  }
  await saveHere();
  if (!isOwn(draft)) await dropDraft(draft.picture, draft.owner);
}

/** Save what is due, before another picture is opened or the page goes. */
export async function leave() {
  if (!thereTimer) return; // nobody changed anything: a prediction is not kept as if somebody had
  clearTimeout(thereTimer);
  await saveHere();
  await saveThere();
}

function schedule() {
  if (!target || state.labels !== target.map || !target.map.unsaved.size) return;
  const now = performance.now();
  waitingSince ||= now;
  clearTimeout(hereTimer);
  hereTimer = setTimeout(saveHere, Math.max(0, Math.min(HERE_AFTER, waitingSince + HERE_AT_MOST - now)));
  plan(THERE_AFTER);
}

/** @param {number} after milliseconds */
function plan(after) {
  clearTimeout(thereTimer);
  thereTimer = setTimeout(saveThere, after);
}

async function saveHere() {
  clearTimeout(hereTimer);
  waitingSince = 0;
  const mine = target;
  if (!mine?.map.unsaved.size) return;
  const { map, picture } = mine;
  while (map.unsaved.size) {
    // The latest first, and not too many at once: a prediction that is saved for the first time is every tile.
    const tiles = [...map.unsaved].slice(-TILES_AT_ONCE);
    for (const tile of tiles) map.unsaved.delete(tile);
    const packed = new Map(tiles.map((tile) => [tile, pack(map.readTile(tile))]));
    try {
      await keepDraft({ picture, revision, width: map.width, height: map.height }, packed);
    } catch {
      for (const tile of tiles) map.unsaved.add(tile);
      return; // full, or forbidden: the server still gets it
    }
  }
  if (!conflict && target === mine) state.emit("saved", "here");
}

function saveThere() {
  clearTimeout(thereTimer);
  thereTimer = 0;
  sending = sending.then(send);
  return sending;
}

async function send() {
  const mine = target;
  if (!mine || conflict) return;
  const { map } = mine;
  const { version } = map;
  state.emit("saved", "saving");
  try {
    const query = { ...mine.query, classes_revision: state.classesRevision };
    const body = await encode(map, state.colors());
    const headers = { "If-Match": `"${revision}"`, "Content-Type": "image/png" };
    const answer = await call(mine.path, { method: "PUT", body, headers, query });
    revision = revisionOf(answer, revision + 1);
    if (target !== mine) return void (await dropDraft(mine.picture));
    if (state.item) Object.assign(state.item, { revision, state: "corrected" });
    if (map.version !== version) return; // the next save is planned already
    map.unsaved.clear();
    await dropDraft(mine.picture).catch(() => {});
    state.emit("saved", "saved");
  } catch (error) {
    if (error instanceof ApiError && error.problem.classes_revision) {
      plan(THERE_AFTER); // with the numbers that classes have by then
      await refreshClasses().catch(() => {});
    } else if (error instanceof ApiError && (error.status === 409 || error.status === 412)) {
      conflict = { revision };
      void decide(); // not awaited: the answer saves again, which waits for this save to end
    } else {
      state.emit("saved", "here");
      state.say(`Not yet saved at the server. ${error instanceof Error ? error.message : ""}`, "error");
      plan(AGAIN_AFTER);
    }
  }
}

/** Ask what to do about a conflict; the answer may be put off. */
export async function decide() {
  const mine = target;
  if (!mine || !conflict) return;
  state.emit("saved", "conflict");
  const answer = await askBy("conflict");
  if (!answer || target !== mine) return;
  const theirs = await fetchTheirs(mine);
  if (!theirs) return;
  if (answer === "compare") return compare(theirs);
  revision = /** @type {{revision: number}} */ (conflict).revision;
  conflict = null;
  if (answer === "theirs") {
    const { width, height } = mine.map;
    const box = { left: 0, top: 0, right: width, bottom: height };
    editor.apply((labels) => labels.paste(box, theirs.data, new Uint8Array(65536)));
    state.say("Theirs is here now. Undo brings yours back.");
  }
  await saveHere();
  await saveThere();
}

/**
 * @param {Target} mine
 * @returns {Promise<LabelMap | null>}
 */
async function fetchTheirs(mine) {
  if (!conflict) return null;
  try {
    const answer = await call(mine.path, { query: mine.query });
    const mask = await decode(await answer.arrayBuffer());
    conflict = { revision: revisionOf(answer, 0) };
    return new LabelMap(mask.width, mask.height, mask.data);
  } catch (error) {
    state.say(error instanceof Error ? error.message : String(error), "error");
    return null;
  }
}

/**
 * Read a revision from an ETag.
 * @param {Response} answer
 * @param {number} otherwise
 */
export function revisionOf(answer, otherwise) {
  const number = parseInt((answer.headers.get("ETag") ?? "").replace(/[^0-9]/g, ""), 10);
  return Number.isNaN(number) ? otherwise : number;
}
