/** Opening the project: its models, its classes and a picture. */

import { call, callJson } from "./api.js";
import { takeClasses } from "./classlist.js";
import { openedLast } from "./lastopened.js";
import { openItem, startOf } from "./picture.js";
import { prepare } from "./pngclient.js";
import { state } from "./state.js";

/** @typedef {import("./state.js").Item} Item */

/**
 * Open the project: its models, its classes and the picture that was open last, else the first; an empty one begins with a
 * sample.
 * @returns {Promise<Item[]>}
 */
export async function openProject() {
  prepare();
  const [models, project, options] = await Promise.all(["/v1/models", "/v1/project", "/v1/project/options"].map((path) => callJson(path)));
  state.clustering = options.clustering;
  state.models = models.models.filter((/** @type {import("./state.js").Model} */ { medium }) => medium !== "cloud");
  state.emit("models");
  state.project = project.folder ?? project.name;
  const fallback = state.models.find(({ name }) => name === models.default) ?? state.models[0];
  if (project.classes.length) takeClasses(project);
  else if (fallback) state.setClasses(fallback.classes, fallback.ignore_index);
  const items = project.items.length ? project.items : await addSample();
  const last = openedLast();
  const again = items.find((/** @type {Item} */ { id }) => id === last?.id);
  const first = again ?? items.find((/** @type {Item} */ { medium }) => medium !== "cloud");
  if (!first) return items;
  const frame = again && last?.frame !== undefined ? last.frame : startOf(first);
  await openItem(first, first.frames ? { frame: Math.min(frame, first.frames - 1) } : {});
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
