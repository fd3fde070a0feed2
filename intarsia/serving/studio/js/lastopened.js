/** What was open in this browser when it left the project, so that whoever comes back goes on there. */

import { state } from "./state.js";

const key = () => `intarsia-opened ${state.project}`;

/**
 * @param {string} id
 * @param {number} [frame]
 */
export function rememberOpened(id, frame) {
  try {
    localStorage.setItem(key(), JSON.stringify({ id, frame }));
  } catch {
    // full, or forbidden: the first picture is opened then
  }
}

/** @returns {{id: string, frame?: number} | null} */
export function openedLast() {
  try {
    return JSON.parse(localStorage.getItem(key()) ?? "null");
  } catch {
    return null;
  }
}
