/** Which classes an edit may not change. */

/**
 * Make the table that edits look into: 1 for every class that keeps its pixels.
 * @param {import("./labelmap.js").LabelMap} map
 * @param {Iterable<number>} locked classes that never change.
 * @param {number | null} only when given, every other class is kept as well: edits go over this one alone.
 * @returns {Uint8Array} one entry a value of the map's type
 */
export function keepTable(map, locked, only) {
  const keep = new Uint8Array(map.counts.length);
  if (only !== null) {
    keep.fill(1);
    keep[only] = 0;
  }
  for (const index of locked) keep[index] = 1;
  return keep;
}
