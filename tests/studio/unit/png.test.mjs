/** Masks that Python wrote are read as Python reads them, and the other way round; STUDIO_MASKS is the folder of both. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { decodeMask, encodeMask } from "../../../intarsia/serving/studio/js/png.js";
import { random } from "./oracle.mjs";

const folder = process.env.STUDIO_MASKS;

/** Files, each with its labels as raw bytes beside it, little-endian. */
const known = folder ? JSON.parse(readFileSync(join(folder, "known.json"), "utf8")) : [];

for (const { name, width, height, bits } of known) {
  test(`reads ${name} and writes it again`, async () => {
    const raw = readFileSync(join(folder, `${name}.raw`));
    const values = bits === 8 ? new Uint8Array(raw) : new Uint16Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
    const mask = await decodeMask(readFileSync(join(folder, `${name}.png`)));
    assert.deepEqual([mask.width, mask.height], [width, height]);
    assert.deepEqual(mask.data, values);
    writeFileSync(join(folder, `${name}.again.png`), await encodeMask(mask, ["#0a0b0c", "#ff8000"]));
  });
}

test("what is written is read", async () => {
  const next = random(1);
  for (const Kind of [Uint8Array, Uint16Array]) {
    const data = new Kind(37 * 23).map(() => Math.floor(next() * 2 ** (8 * Kind.BYTES_PER_ELEMENT)));
    const back = await decodeMask(await encodeMask({ width: 37, height: 23, data }, []));
    assert.deepEqual(back, { width: 37, height: 23, data });
  }
});

test("what is no mask is refused with the reason", async () => {
  const good = await encodeMask({ width: 8, height: 8, data: new Uint8Array(64) }, []);
  const changed = (at, ...bytes) => {
    const copy = good.slice();
    copy.set(bytes, at);
    return copy;
  };
  await assert.rejects(decodeMask(changed(0, 1)), /no PNG file/);
  await assert.rejects(decodeMask(good.slice(0, good.length - 20)), /ends in the middle/);
  await assert.rejects(decodeMask(changed(25, 2)), /8-bit palette or grey/);
  await assert.rejects(decodeMask(changed(28, 1)), /not interlaced/);
  await assert.rejects(decodeMask(changed(16, 0x7f, 0xff, 0xff, 0xff)), /too large/);
  await assert.rejects(decodeMask(changed(23, 9)), /fewer pixels/);
  await assert.rejects(decodeMask(changed(23, 7)), /more pixels/);
});
