/** How fast live frames come: the last of them counted and sorted. */

const KEPT = 90; // frames

export class Meter {
  constructor() {
    /** When each of the last frames was shown, in milliseconds. @type {number[]} */
    this.shown = [];
    /** How long each took from the camera to the screen. @type {number[]} */
    this.took = [];
    /** What the server says of each, by stage. @type {Record<string, number>[]} */
    this.stages = [];
  }

  /**
   * Count a frame.
   * @param {number} start when it was taken from the camera, in milliseconds
   * @param {number} end when it was shown
   * @param {string} timing the answer's Server-Timing
   */
  add(start, end, timing) {
    this.shown.push(end);
    this.took.push(end - start);
    this.stages.push(stagesOf(timing));
    for (const list of [this.shown, this.took, this.stages]) if (list.length > KEPT) list.shift();
  }

  /** Frames a second. */
  get rate() {
    const first = this.shown[0];
    const last = this.shown.at(-1) ?? first;
    return last > first ? (1000 * (this.shown.length - 1)) / (last - first) : 0;
  }

  /**
   * The time that a share of the frames did not exceed, in milliseconds.
   * @param {number} share 0 to 1
   */
  quantile(share) {
    const sorted = [...this.took].sort((one, other) => one - other);
    return sorted.length ? sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] : 0;
  }

  /** The middle time of each stage, in milliseconds. @returns {Record<string, number>} */
  get middle() {
    const names = new Set(this.stages.flatMap((one) => Object.keys(one)));
    return Object.fromEntries(
      [...names].map((name) => {
        const sorted = this.stages.map((one) => one[name] ?? 0).sort((one, other) => one - other);
        return [name, sorted[Math.floor(sorted.length / 2)]];
      }),
    );
  }

  /** All of it in a line. */
  toString() {
    const stages = Object.entries(this.middle).map(([name, value]) => `${name} ${value.toFixed(0)}`);
    const delay = `delay ${this.quantile(0.5).toFixed(0)} ms (middle), ${this.quantile(0.95).toFixed(0)} ms (95 %)`;
    return `${this.rate.toFixed(1)} frames/s · ${delay}${stages.length ? ` · server: ${stages.join(", ")} ms` : ""}`;
  }
}

/**
 * Read a Server-Timing header.
 * @param {string} header
 * @returns {Record<string, number>} milliseconds by stage
 */
export function stagesOf(header) {
  const parts = header.split(",").map((part) => /^\s*([\w-]+);dur=([\d.]+)/.exec(part));
  return Object.fromEntries(parts.filter((part) => part !== null).map((part) => [part[1], Number(part[2])]));
}
