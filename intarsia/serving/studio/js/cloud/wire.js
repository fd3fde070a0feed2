/** What the server sends of a cloud: points in parts, and changes of their labels; little-endian as every browser is. */

/** @typedef {Uint8Array | Uint16Array} Labels */
/**
 * @typedef {{revision: number, total: number, first: number, count: number, past: number, future: number,
 *   origin: number[], scale: number[], positions: Uint16Array | Uint32Array, labels: Labels,
 *   intensity: Uint8Array | null, colors: Uint8Array | null}} Part `positions`: x, y, z a point; the highest number: nowhere
 */
/**
 * @typedef {{revision: number, total: number, changed: number, past: number, future: number, bits: Uint8Array | null,
 *   ranks: Uint32Array | null, label: number, labels: Labels | null}} Change `label` is for all where `labels` is null
 */

const WIDE = 1;
const LABELS_16 = 2;
const INTENSITY = 4;
const COLORS = 8;
const BITMAP = 1;
const ONE_LABEL = 4;

/**
 * Read points.
 * @param {ArrayBuffer} data
 * @returns {Part}
 */
export function readPart(data) {
  const { view, flags, numbers } = readHead(data, "INTP");
  const [revision, total, first, count, past, future] = numbers;
  const box = Array.from({ length: 6 }, (_, place) => view.getFloat64(32 + 8 * place, true));
  const take = taker(data, 80);
  return {
    revision, total, first, count, past, future, origin: box.slice(0, 3), scale: box.slice(3),
    positions: flags & WIDE ? take(Uint32Array, 3 * count) : take(Uint16Array, 3 * count),
    labels: flags & LABELS_16 ? take(Uint16Array, count) : take(Uint8Array, count),
    intensity: flags & INTENSITY ? take(Uint8Array, count) : null,
    colors: flags & COLORS ? take(Uint8Array, 3 * count) : null,
  };
}

/**
 * Read what changed.
 * @param {ArrayBuffer} data
 * @returns {Change}
 */
export function readChange(data) {
  const { flags, numbers } = readHead(data, "INTL");
  const [revision, total, changed, past, future, label] = numbers;
  const take = taker(data, 32);
  const bits = flags & BITMAP ? take(Uint8Array, Math.ceil(total / 8)) : null;
  const ranks = bits ? null : take(Uint32Array, changed);
  const labels = flags & ONE_LABEL ? null : flags & LABELS_16 ? take(Uint16Array, changed) : take(Uint8Array, changed);
  return { revision, total, changed, past, future, bits, ranks, label, labels };
}

/**
 * Go through the ranks that changed, ascending, with their labels.
 * @param {Change} change
 * @param {(rank: number, label: number) => void} visit
 */
export function eachChange({ total, bits, ranks, label, labels }, visit) {
  let place = 0;
  const next = (/** @type {number} */ rank) => visit(rank, labels ? labels[place++] : label);
  if (ranks) ranks.forEach(next);
  for (let byte = 0; bits && byte < bits.length; byte++) {
    for (let rest = bits[byte], bit = 0; rest; rest >>= 1, bit++) if (rest & 1 && 8 * byte + bit < total) next(8 * byte + bit);
  }
}

/**
 * @param {ArrayBuffer} data
 * @param {string} magic
 */
function readHead(data, magic) {
  const view = new DataView(data);
  const found = String.fromCharCode(...new Uint8Array(data, 0, 4));
  if (found !== magic || view.getUint16(4, true) !== 1) throw new Error("The server sends clouds in another form. Reload the page.");
  const numbers = Array.from({ length: 6 }, (_, place) => view.getUint32(8 + 4 * place, true));
  return { view, flags: view.getUint16(6, true), numbers };
}

/**
 * Take arrays one after the other, each filled up to four bytes.
 * @param {ArrayBuffer} data
 * @param {number} start
 */
function taker(data, start) {
  let place = start;
  /**
   * @template {Uint8Array | Uint16Array | Uint32Array} Kind
   * @param {new (buffer: ArrayBuffer, start: number, length: number) => Kind} kind
   * @param {number} length
   */
  return (kind, length) => {
    const values = new kind(data, place, length);
    place += 4 * Math.ceil(values.byteLength / 4);
    return values;
  };
}
