/**
 * Index masks as PNG (third edition, W3C 2025), byte for byte in typed arrays: 8-bit palette or grey, 16-bit grey.
 *
 * The browser's own decoder is no help here: it gives colours, not indices, and may change them on the way.
 */

/** @typedef {import("./labelmap.js").LabelArray} LabelArray */
/** @typedef {{width: number, height: number, data: LabelArray}} Mask */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const MOST_PIXELS = 2 ** 28;
const PALETTE = 3;
const GREY = 0;

const CRC = new Uint32Array(256).map((_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/**
 * Decode an index mask. Palettes and transparency are left out: what counts is the index.
 * @param {Uint8Array} bytes
 * @returns {Promise<Mask>}
 */
export async function decodeMask(bytes) {
  const { width, height, depth, parts } = readChunks(bytes);
  const bytesPerPixel = depth / 8;
  const stride = width * bytesPerPixel;
  const lines = await inflate(parts, height * (stride + 1));
  const flat = new Uint8Array(height * stride);
  unfilter(lines, flat, stride, height, bytesPerPixel);
  if (depth === 8) return { width, height, data: flat };
  const data = new Uint16Array(width * height);
  for (let i = 0; i < data.length; i++) data[i] = (flat[2 * i] << 8) | flat[2 * i + 1];
  return { width, height, data };
}

/**
 * Encode an index mask: 8-bit arrays with a palette, 16-bit ones as grey.
 * @param {Mask} mask
 * @param {string[]} colors "#rrggbb" by class index, for programs that show the file as a picture.
 * @returns {Promise<Uint8Array>}
 */
export async function encodeMask({ width, height, data }, colors) {
  const wide = data instanceof Uint16Array;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([wide ? 16 : 8, wide ? GREY : PALETTE, 0, 0, 0], 8);
  const lines = filterUp(wide ? bigEndian(data) : data, width * data.BYTES_PER_ELEMENT, height);
  const body = new Uint8Array(await pipe([lines], new CompressionStream("deflate")));
  const chunks = [chunk("IHDR", header)];
  if (!wide) chunks.push(chunk("PLTE", paletteBytes(colors)));
  chunks.push(chunk("IDAT", body), chunk("IEND", new Uint8Array(0)));
  return joined([Uint8Array.from(SIGNATURE), ...chunks]);
}

/** @param {Uint8Array} bytes */
function readChunks(bytes) {
  if (SIGNATURE.some((value, at) => bytes[at] !== value)) throw new Error("this is no PNG file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [width, height, depth] = [0, 0, 0];
  const parts = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const start = at + 8;
    if (start + length + 4 > bytes.length) throw new Error("the PNG file ends in the middle");
    if (kind === "IHDR") {
      [width, height, depth] = readHeader(view, start);
    } else if (kind === "IDAT") {
      parts.push(bytes.subarray(start, start + length));
    } else if (kind === "IEND") {
      break;
    }
    at = start + length + 4;
  }
  if (!depth || !parts.length) throw new Error("the PNG file holds no picture");
  return { width, height, depth, parts };
}

/**
 * @param {DataView} view
 * @param {number} at
 * @returns {[number, number, number]} width, height, bits
 */
function readHeader(view, at) {
  const [width, height] = [view.getUint32(at), view.getUint32(at + 4)];
  const [depth, color, , , interlaced] = [8, 9, 10, 11, 12].map((offset) => view.getUint8(at + offset));
  const known = (depth === 8 && (color === PALETTE || color === GREY)) || (depth === 16 && color === GREY);
  if (!known || interlaced) {
    throw new Error("a mask must be a PNG of 8-bit palette or grey, or 16-bit grey, not interlaced");
  }
  if (!width || !height || width * height > MOST_PIXELS) {
    throw new Error(`a mask of ${width} x ${height} pixels is empty or too large`);
  }
  return [width, height, depth];
}

/**
 * Inflate to exactly as many bytes as the header promised; a bomb is left at the first byte too many.
 * @param {Uint8Array[]} parts
 * @param {number} length
 */
async function inflate(parts, length) {
  const lines = new Uint8Array(length);
  const stream = new Blob(/** @type {BlobPart[]} */ (parts)).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (filled + value.length > length) {
      await reader.cancel();
      throw new Error("the PNG file holds more pixels than its header says");
    }
    lines.set(value, filled);
    filled += value.length;
  }
  if (filled !== length) throw new Error("the PNG file holds fewer pixels than its header says");
  return lines;
}

/**
 * Undo the five filters of PNG.
 * @param {Uint8Array} lines a filter byte and the filtered bytes, row by row
 * @param {Uint8Array} flat filled with the bytes of all rows
 * @param {number} stride bytes of a row
 * @param {number} height
 * @param {number} step bytes of a pixel
 */
function unfilter(lines, flat, stride, height, step) {
  const zeros = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const from = y * (stride + 1);
    const line = lines.subarray(from + 1, from + 1 + stride);
    const row = flat.subarray(y * stride, (y + 1) * stride);
    const above = y ? flat.subarray((y - 1) * stride, y * stride) : zeros;
    unfilterRow(lines[from], line, row, above, step);
  }
}

