/** The worker behind `pngclient.js`. */

import { decodeMask, encodeMask } from "./png.js";

addEventListener("message", async ({ data: { id, file, mask, colors } }) => {
  try {
    const result = file ? await decodeMask(new Uint8Array(file)) : await encodeMask(mask, colors);
    postMessage({ id, result }, { transfer: ["data" in result ? result.data.buffer : result.buffer] });
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
