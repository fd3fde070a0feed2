/** Questions to people. */

import { setKeyAsker } from "./api.js";
import { byId } from "./dom.js";

/**
 * Show a dialog of index.html and wait for the button that closes it.
 * @param {string} id
 * @returns {Promise<string>} the button's value; "" when it was left by Escape
 */
export function askBy(id) {
  const dialog = /** @type {HTMLDialogElement} */ (byId(id));
  dialog.returnValue = "";
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

/** Let requests ask for the key of the server. */
export function startDialogs() {
  /** One question for all requests that wait for it. @type {Promise<string | null> | null} */
  let asked = null;
  setKeyAsker(() => {
    asked ??= askBy("ask-key").then((answer) => {
      asked = null;
      const field = /** @type {HTMLInputElement} */ (byId("key"));
      const key = field.value.trim();
      field.value = "";
      return answer === "ok" && key ? key : null;
    });
    return asked;
  });
}
