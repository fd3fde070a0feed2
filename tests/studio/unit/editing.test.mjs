/** Random strokes against full copies: what a tool touches, what it leaves, and what undo brings back. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { fillRegion, wandSpans } from "../../../intarsia/serving/studio/js/flood.js";
import { History } from "../../../intarsia/serving/studio/js/history.js";
import { LabelMap, TILE } from "../../../intarsia/serving/studio/js/labelmap.js";
import { keepTable } from "../../../intarsia/serving/studio/js/locks.js";
import { pack, unpack } from "../../../intarsia/serving/studio/js/runs.js";
import { polygonSpans, strokeSpans } from "../../../intarsia/serving/studio/js/shapes.js";
import { countsOf, isInside, isNear, paint, random, region } from "./oracle.mjs";

const WIDTH = 300; // more than a tile, and no multiple of it
const HEIGHT = 270;
const CLASSES = 6;

function noisyMap(next, Kind = Uint8Array, scale = 1) {
  const data = new Kind(WIDTH * HEIGHT);
  for (let i = 0; i < data.length; i++) data[i] = scale * Math.floor((((i % WIDTH) >> 4) * 7 + ((i / WIDTH) >> 5) * 3) % CLASSES);
  for (let i = 0; i < 400; i++) data[Math.floor(next() * data.length)] = scale * Math.floor(next() * CLASSES);
  return new LabelMap(WIDTH, HEIGHT, data);
}

/** A random edit: does it to the map, and by full copies to the other. */
function edit(next, map, copy, keep, scale) {
  const value = scale * Math.floor(next() * CLASSES);
  const place = () => ({ x: next() * (WIDTH + 40) - 20, y: next() * (HEIGHT + 40) - 20 });
  const kind = Math.floor(next() * 3);
  if (kind === 0) {
    const radius = 0.5 + next() * 30;
    let from = place();
    for (let i = 0; i < 4; i++) {
      const to = i ? place() : from;
      strokeSpans(from, to, radius, (y, start, end) => map.fillSpan(y, start, end, value, keep));
      const [a, b] = [from, to];
      paint(copy, WIDTH, value, keep, (x, y) => isNear(x, y, a, b, radius));
      from = to;
    }
  } else if (kind === 1) {
    const points = Array.from({ length: 3 + Math.floor(next() * 5) }, place);
    polygonSpans(points, HEIGHT, (y, start, end) => map.fillSpan(y, start, end, value, keep));
    paint(copy, WIDTH, value, keep, (x, y) => isInside(x, y, points));
  } else {
    const [x, y] = [Math.floor(next() * WIDTH), Math.floor(next() * HEIGHT)];
    const before = copy[y * WIDTH + x];
    fillRegion(map, x, y, value, keep);
    if (!keep[before]) {
      for (const at of region(WIDTH, HEIGHT, x, y, (cx, cy) => copy[cy * WIDTH + cx] === before)) copy[at] = value;
    }
  }
}

for (const [Kind, scale] of [
  [Uint8Array, 1],
  [Uint16Array, 300],
]) {
  test(`random edits in ${Kind.name}: nothing else changes, undo and redo restore every state`, () => {
    const next = random(5 + scale);
    const map = noisyMap(next, Kind, scale);
    const history = new History(map);
    const states = [map.data.slice()];
    for (let step = 0; step < 40; step++) {
      const locked = [0, 1, 2, 3, 4, 5].filter(() => next() < 0.2).map((index) => scale * index);
      const only = next() < 0.2 ? scale * Math.floor(next() * CLASSES) : null;
      const keep = keepTable(map, locked, only);
      const copy = map.data.slice();
      map.takeChanged();
      history.record(() => edit(next, map, copy, keep, scale));
      assert.deepEqual(map.data, copy, `step ${step}`);
      assert.deepEqual([...map.counts.filter((_, i) => i < 2000)], countsOf(copy, map.counts.length).slice(0, 2000));
      checkChanged(map, states[states.length - 1]);
      if (history.past.length === states.length) states.push(copy);
      else assert.deepEqual(copy, states[states.length - 1], "an edit without effect is no step");
    }
    assert.ok(states.length > 25);
    for (let step = states.length - 2; step >= 0; step--) {
      assert.notEqual(history.undo(), null);
      assert.deepEqual(map.data, states[step]);
    }
    assert.equal(history.undo(), null);
    for (let step = 1; step < states.length; step++) {
      assert.notEqual(history.redo(), null);
      assert.deepEqual(map.data, states[step]);
    }
    assert.equal(history.redo(), null);
  });
}

/** The box that drawing uploads holds every pixel that differs. */
function checkChanged(map, before) {
  const box = map.takeChanged();
  map.data.forEach((value, at) => {
    if (value === before[at]) return;
    const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
    assert.ok(box && x >= box.left && x < box.right && y >= box.top && y < box.bottom);
  });
}

test("a brush of radius 5 covers the points of its circle, ties included", () => {
  const map = new LabelMap(21, 21, new Uint8Array(441));
  strokeSpans({ x: 10, y: 10 }, { x: 10, y: 10 }, 5, (y, start, end) => map.fillSpan(y, start, end, 1, new Uint8Array(256)));
  assert.equal(map.counts[1], 81); // Gauss's circle problem: N(5) = 81, with (3, 4) and its kin on the line
  assert.equal(map.at(13, 14), 1);
  assert.equal(map.at(14, 14), 0);
});

