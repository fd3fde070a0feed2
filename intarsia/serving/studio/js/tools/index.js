/** All tools, in the order of the tool bar, and the one in hand. */

import { brush, eraser } from "./brush.js";
import { click } from "./click.js";
import { fill, wand } from "./fill.js";
import { polygon } from "./polygon.js";

/** @typedef {import("./tool.js").Tool} Tool */

/** @type {Tool} */
export const pan = { id: "pan", title: "Move", key: "v", hint: "Drag to move the picture. With any tool: hold Space.", down() {} };

/** @type {Tool[]} */
export const TOOLS = [pan, click, brush, eraser, polygon, fill, wand];

class Hand extends EventTarget {
  /** @type {Tool} */
  tool = brush;

  /** @param {Tool} tool */
  take(tool) {
    while (this.tool.cancel?.());
    this.tool = tool;
    this.dispatchEvent(new Event("tool"));
  }
}

export const hand = new Hand();
