/** The same shapes by the plainest means: every pixel is asked, every state is a full copy. */

/** A repeatable source of numbers in [0, 1) (mulberry32). */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

export function isNear(x, y, from, to, radius) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length)) : 0;
  return (x - from.x - along * dx) ** 2 + (y - from.y - along * dy) ** 2 <= radius * radius;
}

export function isInside(x, y, points) {
  let inside = false;
  points.forEach((a, i) => {
    const b = points[(i + 1) % points.length];
    if (a.y <= y !== b.y <= y && x >= a.x + ((y - a.y) * (b.x - a.x)) / (b.y - a.y)) inside = !inside;
  });
  return inside;
}

/** Give a value to every pixel that a test accepts and no lock keeps. */
export function paint(copy, width, value, keep, accepts) {
  copy.forEach((old, i) => {
    if (!keep[old] && accepts(i % width, Math.floor(i / width))) copy[i] = value;
  });
}

/** The region of equal `values` around a pixel, as a set of offsets. */
export function region(width, height, x, y, isAlike) {
  const found = new Set();
  const open = [[x, y]];
  while (open.length) {
    const [cx, cy] = open.pop();
    const at = cy * width + cx;
    if (cx < 0 || cy < 0 || cx >= width || cy >= height || found.has(at) || !isAlike(cx, cy)) continue;
    found.add(at);
    open.push([cx + 1, cy], [cx - 1, cy], [cx, cy + 1], [cx, cy - 1]);
  }
  return found;
}

export function countsOf(data, length) {
  const counts = new Array(length).fill(0);
  for (const value of data) counts[value]++;
  return counts;
}