test("a polygon takes the pixels whose centres it holds: a square of 4 x 3", () => {
  const map = new LabelMap(10, 10, new Uint8Array(100));
  const corners = [{ x: 1.5, y: 2.5 }, { x: 5.5, y: 2.5 }, { x: 5.5, y: 5.5 }, { x: 1.5, y: 5.5 }];
  polygonSpans(corners, 10, (y, start, end) => map.fillSpan(y, start, end, 1, new Uint8Array(256)));
  assert.equal(map.counts[1], 12);
  assert.deepEqual([map.at(2, 3), map.at(5, 5), map.at(1, 3), map.at(6, 5)], [1, 1, 0, 0]);
});

test("the wand takes the connected pixels of like colour, across tiles", () => {
  const next = random(11);
  const columns = Math.ceil(WIDTH / TILE);
  const colors = Array.from({ length: WIDTH * HEIGHT }, () => (next() < 0.8 ? 100 + Math.floor(next() * 10) : 160));
  const tile = (index) => {
    const rgba = new Uint8ClampedArray(TILE * TILE * 4);
    const [left, top] = [(index % columns) * TILE, Math.floor(index / columns) * TILE];
    for (let y = top; y < Math.min(top + TILE, HEIGHT); y++) {
      for (let x = left; x < Math.min(left + TILE, WIDTH); x++) {
        rgba.set([50, colors[y * WIDTH + x], 60, 255], ((y - top) * TILE + x - left) * 4);
      }
    }
    return rgba;
  };
  const tiles = [0, 1, 2, 3].map(tile);
  const seed = colors.indexOf(105, 40000);
  const [x, y] = [seed % WIDTH, Math.floor(seed / WIDTH)];
  const found = new Set();
  wandSpans({ width: WIDTH, height: HEIGHT, tile: (index) => tiles[index] }, x, y, 6, (row, start, end) => {
    for (let at = start; at < end; at++) {
      assert.ok(!found.has(row * WIDTH + at), "no pixel twice");
      found.add(row * WIDTH + at);
    }
  });
  const expected = region(WIDTH, HEIGHT, x, y, (cx, cy) => Math.abs(colors[cy * WIDTH + cx] - 105) <= 6);
  assert.ok(expected.size > 30000);
  assert.deepEqual(found.size, expected.size);
  for (const at of expected) assert.ok(found.has(at));
});

test("a patch goes in, but over locked classes", () => {
  const map = new LabelMap(4, 2, Uint8Array.of(0, 1, 2, 0, 0, 1, 2, 0));
  map.paste({ left: 1, top: 0, right: 4, bottom: 2 }, Uint8Array.of(3, 3, 3, 0, 0, 5), keepTable(map, [2], null));
  assert.deepEqual([...map.data], [0, 3, 2, 3, 0, 0, 2, 5]);
});

test("packed tiles are the tiles", () => {
  const next = random(2);
  for (const Kind of [Uint8Array, Uint16Array]) {
    for (const length of [1, 2, 65536]) {
      for (const chance of [0, 0.001, 1]) {
        const values = new Kind(length);
        for (let i = 1; i < length; i++) values[i] = next() < chance ? Math.floor(next() * 250) : values[i - 1];
        assert.deepEqual(unpack(pack(values.slice())), values);
      }
    }
  }
});

test("a hundred strokes over 16 megapixels hold what they changed, not the picture", () => {
  const [width, height] = [5320, 3032];
  const map = new LabelMap(width, height, new Uint8Array(width * height));
  const history = new History(map);
  const keep = new Uint8Array(256);
  const next = random(7);
  for (let stroke = 0; stroke < 100; stroke++) {
    const from = { x: next() * width, y: next() * height };
    const to = { x: from.x + 300 * next(), y: from.y + 300 * next() };
    const value = 1 + (stroke % 9);
    history.record(() => strokeSpans(from, to, 20, (y, start, end) => map.fillSpan(y, start, end, value, keep)));
  }
  assert.equal(history.past.length, 100);
  assert.ok(history.bytes < 4 * 1024 * 1024, `${history.bytes} bytes`);
  while (history.undo());
  assert.equal(map.counts[0], width * height);
});

test("history forgets the oldest edits beyond its limits, and its count of bytes follows", () => {
  const map = new LabelMap(300, 300, new Uint8Array(90000));
  const history = new History(map, { edits: 3 });
  for (let value = 1; value < 6; value++) history.record(() => map.fillSpan(value, 0, 300, value, new Uint8Array(256)));
  assert.equal(history.past.length, 3);
  while (history.undo());
  assert.deepEqual([1, 2, 3].map((y) => map.at(0, y)), [1, 2, 0]);
  history.record(() => map.fillSpan(9, 0, 300, 1, new Uint8Array(256)));
  assert.equal(history.future.length, 0);
  history.undo();
  history.forget(history.future);
  assert.equal(history.bytes, 0);
});
