/** The panel "Learn": train on what was corrected, watch it, and let the new model predict the next pictures. */

import { call, callJson, sendJson } from "../api.js";
import { make } from "../dom.js";
import { addPanel, state } from "../main.js";
import { hasNoModel } from "../picture.js";
import { inWordsOfThePage } from "../words.js";
import { Curve } from "./curve.js";
import { follow } from "./events.js";
import { fetchItems, isLabelled, predict, reasonOf } from "./items.js";

/** @typedef {import("./list.js").PictureList} PictureList */
/** @typedef {{id: string, kind: string, state: string, done?: number, total?: number, error?: string, model?: string}} Job */

const TRAIN = "train"; // what the server calls such jobs
const ENDED = ["done", "failed", "cancelled"];

/** @param {PictureList} list */
export function startLearning(list) {
  addPanel({ id: "learn", title: "Learn", build: (body) => void build(body, list) });
}

/**
 * @param {HTMLElement} body
 * @param {PictureList} list
 */
async function build(body, list) {
  const ways = make("fieldset", {}, make("legend", {}, "Learn from everything that is labelled"));
  const base = make("select", { id: "learn-base" });
  const baseRow = make("label", { className: "field", hidden: true }, "Model that goes on ", base);
  const start = make("button", { type: "button", className: "primary" }, "Learn");
  const progress = make("div", { className: "training" });
  body.append(ways, baseRow, start, progress, ...predictNext(list));
  const showModels = () => {
    const chosen = base.value || state.model;
    base.replaceChildren(...state.models.map(({ name, title }) => make("option", { value: name }, title || name)));
    if (chosen) base.value = chosen;
  };
  state.on("models", showModels);
  showModels();
  start.addEventListener("click", async () => {
    const how = /** @type {HTMLInputElement | null} */ (ways.querySelector("input:checked"))?.value ?? "scribbles";
    start.disabled = true;
    try {
      const asked = how === "finetune" ? { how, base: base.value } : { how };
      const job = /** @type {Job} */ (await (await sendJson("POST", "/v1/project/train", asked)).json());
      await watch(job, progress);
    } catch (error) {
      progress.replaceChildren(make("p", { role: "alert", className: "error" }, reasonOf(error)));
    } finally {
      start.disabled = false;
    }
  });
  void goOn(progress, start);
  /** @type {{name: string, about: string}[]} */
  const learning = await callJson("/v1/project/options").then((told) => told.learning, () => []);
  for (const [place, { name, about }] of learning.entries()) {
    const radio = make("input", { type: "radio", name: "how", value: name, checked: place === 0 });
    radio.addEventListener("change", () => (baseRow.hidden = name !== "finetune"));
    ways.append(make("label", { className: "choice" }, radio, make("span", {}, about)));
  }
}

/**
 * Show the training that goes on at the server: who comes back to the page sees how far it is.
 * @param {HTMLElement} place
 * @param {HTMLButtonElement} start
 */
async function goOn(place, start) {
  try {
    const { jobs } = /** @type {{jobs: Job[]}} */ (await callJson("/v1/jobs"));
    const job = jobs.find(({ kind, state: stands }) => kind === TRAIN && !ENDED.includes(stands));
    if (!job || start.disabled) return;
    start.disabled = true;
    await watch(job, place).finally(() => (start.disabled = false));
  } catch (error) {
    state.say(reasonOf(error), "error");
  }
}

/**
 * Show a job until it ends.
 * @param {Job} job
 * @param {HTMLElement} place
 */
