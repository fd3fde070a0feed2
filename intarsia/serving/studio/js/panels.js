/** Panels at the right: one function adds one, and it is built when it is first opened. */

import { byId, make } from "./dom.js";

/**
 * Add a panel.
 * @param {{id: string, title: string, build: (body: HTMLElement) => void, open?: boolean}} panel `build` fills the body
 *   once; `open`: opened from the beginning.
 * @returns {HTMLDetailsElement}
 */
export function addPanel({ id, title, build, open = false }) {
  const body = make("div", { className: "panel-body" });
  const panel = make("details", { id: `panel-${id}`, className: "panel" }, make("summary", {}, title), body);
  const fill = () => {
    if (panel.open && !body.hasChildNodes()) build(body);
  };
  panel.addEventListener("toggle", fill);
  panel.open = open;
  fill();
  byId("panels").append(panel);
  return panel;
}
