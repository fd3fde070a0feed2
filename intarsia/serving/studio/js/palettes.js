/** Colours by class: those of the project, and some that people who confuse red and green can tell apart. */

/** @typedef {import("./state.js").ClassInfo} ClassInfo */

// Okabe & Ito (2008): eight colours that all common kinds of colour vision tell apart.
const SAFE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#6f5fc8"];

/**
 * Return the colour of a class in the safe palette; from the ninth on, lighter and darker ones of the same eight.
 * @param {number} position in the list of classes
 */
export function safeColor(position) {
  const rgb = parseHex(SAFE[position % SAFE.length]);
  const round = Math.floor(position / SAFE.length);
  if (!round) return toHex(rgb);
  const target = round % 2 ? 255 : 0;
  const share = Math.min(0.75, 0.3 + 0.15 * Math.floor((round - 1) / 2));
  return toHex(rgb.map((channel) => Math.round(channel + share * (target - channel))));
}

/**
 * Make the table that drawing looks into: one RGBA per label; classes that are hidden, and what is no class, are clear.
 * @param {ClassInfo[]} classes
 * @param {Set<number>} hidden
 * @param {boolean} safe colours for the colour-blind instead of the classes' own
 * @param {number} size labels: 256 or 65536
 * @returns {Uint8Array} size x 4
 */
export function paletteTable(classes, hidden, safe, size) {
  const table = new Uint8Array(size * 4);
  classes.forEach(({ index, color }, position) => {
    if (hidden.has(index) || index >= size) return;
    table.set([...parseHex(safe ? safeColor(position) : color), 255], 4 * index);
  });
  return table;
}

/**
 * Read "#rrggbb".
 * @param {string} color
 * @returns {number[]}
 */
export function parseHex(color) {
  const rgb = parseInt(color.slice(1), 16);
  return [rgb >> 16, (rgb >> 8) & 255, rgb & 255];
}

/** @param {number[]} rgb */
function toHex(rgb) {
  return `#${rgb.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}