async function watch(job, place) {
  const curve = new Curve();
  const bar = make("progress", { "aria-label": "Progress of the training" });
  const cancel = make("button", { type: "button" }, "Stop");
  const tell = (/** @type {boolean} */ stopping) => {
    cancel.disabled = stopping;
    cancel.textContent = stopping ? "Stopping …" : "Stop";
  };
  cancel.addEventListener("click", () => {
    tell(true);
    call(`/v1/jobs/${job.id}`, { method: "DELETE" }).catch((error) => {
      tell(false);
      state.say(reasonOf(error), "error");
    });
  });
  const away = make("p", { className: "note", role: "status", hidden: true }, "The server does not answer. The training goes on when it is back.");
  place.replaceChildren(make("div", { className: "line" }, bar, cancel), curve.element, away);
  const known = new Set(state.models.map(({ name }) => name));
  let last = job;
  const events = follow(`/v1/jobs/${job.id}/events`, new AbortController().signal, () => (away.hidden = false));
  for await (const { event, data } of events) {
    away.hidden = true;
    if (event === "curve") curve.add(data);
    else if (event === "state") last = data;
    if (last.state === "stopping") tell(true);
    showGathered(bar, last);
    if (ENDED.includes(last.state)) break;
  }
  place.querySelector(".line")?.remove();
  if (last.state === "failed") place.append(make("p", { role: "alert", className: "error" }, inWordsOfThePage(last.error ?? "The training failed.")));
  else if (last.state === "cancelled") place.append(make("p", { role: "status" }, "Stopped."));
  else await takeNew(known, place);
}

/**
 * Show how many labels are gathered; how long the training takes after that, nobody knows.
 * @param {HTMLProgressElement} bar
 * @param {Job} job
 */
function showGathered(bar, { done = 0, total = 0 }) {
  if (done < total) Object.assign(bar, { max: total, value: done });
  else bar.removeAttribute("value");
}

/**
 * Take the model that was not there before.
 * @param {Set<string>} known
 * @param {HTMLElement} place
 */
async function takeNew(known, place) {
  const told = await callJson("/v1/models");
  state.models = told.models.filter((/** @type {import("../state.js").Model} */ { medium }) => medium !== "cloud");
  const fresh = state.models.find(({ name }) => !known.has(name));
  if (fresh) state.model = fresh.name;
  state.emit("models");
  place.append(make("p", { role: "status" }, fresh ? `${fresh.title || fresh.name} is ready, and predicts from now on. Press Predict to see what it says of this picture.` : "Done."));
}

/**
 * The part that lets the model in hand predict the next pictures that nobody corrected.
 * @param {PictureList} list
 * @returns {HTMLElement[]}
 */
function predictNext(list) {
  const count = make("input", { type: "number", min: "1", max: "1000", value: "10", "aria-label": "How many pictures" });
  const start = make("button", { type: "button" }, "Predict the next");
  const line = make("div", { className: "line" }, start, count, make("span", {}, "pictures"));
  const bar = make("progress", { hidden: true, "aria-label": "Predicting pictures" });
  /** @type {AbortController | null} */
  let running = null;
  start.addEventListener("click", async () => {
    if (running) return running.abort();
    running = new AbortController();
    start.textContent = "Stop";
    bar.hidden = false;
    try {
      const done = await predictMany(list, Number(count.value) || 1, bar, running.signal);
      state.say(done ? `${done} ${done === 1 ? "picture" : "pictures"} predicted.` : "Every picture that a model is for is predicted or labelled.");
    } catch (error) {
      if (!running.signal.aborted) state.say(reasonOf(error), "error");
    } finally {
      running = null;
      start.textContent = "Predict the next";
      bar.hidden = true;
    }
  });
  return [line, bar];
}

/**
 * @param {PictureList} list
 * @param {number} count
 * @param {HTMLProgressElement} bar
 * @param {AbortSignal} signal
 * @returns {Promise<number>}
 */
async function predictMany(list, count, bar, signal) {
  let done = 0;
  for (let offset = 0; done < count; offset += 200) {
    const { items, total } = await fetchItems({ offset, limit: 200 });
    const open = items.filter((item) => !isLabelled(item) && item.medium !== "cloud" && !item.error && !hasNoModel(item));
    for (const item of open.slice(0, count - done)) {
      signal.throwIfAborted();
      const frame = item.frames ? 0 : undefined;
      const uncertainty = await predict(item.id, { model: state.model, frame }, signal);
      list.update({ id: item.id, uncertainty, state: "predicted" });
      done += 1;
      Object.assign(bar, { max: count, value: done });
    }
    if (offset + 200 >= total) break;
  }
  return done;
}
