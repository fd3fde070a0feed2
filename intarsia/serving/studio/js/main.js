/**
 * The studio. Other rooms (`project/`, `uses/`, `cloud/`) are modules that this one loads when it has opened a picture; they use
 *
 * - `addPanel({id, title, build})` for a panel at the right, and the element `#items` for their list at the left,
 * - `openItem(item, options)`, `state` and its events, `editor` for edits that can be undone, `view` for what is shown,
 * - `started`: the items of the project, when the first of them was opened.
 */

import { startClassList } from "./classlist.js";
import { compareWith, startCompare } from "./compare.js";
import { startDialogs } from "./dialogs.js";
import { byId } from "./dom.js";
import { editor } from "./editor.js";
import { Gestures } from "./gestures.js";
import { onAction, startKeys } from "./keys.js";
import { startLegend } from "./legend.js";
import { startOverlay } from "./overlay.js";
import { startNotice } from "./notice.js";
import { parseHex } from "./palettes.js";
import { openProject } from "./openproject.js";
import { renumberOpen } from "./picture.js";
import { startPointer } from "./pointer.js";
import { startSaving } from "./saving.js";
import { state } from "./state.js";
import { holdLock } from "./store.js";
import { startToolbar } from "./toolbar.js";
import { View } from "./view.js";

export { addPanel } from "./panels.js";
export { openItem } from "./picture.js";
export { editor, state };

/** `?painter=flat` does without the graphics card, for machines where its driver draws wrongly; `gl` insists on it. */
const painter = new URLSearchParams(location.search).get("painter") ?? "";

export const view = new View(/** @type {HTMLCanvasElement} */ (byId("canvas")), painter);

function showColors() {
  const style = getComputedStyle(document.documentElement);
  view.back = parseHex(style.getPropertyValue("--stage").trim());
  view.accent = parseHex(style.getPropertyValue("--mark").trim());
  view.redraw();
}

/** @returns {Promise<import("./state.js").Item[]>} */
async function start() {
  // The view hears first: the others tell what it shows.
  state.on("item", () => view.show(state.photo, state.labels));
  state.on("renumbered", (numbers) => void renumberOpen(numbers));
  state.on("labels", (box) => (box ? view.updateLabels() : view.setLabels(state.labels)));
  const gestures = new Gestures(view);
  startDialogs();
  startNotice();
  startToolbar(view);
  startLegend(view);
  startCompare(view);
  startPointer(view, gestures);
  startOverlay(view, gestures);
  startSaving(compareWith);
  startKeys();
  startClassList();
  holdLock();
  onAction("pick", () => {
    const { place } = gestures;
    const label = place ? (state.labels?.at(Math.round(place.x), Math.round(place.y)) ?? -1) : -1;
    if (state.classes.some(({ index }) => index === label)) state.setCurrent(label);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showColors);
  showColors();
  try {
    return await openProject();
  } catch (error) {
    state.say(error instanceof Error ? error.message : String(error), "error");
    return [];
  }
}

/** Load the other rooms, after the first picture and its labels, in whose way they would stand. */
async function openRooms() {
  await started;
  await Promise.all([import("./project/index.js"), import("./uses/index.js"), import("./cloud/index.js")]);
}

export const started = start();
openRooms().catch((error) => state.say(`A part of the studio could not be loaded: ${error.message}`, "error"));
