import assert from "node:assert/strict";
import { test } from "node:test";

import { inWordsOfThePage } from "../../../intarsia/serving/studio/js/words.js";

const SAID = [
  ["what the page has is named", "name the range (--window 0,1; recipe: input.window)", "name the range (the window under Slices)"],
  ["what it has not is left out", "say one of lips and hair at least (--lips '#b0123b')", "say one of lips and hair at least"],
  ["a model is chosen above", "its classes are a, b; use a street model (-m street)", "its classes are a, b; use a street model (the model above)"],
  ["limits are the server's", "the limit is 40; send it smaller, post it to /v1/jobs, or raise --max-pixels", "the limit is 40; send it smaller, or raise the server's limit of pixels"],
  ["advice for the shell alone is left out", "there is a run; continue it with --resume, or choose another folder", "there is a run; choose another folder"],
  ["a whole command, too", "no pixel is labelled; to cluster pictures: intarsia segment PHOTO -m kmeans", "no pixel is labelled; to cluster pictures."],
  ["recipes are none of this page", "workers died: use fewer: --set training.workers=0, and go on with --resume", "workers died: use fewer."],
  ["nor splits", "all labelled pixels of the split 'train' are 'cup'; label others", "all labelled pixels are 'cup'; label others"],
  ["Python neither", "what is it (--category NAME; Python: category=NAME), one of: chair, table", "what is it, one of: chair, table"],
];

for (const [title, from, to] of SAID) test(title, () => assert.equal(inWordsOfThePage(from), to));

test("plain sentences stay as they are", () => {
  const texts = [
    "a well-known file-name (of mine) is fine - really; nothing is changed",
    "two classes are named 'haze'; give one of them another name",
    "values -160 to 240 (low, high): black and white",
    "scikit-learn is not installed; it comes with: pip install 'intarsia[train]'",
  ];
  for (const text of texts) assert.equal(inWordsOfThePage(text), text);
});
