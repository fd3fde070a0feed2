/** Sending one file, with its progress; a full server is asked again when it says so. */

import { keyHeaders } from "../api.js";

const TRIES = 4;

export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} text
   * @param {number} wait seconds after which the server may be asked again
   */
  constructor(status, text, wait = 0) {
    super(text);
    this.status = status;
    this.wait = wait;
  }
}

/**
 * Send a file as an item of the project.
 * @param {File} file
 * @param {{progress: (share: number) => void, waiting: (seconds: number) => void, signal: AbortSignal}} told
 * @returns {Promise<import("./items.js").Listed[]>}
 * @throws {Refused} the server's reason
 */
export async function upload(file, told) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send(file, told);
    } catch (error) {
      const full = error instanceof Refused && (error.status === 429 || error.status === 503);
      if (!full || tries === TRIES) throw error;
      const seconds = Math.max(1, error.wait);
      told.waiting(seconds);
      await pause(seconds, told.signal);
    }
  }
}

/**
 * By XMLHttpRequest, because fetch tells no progress of what is sent.
 * @param {File} file
 * @param {{progress: (share: number) => void, signal: AbortSignal}} told
 * @returns {Promise<import("./items.js").Listed[]>}
 */
function send(file, { progress, signal }) {
  const form = new FormData();
  form.append("file", file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/project/items");
    for (const [name, value] of Object.entries(keyHeaders())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("load", () => {
      const { status, response } = request;
      if (status < 400) return resolve(response.items);
      const wait = Number(request.getResponseHeader("Retry-After") ?? 0);
      const said = response?.detail ?? `the server answered ${status}`;
      reject(new Refused(status, status === 413 ? `Too large: ${said}` : said, wait));
    });
    request.addEventListener("error", () => reject(new Refused(0, "The server does not answer. Is it still running?")));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/**
 * @param {number} seconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    });
  });
}
