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
let busy = false;

/**
 * Send a click and put the box of labels that comes back into the map.
 * @param {Click} click
 */
async function send(click) {
  const { labels: map, photoFile } = state;
  if (!map || !photoFile) return;
  const classes = classesForServer(state);
  const known = session?.map === map && session.classes === classes ? session : null;
  const sent = map.version;
  const current = known?.version === sent;
  const clicks = [...(current ? known.clicks : []), click];
  const form = new FormData();
  if (known) form.set("session", known.id);
  else form.set("file", photoFile, "photo");
  if (!current) form.set("labels", await encode(map, state.colors()), "labels.png");
  form.set("classes", classes);
  form.set("clicks", JSON.stringify(clicks));
  form.set("locked", JSON.stringify(lockedFor(state)));
  const answer = await call("/v1/segment/interactive", { method: "POST", body: form });
  const patch = await decode(await answer.arrayBuffer());
  const [left, top, right, bottom] = (answer.headers.get("X-Box") ?? "0,0,0,0").split(",").map(Number);
  if (state.labels !== map) return; // another picture was opened meanwhile
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
 */
async function sendAgain(click) {
  const known = session !== null;
  try {
    await send(click);
  } catch (error) {
    session = null; // what the server knows is no longer sure
    if (!known || !(error instanceof ApiError) || error.status !== 404) throw error;
    await send(click);
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
    if (busy || !state.labels) return;
    const point = { x: Math.round(x), y: Math.round(y), class: state.current };
    if (state.labels.at(point.x, point.y) < 0) return;
    busy = true;
    state.emit("busy", "Looking for the region");
    sendAgain(point)
      .catch((/** @type {Error} */ error) => state.say(error.message, "error"))
      .finally(() => {
        busy = false;
        state.emit("busy", "");
      });
  },
};
