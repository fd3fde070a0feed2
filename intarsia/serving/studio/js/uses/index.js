/** The uses in the studio: a panel each, and the live page. Loaded by main.js. */

import { callJson } from "../api.js";
import { make } from "../dom.js";
import { addPanel, started, state } from "../main.js";
import { reasonOf } from "../project/items.js";
import { openLive } from "./live.js";
import { buildPanel } from "./panel.js";

document.head.append(make("link", { rel: "stylesheet", href: "/studio/uses.css" }));

/** The address of the live page: the studio's with this end. */
const LIVE = "#live";

/** @returns {Promise<void>} */
async function start() {
  await started;
  /** @type {import("./schema.js").Use[]} */
  const uses = await callJson("/v1/uses");
  for (const use of uses) addPanel({ id: `use-${use.name}`, title: use.title, build: (body) => buildPanel(body, use) });
  addPanel({
    id: "live-camera",
    title: "Live camera",
    build: (body) => {
      const open = make("button", { type: "button" }, "Open the live page");
      open.addEventListener("click", () => openLive(uses));
      body.append(make("p", { className: "note" }, "Classes, backgrounds and make-up on what a camera sees, with the delay told."), open);
    },
  });
  if (location.hash === LIVE) openLive(uses);
}

/** Done when everything of this room is there. */
export const ready = start().catch((error) => state.say(reasonOf(error), "error"));
