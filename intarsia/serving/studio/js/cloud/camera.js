/** The eye that looks at a cloud: it turns about a point, and z is up. */

/** @typedef {[number, number, number]} Vector */

const LENS = 1.8;
const STRAIGHT = Math.PI / 2;

export class Camera {
  constructor() {
    this.turn = -0.6;
    this.tilt = 0.75;
    this.distance = 1;
    /** What it turns about, from the cloud's origin. @type {Vector} */
    this.middle = [0, 0, 0];
    /** Sides of the cloud's box. @type {Vector} */
    this.box = [1, 1, 1];
  }

  /**
   * Look at all of a cloud.
   * @param {Vector} [box] sides of its box; default: the one known
   */
  fit(box = this.box) {
    this.box = box;
    this.middle = /** @type {Vector} */ (box.map((side) => side / 2));
    this.distance = 1.15 * Math.hypot(...box) || 1;
  }

  /** @param {number} turn radians @param {number} tilt */
  look(turn, tilt) {
    this.turn = turn;
    this.tilt = Math.max(-STRAIGHT, Math.min(STRAIGHT, tilt));
  }

  /** @param {number} factor above 1: nearer */
  zoomBy(factor) {
    const size = Math.hypot(...this.box) || 1;
    this.distance = Math.max(size * 1e-4, Math.min(size * 10, this.distance / factor));
  }

  /**
   * Move what is looked at along the screen.
   * @param {number} dx shares of the screen's height, to the right
   * @param {number} dy downwards
   */
  panBy(dx, dy) {
    const [right, up] = this.axes();
    const step = (2 * this.distance) / LENS;
    this.middle = /** @type {Vector} */ (this.middle.map((value, axis) => value + step * (dy * up[axis] - dx * right[axis])));
  }

  /** Directions to the right of the screen, upwards, and towards the eye. @returns {Vector[]} */
  axes() {
    const [c, s, ct, st] = [Math.cos(this.turn), Math.sin(this.turn), Math.cos(this.tilt), Math.sin(this.tilt)];
    return [[c, s, 0], [-s * st, c * st, ct], [s * ct, -c * ct, st]];
  }

  /**
   * Return the matrix from coordinates, from the cloud's origin, to clip coordinates.
   * @param {number} aspect width by height of the screen
   * @returns {number[][]} rows
   */
  matrix(aspect) {
    const [right, up, back] = this.axes();
    const eye = this.middle.map((value, axis) => value + this.distance * back[axis]);
    const [near, far] = [this.distance / 100, this.distance * 4 + 2 * Math.hypot(...this.box)];
    const depth = (far + near) / (near - far);
    const rows = [right.map((value) => (value * LENS) / aspect), up.map((value) => value * LENS), back.map((value) => value * depth), back.map((value) => -value)];
    const moved = rows.map((row) => [...row, -row.reduce((sum, value, axis) => sum + value * eye[axis], 0)]);
    moved[2][3] += (2 * far * near) / (near - far);
    return moved;
  }
}
