/** Click: the server's network finds the region that belongs to the click, starting from the labels as they are. */

import { ApiError, call } from "../api.js";
import { editor } from "../editor.js";
import { decode, encode } from "../pngclient.js";
import { state } from "../state.js";

/** @typedef {{x: number, y: number, class: number}} Click */
/**
 * What the server remembers, and what of ours it knows.
 * @typedef {{id: string, map: import("../labelmap.js").LabelMap, classes: string, version: number, clicks: Click[]}} Session
 */

/** @type {Session | null} */
let session = null;
/** Clicks are answered one after the other: each starts from what the one before left. @type {Promise<void>} */
let answered = Promise.resolve();

/**
 * Send a click and put the box of labels that comes back into the map. Labels that come meanwhile, as another prediction
 * does, get the click as well.
 * @param {Click} click
 * @param {Blob} photo that was clicked
 * @returns {Promise<void>}
 */
async function send(click, photo) {
  const { labels: map } = state;
  if (state.photoFile !== photo || !map) return state.say("The click was left: something else was opened.");
  const classes = classesForServer(state);
  const known = session?.map === map && session.classes === classes ? session : null;
  const sent = map.version;
  const current = known?.version === sent;
  const clicks = [...(current ? known.clicks : []), click];
  const form = new FormData();
  if (known) form.set("session", known.id);
  else form.set("file", photo, "photo");
  if (!current) form.set("labels", await encode(map, state.colors()), "labels.png");
  form.set("classes", classes);
  form.set("clicks", JSON.stringify(clicks));
  form.set("locked", JSON.stringify(lockedFor(state)));
  const answer = await call("/v1/segment/interactive", { method: "POST", body: form });
  const patch = await decode(await answer.arrayBuffer());
  const [left, top, right, bottom] = (answer.headers.get("X-Box") ?? "0,0,0,0").split(",").map(Number);
  if (state.labels !== map) return send(click, photo);
  const before = map.version;
  if (right > left && bottom > top) {
    editor.apply((labels, keep) => labels.paste({ left, top, right, bottom }, patch.data, keep));
  }
  const version = before === sent ? map.version : -1; // what was painted meanwhile the server must be told
  session = { id: answer.headers.get("X-Session") ?? "", map, classes, version, clicks };
  if (map.version === before) state.say("The click changed nothing: is the class locked, or already there?");
}

/**
 * Send a click; once more with everything where the server has forgotten what it knew.
 * @param {Click} click
 * @param {Blob} photo
 */
async function sendAgain(click, photo) {
  const known = session !== null;
  try {
    await send(click, photo);
  } catch (error) {
    session = null; // what the server knows is no longer sure
    if (!known || !(error instanceof ApiError) || error.status !== 404) throw error;
    await send(click, photo);
  }
}

/**
 * Return the classes as the server reads them: a list by index, without gaps.
 * @param {import("../state.js").State} from
 */
function classesForServer({ classes }) {
  const most = Math.max(...classes.map(({ index }) => index));
  const rows = Array.from({ length: most + 1 }, (_, index) => ({ name: `class ${index}`, color: "#000000" }));
  for (const { index, name, color } of classes) rows[index] = { name, color };
  return JSON.stringify(rows);
}

/**
 * Return the classes that a click may not change.
 * @param {import("../state.js").State} from
 */
function lockedFor({ classes, locked, only }) {
  const all = classes.map(({ index }) => index);
  return all.filter((index) => locked.has(index) || (only !== null && index !== only));
}

/** @type {import("./tool.js").Tool} */
export const click = {
  id: "click",
  title: "Click",
  key: "c",
  hint: "Click what belongs to the class in hand: the model moves its border.",
  down({ x, y }) {
    const { labels, photoFile } = state;
    const point = { x: Math.round(x), y: Math.round(y), class: state.current };
    if (!labels || !photoFile || labels.at(point.x, point.y) < 0) return;
    const done = state.wait("Looking for the region");
    answered = answered
      .then(() => sendAgain(point, photoFile))
      .catch((/** @type {Error} */ error) => state.say(error.message, "error"))
      .finally(done);
  },
};
