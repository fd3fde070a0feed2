/** Masks to PNG and back in a worker, so that a large one never holds up the brush. */

/** @typedef {import("./png.js").Mask} Mask */

/** @type {Worker | null} */
let worker = null;
let last = 0;
/** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
const waiting = new Map();

/**
 * Decode an index mask.
 * @param {ArrayBuffer} file
 * @returns {Promise<Mask>}
 */
export function decode(file) {
  return ask({ file }, [file]);
}

/**
 * Encode an index mask; the mask is copied first and may change meanwhile.
 * @param {Mask} mask
 * @param {string[]} colors "#rrggbb" by class index
 * @returns {Promise<Blob>}
 */
export async function encode({ width, height, data }, colors) {
  const copy = data.slice();
  const bytes = await ask({ mask: { width, height, data: copy }, colors }, [copy.buffer]);
  return new Blob([bytes], { type: "image/png" });
}

/** Start the worker before there is anything to do, so that the first mask need not wait for it. */
export function prepare() {
  worker ??= start();
}

/**
 * @param {object} message
 * @param {Transferable[]} moved
 * @returns {Promise<any>}
 */
function ask(message, moved) {
  worker ??= start();
  const id = ++last;
  worker.postMessage({ id, ...message }, moved);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

function start() {
  const made = new Worker(new URL("./pngworker.js", import.meta.url), { type: "module" });
  made.onmessage = ({ data: { id, result, error } }) => {
    const promise = waiting.get(id);
    waiting.delete(id);
    if (error) promise?.reject(new Error(error));
    else promise?.resolve(result);
  };
  made.onerror = () => {
    worker = null; // the next mask starts another one
    for (const { reject } of waiting.values()) reject(new Error("The part of this page that reads and writes masks ended. Try again, or load the page anew."));
    waiting.clear();
  };
  return made;
}
