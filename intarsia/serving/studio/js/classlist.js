/**
 * The classes of the project, as the server has them. Changes are sent one after the other, and go over what other windows
 * changed meanwhile; windows of one browser tell each other, and all others look when they are looked at.
 */

import { ApiError, callJson, sendJson } from "./api.js";
import { state } from "./state.js";

/** @typedef {{index?: number, name: string, color?: string}} Row */
/**
 * @typedef {{classes: import("./state.js").ClassInfo[], ignore_index: number, classes_revision: number,
 *   classes_numbered: number}} Told
 */

const CONFLICT = 409;
const TRIES = 5;

const others = new BroadcastChannel("intarsia-classes");

/** @type {Promise<unknown>} */
let sent = Promise.resolve();

/** Hear of what others change. */
export function startClassList() {
  const look = () => void refreshClasses().catch(() => {}); // whoever changes or saves something is told
  others.addEventListener("message", ({ data }) => data === state.project && look());
  addEventListener("focus", () => state.project && look());
}

/** Take over the classes of the project: a prediction, or somebody else, may have brought new ones. */
export async function refreshClasses() {
  takeClasses(await callJson("/v1/project", { query: { limit: 0 } }));
}

/**
 * Take over classes that the server told; an answer that was overtaken by a newer one is left. Where others were removed,
 * what is open gets the new numbers: event "renumbered".
 * @param {Told} told
 */
export function takeClasses({ classes, ignore_index: ignoreIndex, classes_revision: revision, classes_numbered: numbered }) {
  if (!classes.length || revision < state.classesRevision) return;
  const before = state.classes;
  const isRenumbered = numbered > state.classesRevision;
  state.classesRevision = revision;
  if (JSON.stringify(classes) === JSON.stringify(before) && ignoreIndex === state.ignoreIndex) return;
  state.setClasses(classes, ignoreIndex);
  if (isRenumbered) state.emit("renumbered", numbersOf(before, classes));
}

/**
 * Tell which number each class has now, by its old one; classes that are gone have none.
 * @param {import("./state.js").ClassInfo[]} before
 * @param {import("./state.js").ClassInfo[]} now
 * @returns {Map<number, number>}
 */
function numbersOf(before, now) {
  const numbers = new Map(now.map(({ name, index }) => [name, index]));
  return new Map(before.map(({ name, index }) => [index, numbers.get(name) ?? state.ignoreIndex]));
}

/**
 * Change the classes, by what is done to them: where somebody else changed them meanwhile, it is done to theirs.
 * @param {(rows: Row[]) => Row[]} change
 * @returns {Promise<void>}
 * @throws {Error} the server's reason against it
 */
export function changeClasses(change) {
  const done = sent.then(() => send(change));
  sent = done.catch(() => {});
  return done;
}

/** @param {(rows: Row[]) => Row[]} change */
async function send(change) {
  for (let tries = 1; ; tries++) {
    const rows = state.classes.map(({ index, name, color }) => ({ index, name, color }));
    const body = { classes: change(rows), classes_revision: state.classesRevision };
    try {
      takeClasses(await (await sendJson("PATCH", "/v1/project", body)).json());
      others.postMessage(state.project);
      return;
    } catch (error) {
      if (tries === TRIES || !(error instanceof ApiError && error.status === CONFLICT)) throw error;
      await refreshClasses();
    }
  }
}
