/** Drawing points by WebGL2: each attribute in a buffer of its own, so that a new label writes one byte. */

import { FRAGMENT, VERTEX } from "./shaders.js";

/** @typedef {import("./wire.js").Part} Part */
/** @typedef {"positions" | "labels" | "intensity" | "colors"} Name */
/**
 * @typedef {{matrix: number[][], size: number, mode: number, heights: [number, number], span: [number, number],
 *   back: number[]}} Scene `size` of a point in pixels; `heights`: z of what is shown; `span`: z of the colours' ends
 */

const ROW = 256;

export class CloudPainter {
  /**
   * @param {HTMLCanvasElement} canvas
   * @returns {CloudPainter | null} null where the browser has no WebGL2
   */
  static on(canvas) {
    // What was drawn stays, so that points are added to it a part at a time.
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, preserveDrawingBuffer: true });
    return gl && new CloudPainter(gl);
  }

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.gl = gl;
    this.program = link(gl);
    /** @type {Map<Name, WebGLBuffer>} */
    this.buffers = new Map();
    this.rows = 1;
    this.scale = [1, 1, 1];
    this.nowhere = 65535;
    /** Bytes of a label. */
    this.width = 1;
    gl.useProgram(this.program);
    gl.enable(gl.DEPTH_TEST);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
  }

  /**
   * Make room for a cloud.
   * @param {Part} part any of it
   */
  reserve(part) {
    const { gl } = this;
    for (const buffer of this.buffers.values()) gl.deleteBuffer(buffer);
    this.buffers.clear();
    this.scale = part.scale;
    this.width = part.labels.BYTES_PER_ELEMENT;
    const wide = part.positions instanceof Uint32Array;
    this.nowhere = wide ? 4294967295 : 65535;
    this.#attribute("positions", 0, part.total * 3 * (wide ? 4 : 2), () => gl.vertexAttribPointer(0, 3, wide ? gl.UNSIGNED_INT : gl.UNSIGNED_SHORT, false, 0, 0));
    const kind = this.width === 2 ? gl.UNSIGNED_SHORT : gl.UNSIGNED_BYTE;
    this.#attribute("labels", 1, part.total * this.width, () => gl.vertexAttribIPointer(1, 1, kind, 0, 0));
    this.#attribute("intensity", 2, part.intensity ? part.total : 0, () => gl.vertexAttribPointer(2, 1, gl.UNSIGNED_BYTE, true, 0, 0));
    this.#attribute("colors", 3, part.colors ? 3 * part.total : 0, () => gl.vertexAttribPointer(3, 3, gl.UNSIGNED_BYTE, true, 0, 0));
  }

  /**
   * @param {Name} name
   * @param {number} location
   * @param {number} bytes 0: the cloud has none
   * @param {() => void} point
   */
  #attribute(name, location, bytes, point) {
    const { gl } = this;
    gl.disableVertexAttribArray(location);
    if (!bytes) return;
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(location);
    point();
    this.buffers.set(name, buffer);
  }

  /**
   * Take points over.
   * @param {Part} part
   */
  put(part) {
    this.#write("positions", part.first * 3, part.positions);
    this.#write("labels", part.first, part.labels);
    if (part.intensity) this.#write("intensity", part.first, part.intensity);
    if (part.colors) this.#write("colors", part.first * 3, part.colors);
  }

  /**
   * Take labels over.
   * @param {number} first rank
   * @param {import("./wire.js").Labels} labels
   */
  putLabels(first, labels) {
    this.#write("labels", first, labels);
  }

  /**
   * @param {Name} name
   * @param {number} first element
   * @param {Uint8Array | Uint16Array | Uint32Array} values
   */
  #write(name, first, values) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers.get(name) ?? null);
    this.gl.bufferSubData(this.gl.ARRAY_BUFFER, first * values.BYTES_PER_ELEMENT, values);
  }

  /** @param {Uint8Array} table RGBA by label: 256 or 65536; what is clear is not drawn */
  setPalette(table) {
    const { gl } = this;
    this.rows = table.length / 4 / ROW;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, ROW, this.rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, table);
  }

  /**
   * Draw some of the points over what is there.
   * @param {Scene} scene
   * @param {number} first
   * @param {number} count
   */
  draw(scene, first, count) {
    const { gl } = this;
    const at = (/** @type {string} */ name) => gl.getUniformLocation(this.program, name);
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    if (!first) {
      gl.clearColor(scene.back[0] / 255, scene.back[1] / 255, scene.back[2] / 255, 1);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    }
    if (!count) return;
    gl.uniformMatrix4fv(at("view"), true, scene.matrix.flat());
    gl.uniform3fv(at("scale"), this.scale);
    gl.uniform1f(at("nowhere"), this.nowhere);
    gl.uniform1f(at("size"), scene.size);
    gl.uniform1i(at("mode"), scene.mode);
    gl.uniform2fv(at("heights"), scene.heights);
    gl.uniform2fv(at("span"), scene.span);
    gl.uniform1i(at("rows"), this.rows);
    gl.drawArrays(gl.POINTS, first, count);
  }
}

/** @param {WebGL2RenderingContext} gl */
function link(gl) {
  const program = gl.createProgram();
  for (const [kind, text] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "no shaders");
  return program;
}
