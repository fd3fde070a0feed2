/** A notice over the picture: what somebody should know of it, until it is closed, or something is done about it. */

import { byId } from "./dom.js";
import { state } from "./state.js";

export function startNotice() {
  byId("notice-close").addEventListener("click", () => {
    hide();
    byId("canvas").focus();
  });
  state.on("item", hide);
  state.on("labels", hide);
}

/**
 * Show a notice over the open picture.
 * @param {string} text
 */
export function notice(text) {
  byId("notice-text").textContent = text;
  byId("notice").hidden = false;
}

function hide() {
  byId("notice").hidden = true;
}
