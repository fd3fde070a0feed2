/** Server-sent events over fetch, which can send the key; EventSource cannot. */

import { call } from "../api.js";

/** @typedef {{event: string, data: any}} ServerEvent */

/**
 * Follow the events of a job until the server ends them.
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<ServerEvent>}
 */
export async function* follow(path, signal) {
  const answer = await call(path, { signal, headers: { Accept: "text/event-stream" } });
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
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}
