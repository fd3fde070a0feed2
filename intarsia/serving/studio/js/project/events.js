/** Server-sent events over fetch, which can send the key; EventSource cannot. */

import { ApiError, call } from "../api.js";

/** @typedef {{event: string, data: any, id: string}} ServerEvent */

const OVER = ".over"; // at the end of the last event's id
const ENDING = 503; // of a server that is about to end
const AGAIN_AFTER = 1000; // milliseconds

/**
 * Follow the events of a job until it is over; a server that ends meanwhile is asked again until it is back.
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {() => void} [lost] told when the server does not answer
 * @returns {AsyncGenerator<ServerEvent>}
 */
export async function* follow(path, signal, lost = () => {}) {
  for (let last = ""; ; ) {
    try {
      for await (const event of listen(path, signal, last)) {
        last = event.id || last;
        yield event;
      }
    } catch (error) {
      const isRefused = error instanceof ApiError && error.status && error.status !== ENDING;
      if (signal.aborted || isRefused) throw error;
    }
    if (last.endsWith(OVER)) return;
    lost();
    await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER));
  }
}

/**
 * Follow the events of a job until the line ends.
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {string} last id of the last event that is here
 * @returns {AsyncGenerator<ServerEvent>}
 */
async function* listen(path, signal, last) {
  const headers = { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) };
  const answer = await call(path, { signal, headers });
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const found = parse(block);
      if (found) yield found;
    }
  }
}

/**
 * Read one event.
 * @param {string} block its lines
 * @returns {ServerEvent | null} null of comments, which keep the line open
 */
export function parse(block) {
  let event = "message";
  let id = "";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "event") event = value;
    else if (field === "id") id = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? { event, id, data: JSON.parse(data.join("\n")) } : null;
}
