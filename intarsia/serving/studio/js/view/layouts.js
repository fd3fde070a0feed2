/** How the screen is shared out. */

/** @typedef {"single" | "swipe" | "side" | "difference"} Layout */
/** @typedef {import("./scene.js").Pane} Pane */

/**
 * Return the parts of the screen and what each shows.
 * @param {{layout: Layout, split: number, showLabels: boolean, other: unknown}} shown `split`: share of the width at the
 *   left of the divider; `other`: labels to compare with, or null
 * @param {number} width of the screen in its pixels
 * @param {number} height
 * @returns {Pane[]}
 */
export function panesOf({ layout, split, showLabels, other }, width, height) {
  const own = showLabels ? 1 : 0;
  const others = other ? 2 : 0;
  const whole = { left: 0, top: 0, right: width, bottom: height, start: 0 };
  const middle = Math.round(width * (layout === "side" ? 0.5 : split));
  switch (layout) {
    case "single":
      return [{ ...whole, source: own }];
    case "difference":
      return [{ ...whole, source: 3 }];
    case "side":
      return [
        { ...whole, right: middle, source: own },
        { ...whole, left: middle, start: middle, source: others },
      ];
    case "swipe":
      return [
        { ...whole, right: middle, source: others },
        { ...whole, left: middle, source: own },
      ];
  }
}
