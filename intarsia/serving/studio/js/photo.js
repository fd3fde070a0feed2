/** The photo as drawing and the magic wand need it: an overview for far away, and pixels by tiles. */

import { TILE } from "./labelmap.js";

const MOST_TILES = 512;

/**
 * Make a smaller copy of a photo whose longer side is at most `side`; the photo itself when it is small enough.
 * @param {ImageBitmap} photo
 * @param {number} side
 * @returns {ImageBitmap | OffscreenCanvas}
 */
export function overviewOf(photo, side) {
  const scale = side / Math.max(photo.width, photo.height);
  if (scale >= 1) return photo;
  const canvas = new OffscreenCanvas(Math.round(photo.width * scale), Math.round(photo.height * scale));
  const context = contextOf(canvas);
  context.imageSmoothingQuality = "medium";
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** The colours of a photo, read tile by tile when somebody asks. */
export class PhotoPixels {
  /** @param {ImageBitmap} photo */
  constructor(photo) {
    this.photo = photo;
    this.width = photo.width;
    this.height = photo.height;
    this.columns = Math.ceil(photo.width / TILE);
    /** @type {Map<number, Uint8ClampedArray>} */
    this.tiles = new Map();
    this.context = contextOf(new OffscreenCanvas(TILE, TILE), true);
  }

  /**
   * Return the colours of a tile.
   * @param {number} index
   * @returns {Uint8ClampedArray} 256 x 256 x RGBA
   */
  tile(index) {
    let data = this.tiles.get(index);
    if (!data) {
      const left = (index % this.columns) * TILE;
      const top = Math.floor(index / this.columns) * TILE;
      this.context.clearRect(0, 0, TILE, TILE);
      this.context.drawImage(this.photo, -left, -top);
      data = this.context.getImageData(0, 0, TILE, TILE).data;
      if (this.tiles.size >= MOST_TILES) this.tiles.clear();
      this.tiles.set(index, data);
    }
    return data;
  }
}

/**
 * Open a canvas for drawing.
 * @param {OffscreenCanvas} canvas
 * @param {boolean} [read] whether its pixels will be read often
 */
export function contextOf(canvas, read = false) {
  const context = canvas.getContext("2d", { willReadFrequently: read });
  if (!context) throw new Error("this browser gives no canvas");
  return context;
}
