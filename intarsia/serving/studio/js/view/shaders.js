/** What the graphics card computes for each point of the screen. */

export const VERTEX = `#version 300 es
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }`;

// Tiles of labels are layers of one array of textures, so that a neighbour across a border is just another layer.
export const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
precision highp usampler2DArray;
precision highp sampler2DArray;
uniform usampler2DArray labels;
uniform usampler2DArray others;
uniform sampler2DArray full;
uniform sampler2D overview;
uniform usampler2D ready;
uniform sampler2D heat;
uniform sampler2D palette;
uniform vec2 size;      // of the picture
uniform vec2 origin;    // picture at the upper left of the pane
uniform vec3 pane;      // left, top, and the height of the canvas, in pixels of the screen
uniform float pixel;    // pixels of the picture per pixel of the screen
uniform float opacity;
uniform float reach;    // width of outlines, in pixels of the picture
uniform float isFull;   // 1 when the overview is the picture itself
uniform float detail;   // pixels of the picture per pixel of the overview
uniform int source;     // 0 photo alone, 1 labels, 2 other labels, 3 where they differ
uniform int outlines;
uniform int heated;
uniform int columns;
uniform vec3 back;
uniform vec3 accent;
out vec4 color;

int layerOf(ivec2 at) { return (at.y >> 10) * columns + (at.x >> 10); }
uint mine(ivec2 at) { return texelFetch(labels, ivec3(at & 1023, layerOf(at)), 0).r; }
uint theirs(ivec2 at) { return texelFetch(others, ivec3(at & 1023, layerOf(at)), 0).r; }
uint label(ivec2 at) {
  at = clamp(at, ivec2(0), ivec2(size) - 1);
  return source == 2 ? theirs(at) : mine(at);
}
vec4 colorOf(uint id) { return texelFetch(palette, ivec2(int(id & 255u), int(id >> 8)), 0); }

vec3 photoAt(vec2 at, ivec2 cell) {
  if (isFull < 0.5 && pixel < detail) {
    int layer = layerOf(cell);
    if (texelFetch(ready, ivec2(layer, 0), 0).r > 0u) {
      if (pixel <= 0.5) return texelFetch(full, ivec3(cell & 1023, layer), 0).rgb;
      return texture(full, vec3((at - vec2(cell & ~1023)) / 1024.0, float(layer))).rgb;
    }
  }
  if (isFull > 0.5 && pixel <= 0.5) return texelFetch(overview, cell, 0).rgb;
  return texture(overview, at / size).rgb;
}

void main() {
  vec2 at = (vec2(gl_FragCoord.x, pane.z - gl_FragCoord.y) - pane.xy) * pixel + origin;
  if (any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, size))) { color = vec4(back, 1.0); return; }
  ivec2 cell = ivec2(at);
  vec3 rgb = photoAt(at, cell);
  if (source == 3) {
    float grey = dot(rgb, vec3(0.299, 0.587, 0.114));
    rgb = mine(cell) == theirs(cell) ? vec3(0.25 + 0.5 * grey) : mix(vec3(grey), accent, 0.85);
  } else if (source > 0) {
    uint id = label(cell);
    vec4 paint = colorOf(id);
    if (outlines == 1) {
      bool edge = label(ivec2(floor(at + vec2(reach, 0.0)))) != id || label(ivec2(floor(at - vec2(reach, 0.0)))) != id
        || label(ivec2(floor(at + vec2(0.0, reach)))) != id || label(ivec2(floor(at - vec2(0.0, reach)))) != id;
      rgb = mix(rgb, paint.rgb, edge ? paint.a : 0.0);
    } else {
      rgb = mix(rgb, paint.rgb, paint.a * opacity);
    }
  }
  if (heated == 1) {
    float unsure = texture(heat, at / size).r;
    vec3 glow = vec3(0.99 - 0.14 * unsure, 0.745 - 0.7 * unsure, 0.2);
    if (unsure >= 0.0625) rgb = mix(rgb, glow, min(0.9, 1.3 * unsure));
  }
  color = vec4(rgb, 1.0);
}`;
