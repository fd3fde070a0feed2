/**
 * What the studio does with a project besides the one picture that is open: the list of pictures, adding, classes,
 * learning, export, slices and frames. Loaded by main.js.
 */

import { make } from "../dom.js";
import { started, state } from "../main.js";
import { startAdding } from "./add.js";
import { startClasses } from "./classes.js";
import { startExport } from "./export.js";
import { startFrames } from "./frames.js";
import { startLearning } from "./learn.js";
import { startList } from "./list.js";
import { startSlices } from "./slices.js";

document.head.append(make("link", { rel: "stylesheet", href: "/studio/project.css" }));

/** @returns {Promise<void>} */
async function start() {
  await started;
  const list = startList();
  startAdding(list);
  startSlices();
  startFrames();
  startClasses(list);
  startLearning(list);
  startExport();
  await list.fetched;
}

/** Done when everything of this room is there. */
export const ready = start().catch((error) => state.say(error instanceof Error ? error.message : String(error), "error"));
