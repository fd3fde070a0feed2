import assert from "node:assert/strict";
import { test } from "node:test";

import { quoted } from "../../../intarsia/serving/studio/js/project/commands.js";
import { parse } from "../../../intarsia/serving/studio/js/project/events.js";

const WORDS = [["plain.png", "plain.png"], ["a b", "'a b'"], ["it's", "'it'\\''s'"], ["$(x)", "'$(x)'"]];

test("words of a shell", () => {
  for (const [text, expected] of WORDS) assert.equal(quoted(text), expected);
});

test("events of the server are read", () => {
  const curve = parse('event: curve\nid: 4\ndata: {"epoch":\ndata: 1}');
  assert.deepEqual(curve, { event: "curve", id: "4", data: { epoch: 1 } });
  assert.equal(parse(": still here"), null);
  assert.deepEqual(parse("data: 2"), { event: "message", id: "", data: 2 });
});
