/** Tiles of labels as runs of equal values: a tile of a mask is a few hundred bytes instead of 64 KB. */

/** @typedef {import("./labelmap.js").LabelArray} LabelArray */
/**
 * Runs of a tile, or its values where runs would need more room.
 * @typedef {{length: number, values: LabelArray, ends: Uint16Array | null}} Packed
 */

/**
 * Pack the values of a tile (65,536 at most).
 * @param {LabelArray} values kept as they are when runs do not pay.
 * @returns {Packed}
 */
export function pack(values) {
  const { length } = values;
  let count = 1;
  for (let i = 1; i < length; i++) if (values[i] !== values[i - 1]) count++;
  if (count * (2 + values.BYTES_PER_ELEMENT) >= values.byteLength) return { length, values, ends: null };
  const ends = new Uint16Array(count);
  const found = values instanceof Uint8Array ? new Uint8Array(count) : new Uint16Array(count);
  for (let i = 0, run = 0; i < length; i++) {
    if (i + 1 < length && values[i + 1] === values[i]) continue;
    ends[run] = i; // the last pixel of the run, because 65,536 does not fit into 16 bits
    found[run++] = values[i];
  }
  return { length, values: found, ends };
}

/**
 * Return the values of a packed tile.
 * @param {Packed} packed
 * @returns {LabelArray}
 */
export function unpack({ length, values, ends }) {
  if (!ends) return values;
  const whole = values instanceof Uint8Array ? new Uint8Array(length) : new Uint16Array(length);
  for (let run = 0, start = 0; run < ends.length; run++) {
    whole.fill(values[run], start, ends[run] + 1);
    start = ends[run] + 1;
  }
  return whole;
}

/**
 * Tell the bytes that a packed tile holds.
 * @param {Packed} packed
 */
export function packedBytes({ values, ends }) {
  return values.byteLength + (ends?.byteLength ?? 0);
}
