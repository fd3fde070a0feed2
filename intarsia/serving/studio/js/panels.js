/** Panels at the right: one function adds one, and it is built when it is first opened, and brought into view. */

import { byId, make } from "./dom.js";

/**
 * Add a panel.
 * @param {{id: string, title: string, build: (body: HTMLElement) => void, open?: boolean}} panel `build` fills the body
 *   once; `open`: opened from the beginning.
 * @returns {HTMLDetailsElement}
 */
export function addPanel({ id, title, build, open = false }) {
  const body = make("div", { className: "panel-body" });
  const summary = make("summary", {}, title);
  const panel = make("details", { id: `panel-${id}`, className: "panel" }, summary, body);
  const fill = () => {
    if (panel.open && !body.hasChildNodes()) build(body);
  };
  let isAsked = false;
  summary.addEventListener("click", () => (isAsked = !panel.open));
  panel.addEventListener("toggle", () => {
    fill();
    if (isAsked && panel.open) panel.scrollIntoView({ block: "start" });
  });
  panel.open = open;
  fill();
  byId("panels").append(panel);
  return panel;
}
