/** Adding pictures: dropped, pasted, chosen, a whole folder, from the camera, or a sample. */

import { call, callJson } from "../api.js";
import { make } from "../dom.js";
import { state } from "../main.js";
import { takePhoto } from "./camera.js";
import { reasonOf } from "./items.js";
import { Refused, upload } from "./upload.js";

/** @typedef {import("./list.js").PictureList} PictureList */

/** @type {PictureList} */
let list;
/** Bytes that the server takes; told by it. */
let limit = Infinity;

/** @param {PictureList} pictures */
export function startAdding(pictures) {
  list = pictures;
  list.tools.append(makeMenu());
  callJson("/v1/project/options").then(({ max_bytes }) => (limit = max_bytes ?? Infinity), () => {});
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  for (const name of ["dragleave", "drop"]) addEventListener(name, () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => void drop(event));
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) void add(files);
  });
}

function makeMenu() {
  const files = make("input", { type: "file", multiple: true, hidden: true, id: "add-files" });
  const folder = make("input", { type: "file", multiple: true, hidden: true, webkitdirectory: true, id: "add-folder" });
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      void add([...(input.files ?? [])].filter(({ name }) => !name.startsWith(".")));
      input.value = "";
    });
  }
  const entries = make("div", { className: "menu", role: "group", "aria-label": "Ways to add pictures" });
  const entry = (/** @type {string} */ text, /** @type {() => void} */ run) => {
    const button = make("button", { type: "button" }, text);
    button.addEventListener("click", run);
    entries.append(button);
  };
  entry("Files …", () => files.click());
  entry("Folder …", () => folder.click());
  entry("Camera …", () => void addPhoto());
  const samples = make("div", { className: "samples" });
  entries.append(samples);
  const menu = make("details", { id: "add" }, make("summary", {}, "Add pictures"), files, folder, entries);
  entries.addEventListener("click", () => (menu.open = false));
  menu.addEventListener("toggle", () => menu.open && !samples.hasChildNodes() && void showSamples(samples));
  return menu;
}

/** @param {HTMLElement} place */
async function showSamples(place) {
  try {
    const samples = /** @type {{name: string, title: string, credit: string}[]} */ (await callJson("/v1/samples"));
    for (const { name, title, credit } of samples) {
      const button = make("button", { type: "button", title: credit }, `Sample: ${title}`);
      button.addEventListener("click", async () => {
        try {
          const blob = await (await call(`/v1/samples/${encodeURIComponent(name)}`)).blob();
          await add([new File([blob], name, { type: blob.type })]);
        } catch (error) {
          state.say(reasonOf(error), "error");
        }
      });
      place.append(button);
    }
  } catch {
    place.remove(); // a server without samples
  }
}

async function addPhoto() {
  const photo = await takePhoto();
  if (photo) await add([photo]);
}

/** @param {DragEvent} event */
async function drop(event) {
  event.preventDefault();
  const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
  const loose = [...(event.dataTransfer?.files ?? [])];
  const found = entries.some((entry) => entry?.isDirectory) ? (await Promise.all(entries.map(filesOf))).flat() : loose;
  await add(found);
}

/**
 * All files of a dropped folder.
 * @param {FileSystemEntry | null} entry
 * @returns {Promise<File[]>}
 */
async function filesOf(entry) {
  if (!entry || entry.name.startsWith(".")) return [];
  if (entry.isFile) {
    return [await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject))];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  for (;;) {
    const part = /** @type {FileSystemEntry[]} */ (await new Promise((resolve, reject) => reader.readEntries(resolve, reject)));
    if (!part.length) break; // browsers hand over a hundred at a time
    found.push(...part);
  }
  return (await Promise.all(found.map(filesOf))).flat();
}

/**
 * Add files one after the other; each shows its progress, and what is refused says why.
 * @param {File[]} files
 */
export async function add(files) {
  if (!files.length) return;
  const stop = new AbortController();
  const bar = make("progress", { max: files.length, value: 0, "aria-label": "Adding pictures" });
  const text = make("span", { role: "status" });
  const cancel = make("button", { type: "button" }, "Cancel");
  cancel.addEventListener("click", () => stop.abort());
  const box = make("div", { className: "uploads" }, text, bar, cancel);
  list.below.prepend(box);
  /** @type {import("./items.js").Listed[]} */
  const added = [];
  const refused = [];
  for (const [place, file] of files.entries()) {
    text.textContent = files.length > 1 ? `${place + 1} of ${files.length}: ${file.name}` : file.name;
    try {
      added.push(...(await addOne(file, place, bar, text, stop.signal)));
    } catch (error) {
      if (stop.signal.aborted) break;
      refused.push(`${file.name}: ${reasonOf(error)}`);
    }
  }
  await list.reload();
  box.remove();
  finish(added, refused, stop.signal.aborted);
  const first = list.items.find(({ id }) => id === added[0]?.id) ?? added[0];
  if (first) await list.open(first);
}

/**
 * @param {File} file
 * @param {number} place
 * @param {HTMLProgressElement} bar
 * @param {HTMLElement} text
 * @param {AbortSignal} signal
 */
async function addOne(file, place, bar, text, signal) {
  if (file.size > limit) {
    const size = (/** @type {number} */ bytes) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
    throw new Refused(413, `Too large: ${size(file.size)}, and the server takes ${size(limit)}; send it smaller.`);
  }
  return upload(file, {
    signal,
    progress: (share) => (bar.value = place + share),
    waiting: (seconds) => (text.textContent = `The server is busy; ${file.name} is sent again in ${seconds} s.`),
  });
}

/**
 * Say what was added, and keep what was refused in sight.
 * @param {import("./items.js").Listed[]} added
 * @param {string[]} refused
 * @param {boolean} cancelled
 */
function finish(added, refused, cancelled) {
  const count = `${added.length} ${added.length === 1 ? "picture" : "pictures"} added`;
  state.say(cancelled ? `Cancelled; ${count}.` : `${count}.`);
  if (!refused.length) return;
  const close = make("button", { type: "button" }, "Close");
  const list_ = make("ul", {}, ...refused.map((reason) => make("li", {}, reason)));
  const box = make("div", { className: "refused", role: "alert" }, make("p", {}, `Not added: ${refused.length}`), list_, close);
  close.addEventListener("click", () => box.remove());
  list.below.prepend(box);
}
