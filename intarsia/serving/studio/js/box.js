/**
 * Boxes of pixels: left and top included, right and bottom excluded.
 * @typedef {{left: number, top: number, right: number, bottom: number}} Box
 */

/**
 * Join two boxes, either of which may be missing.
 * @param {Box | null} one
 * @param {Box | null} other
 * @returns {Box | null}
 */
export function union(one, other) {
  if (!one || !other) return one ?? other;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

/**
 * Intersect two boxes; null when they share no pixel.
 * @param {Box} one
 * @param {Box} other
 * @returns {Box | null}
 */
export function intersection(one, other) {
  const left = Math.max(one.left, other.left);
  const top = Math.max(one.top, other.top);
  const right = Math.min(one.right, other.right);
  const bottom = Math.min(one.bottom, other.bottom);
  return left < right && top < bottom ? { left, top, right, bottom } : null;
}
