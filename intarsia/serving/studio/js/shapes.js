/**
 * Shapes as runs of pixels. Points are in pixels, with the centre of pixel (x, y) at (x, y); a pixel belongs to a shape
 * when its centre does.
 */

/** @typedef {{x: number, y: number}} Point */
/** @typedef {(y: number, start: number, end: number) => void} Visit one run of pixels; the end is excluded */

/**
 * Say whether a point lies within a radius of the line from one point to another.
 * @param {number} x
 * @param {number} y
 * @param {Point} from
 * @param {Point} to
 * @param {number} radius
 */
function isWithin(x, y, from, to, radius) {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length)) : 0;
  const ex = x - from.x - along * dx;
  const ey = y - from.y - along * dy;
  return ex * ex + ey * ey <= radius * radius;
}

/**
 * Bounds in x of the points of a row within a radius of a line: the two discs at its ends, and what lies between.
 * @param {number} y
 * @param {Point} from
 * @param {Point} to
 * @param {number} radius
 * @returns {[number, number]} empty when the first is larger
 */
function rowBounds(y, from, to, radius) {
  let low = Infinity;
  let high = -Infinity;
  for (const end of [from, to]) {
    const rest = radius * radius - (y - end.y) ** 2;
    if (rest < 0) continue;
    low = Math.min(low, end.x - Math.sqrt(rest));
    high = Math.max(high, end.x + Math.sqrt(rest));
  }
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy);
  if (length) {
    const up = y - from.y;
    const [a, b] = solveBand(dy, -up * dx, -radius * length, radius * length);
    const [c, d] = solveBand(dx, up * dy, 0, length * length);
    if (Math.max(a, c) <= Math.min(b, d)) {
      low = Math.min(low, from.x + Math.max(a, c));
      high = Math.max(high, from.x + Math.min(b, d));
    }
  }
  return [low, high];
}

/**
 * Solve least <= slope * t + offset <= most for t.
 * @param {number} slope
 * @param {number} offset
 * @param {number} least
 * @param {number} most
 * @returns {[number, number]}
 */
function solveBand(slope, offset, least, most) {
  if (slope === 0) return least <= offset && offset <= most ? [-Infinity, Infinity] : [1, 0];
  const one = (least - offset) / slope;
  const two = (most - offset) / slope;
  return one < two ? [one, two] : [two, one];
}

/**
 * Visit the pixels within a radius of the line between two points: what a round brush covers.
 *
 * The bounds of a row are computed, then moved by single pixels until the test of the distance itself agrees, so that
 * rounding never adds or misses a pixel.
 * @param {Point} from
 * @param {Point} to
 * @param {number} radius in pixels
 * @param {Visit} visit
 */
export function strokeSpans(from, to, radius, visit) {
  const top = Math.ceil(Math.min(from.y, to.y) - radius);
  const bottom = Math.floor(Math.max(from.y, to.y) + radius);
  for (let y = top; y <= bottom; y++) {
    const [low, high] = rowBounds(y, from, to, radius);
    if (low > high) continue;
    let start = Math.ceil(low) - 1;
    let end = Math.floor(high) + 1;
    while (start <= end && !isWithin(start, y, from, to, radius)) start++;
    while (end >= start && !isWithin(end, y, from, to, radius)) end--;
    if (start <= end) visit(y, start, end + 1);
  }
}

/**
 * Visit the pixels inside a closed polygon by the even-odd rule.
 * @param {Point[]} points
 * @param {number} height rows of the picture: the others are not looked at.
 * @param {Visit} visit
 */
export function polygonSpans(points, height, visit) {
  const ys = points.map((point) => point.y);
  const top = Math.max(0, Math.ceil(Math.min(...ys)));
  const bottom = Math.min(height - 1, Math.floor(Math.max(...ys)));
  for (let y = top; y <= bottom; y++) {
    const crossings = [];
    for (let i = 0; i < points.length; i++) {
      const a = points[i];
      const b = points[(i + 1) % points.length];
      if (a.y <= y === b.y <= y) continue;
      crossings.push(a.x + ((y - a.y) * (b.x - a.x)) / (b.y - a.y));
    }
    crossings.sort((one, other) => one - other);
    for (let i = 0; i + 1 < crossings.length; i += 2) visit(y, Math.ceil(crossings[i]), Math.ceil(crossings[i + 1]));
  }
}
