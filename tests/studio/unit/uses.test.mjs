/** The uses: commands that mean what the form says, and a meter that counts. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { quoted } from "../../../intarsia/serving/studio/js/project/commands.js";
import { curlOf, pythonOf, shellOf } from "../../../intarsia/serving/studio/js/uses/commands.js";
import { Meter, stagesOf } from "../../../intarsia/serving/studio/js/uses/meter.js";
import { parametersOf } from "../../../intarsia/serving/studio/js/uses/schema.js";

const USE = {
  name: "paint", title: "Paint", about: "", consent: "", photo: "photo", live: false, missing: "",
  command: "intarsia paint",
  python: { "": 'paint({file}{arguments}).save("{stem}.png")', json: "paint({file}{arguments}).to_json()" },
  files: [{ name: "from", about: "", option: "--from", argument: "other", many: false, pictures: true }],
  parameters: {
    required: ["garment"],
    properties: {
      garment: { type: "string", enum: ["hat", "bag"], title: "Garment" },
      tint: { anyOf: [{ type: "string", maxLength: 40 }, { type: "null" }], format: "color", option: "--colour" },
      whole: { type: "boolean", default: false },
      skin: { anyOf: [{ const: "smooth", type: "string" }, { type: "null" }], default: null },
      write: { type: "string", enum: ["png", "json"], default: "png", argument: "", option: "" },
      model: { type: "string", format: "model" },
    },
  },
};
const WHERE = { origin: "http://127.0.0.1:8000", name: "it's her.jpg", needsKey: false };
const WISH = { values: { garment: "hat", tint: "#b0123b", whole: true }, files: { from: [{ name: "other.jpg" }] } };

test("parameters are told flat, without those that the page decides", () => {
  const told = Object.fromEntries(parametersOf(USE).map(({ name, ...rest }) => [name, rest]));
  assert.deepEqual(Object.keys(told), ["garment", "tint", "whole", "skin", "write"]);
  assert.equal(told.garment.optional, false);
  assert.deepEqual([told.tint.about.type, told.tint.about.maxLength, told.tint.optional], ["string", 40, true]);
  assert.deepEqual(told.skin.about.enum, ["smooth"]);
});

test("each command says the wish, quoted", () => {
  assert.equal(
    curlOf(USE, WISH, WHERE),
    `curl -f -F 'file=@it'\\''s her.jpg' -F from=@other.jpg -OJ 'http://127.0.0.1:8000/v1/composite/paint?garment=hat&tint=%23b0123b&whole=true'`,
  );
  assert.match(curlOf(USE, WISH, { ...WHERE, needsKey: true }), /-H "Authorization: Bearer \$INTARSIA_API_KEY"/);
  assert.equal(shellOf(USE, WISH, WHERE), `intarsia paint 'it'\\''s her.jpg' --garment hat --colour '#b0123b' --whole --from other.jpg`);
  assert.equal(pythonOf(USE, WISH, WHERE), `paint("it's her.jpg", garment="hat", tint="#b0123b", whole=True, other="other.jpg").save("it's her.png")`);
  const asJson = { values: { garment: "bag", write: "json" }, files: {} };
  assert.equal(pythonOf(USE, asJson, { ...WHERE, name: "{stem}.jpg" }), 'paint("{stem}.jpg", garment="bag").to_json()');
  assert.equal(quoted("a-b_c.1/2@x:y=z"), "a-b_c.1/2@x:y=z");
  assert.equal(quoted("$(rm)"), "'$(rm)'");
});

test("the meter tells frames a second, the middle and the slow ones, and the stages", () => {
  const meter = new Meter();
  assert.equal(meter.rate, 0);
  for (let frame = 0; frame < 20; frame += 1) {
    meter.add(100 * frame, 100 * frame + (frame === 7 ? 90 : 40), `read;dur=0.5, predict;dur=${10 + frame}`);
  }
  assert.equal(meter.rate, 10);
  assert.equal(meter.quantile(0.5), 40);
  assert.equal(meter.quantile(1), 90);
  assert.deepEqual(meter.middle, { read: 0.5, predict: 20 });
  for (let frame = 20; frame < 300; frame += 1) meter.add(100 * frame, 100 * frame + 5, "");
  assert.equal(meter.took.length, 90);
  assert.equal(meter.quantile(1), 5);
  assert.deepEqual(stagesOf("queue;dur=1.5, a-b;dur=2"), { queue: 1.5, "a-b": 2 });
  assert.deepEqual(stagesOf(""), {});
});
