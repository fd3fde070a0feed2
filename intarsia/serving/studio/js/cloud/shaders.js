/** How points are drawn: where from 16 or 32 bits, coloured by what is asked for; hidden ones never reach the screen. */

export const VERTEX = `#version 300 es
precision highp float;
precision highp int;
uniform mat4 view;
uniform vec3 scale;
uniform float nowhere;
uniform float size;
uniform int mode;
uniform vec2 heights;
uniform vec2 span;
uniform int rows;
uniform sampler2D palette;
layout(location = 0) in vec3 place;
layout(location = 1) in uint label;
layout(location = 2) in float intensity;
layout(location = 3) in vec3 color;
flat out vec3 shade;

vec3 ramp(float t) {
  return clamp(vec3(1.5 * t, 0.35 + 0.55 * (1.0 - abs(2.0 * t - 1.0)), 1.1 - t), 0.0, 1.0);
}

void main() {
  vec3 at = place * scale;
  vec4 own = texelFetch(palette, ivec2(int(label & 255u), min(int(label >> 8), rows - 1)), 0);
  gl_PointSize = size;
  if (own.a == 0.0 || at.z < heights.x || at.z > heights.y || place.x >= nowhere) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    return;
  }
  gl_Position = view * vec4(at, 1.0);
  if (mode == 0) shade = own.rgb;
  else if (mode == 1) shade = vec3(0.1 + 0.9 * intensity);
  else if (mode == 2) shade = ramp(clamp((at.z - span.x) / max(span.y - span.x, 1e-9), 0.0, 1.0));
  else shade = color;
}`;

export const FRAGMENT = `#version 300 es
precision mediump float;
flat in vec3 shade;
out vec4 found;
void main() { found = vec4(shade, 1.0); }`;