/**
 * @param {number} filter 0..4
 * @param {Uint8Array} line
 * @param {Uint8Array} row
 * @param {Uint8Array} above
 * @param {number} step
 */
function unfilterRow(filter, line, row, above, step) {
  const { length } = row;
  if (filter === 0) {
    row.set(line);
  } else if (filter === 1) {
    for (let i = 0; i < length; i++) row[i] = line[i] + (i < step ? 0 : row[i - step]);
  } else if (filter === 2) {
    for (let i = 0; i < length; i++) row[i] = line[i] + above[i];
  } else if (filter === 3) {
    for (let i = 0; i < length; i++) row[i] = line[i] + (((i < step ? 0 : row[i - step]) + above[i]) >> 1);
  } else if (filter === 4) {
    for (let i = 0; i < length; i++) {
      row[i] = line[i] + (i < step ? above[i] : nearest(row[i - step], above[i], above[i - step]));
    }
  } else {
    throw new Error(`the PNG file names a filter ${filter}, which does not exist`);
  }
}

/**
 * Paeth's predictor.
 * @param {number} left
 * @param {number} up
 * @param {number} corner
 */
function nearest(left, up, corner) {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/**
 * Filter every row by the one above: masks repeat downwards.
 * @param {Uint8Array} flat
 * @param {number} stride
 * @param {number} height
 */
function filterUp(flat, stride, height) {
  const lines = new Uint8Array(height * (stride + 1));
  for (let y = 0; y < height; y++) {
    const to = y * (stride + 1);
    lines[to] = 2;
    const from = y * stride;
    if (y) {
      for (let i = 0; i < stride; i++) lines[to + 1 + i] = flat[from + i] - flat[from + i - stride];
    } else {
      lines.set(flat.subarray(0, stride), 1);
    }
  }
  return lines;
}

/** @param {Uint16Array} data */
function bigEndian(data) {
  const flat = new Uint8Array(2 * data.length);
  for (let i = 0; i < data.length; i++) {
    flat[2 * i] = data[i] >> 8;
    flat[2 * i + 1] = data[i] & 255;
  }
  return flat;
}

/** @param {string[]} colors */
function paletteBytes(colors) {
  const palette = new Uint8Array(768);
  colors.slice(0, 256).forEach((color, index) => {
    const rgb = parseInt(color.slice(1), 16);
    palette.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255], 3 * index);
  });
  return palette;
}

/**
 * @param {Uint8Array[]} parts
 * @param {CompressionStream} through
 */
function pipe(parts, through) {
  return new Response(new Blob(/** @type {BlobPart[]} */ (parts)).stream().pipeThrough(through)).arrayBuffer();
}

/**
 * @param {string} kind
 * @param {Uint8Array} body
 */
function chunk(kind, body) {
  const bytes = new Uint8Array(body.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  bytes.set([...kind].map((letter) => letter.charCodeAt(0)), 4);
  bytes.set(body, 8);
  let crc = -1;
  for (let i = 4; i < body.length + 8; i++) crc = CRC[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  view.setUint32(body.length + 8, ~crc);
  return bytes;
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
