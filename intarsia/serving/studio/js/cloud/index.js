/**
 * Point clouds in the studio: where the list opens one, a view of it takes the place of the picture. The legend, its locks
 * and what it shows mean the same there. Loaded by main.js.
 */

import { refreshClasses } from "../classlist.js";
import { byId, icon, make } from "../dom.js";
import { addToSheet } from "../keys.js";
import { shownColor, showShares } from "../legend.js";
import { editor, started, state, view as picture } from "../main.js";
import { parseHex } from "../palettes.js";
import { reasonOf } from "../project/items.js";
import { leave } from "../saving.js";
import { CloudGestures } from "./gestures.js";
import { CloudPanel } from "./panel.js";
import { CloudSession } from "./session.js";
import { CloudView } from "./view.js";

/** @typedef {import("./gestures.js").ToolName} ToolName */

const SHARES_AFTER = 200; // ms without a change
const UNKNOWN = [140, 140, 140, 255];
const TOOLS = /** @type {[ToolName, string, string, string][]} */ ([
  ["turn", "Turn", "v", "Drag turns, Shift and drag moves, the wheel zooms. Keys: arrows, + and −."],
  ["lasso", "Lasso", "b", "Draw around points. With the right button, or Space held, a drag turns."],
  ["polygon", "Polygon lasso", "p", "Click corners; a double click, or Enter twice at one place, closes. Backspace takes one back."],
]);
/** Keys of the picture's tools, which mean nothing here. */
const IDLE = new Set([..."cefwouamdti", "End"]);

document.head.append(make("link", { rel: "stylesheet", href: "/studio/cloud.css" }));

class CloudStage {
  constructor() {
    this.canvas = make("canvas", { id: "cloud-canvas", tabIndex: 0, role: "application", "aria-label": "Point cloud", "aria-describedby": "cloud-hint" });
    this.line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    const overlay = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    overlay.setAttribute("aria-hidden", "true");
    overlay.append(this.line);
    this.hint = make("p", { id: "cloud-hint" });
    this.buttons = TOOLS.map(([tool, title, key, hint]) => this.#makeTool(tool, title, key, hint));
    const bar = make("div", { id: "cloud-tools", role: "toolbar", "aria-label": "Tools of the cloud", "aria-orientation": "vertical" }, ...this.buttons.map(({ button }) => button));
    this.element = make("div", { id: "cloud", hidden: true }, this.canvas, overlay, bar, this.hint);
    byId("stage").append(this.element);
    this.view = new CloudView(this.canvas);
    this.panel = new CloudPanel(this.view);
    this.gestures = new CloudGestures(this.view, (line) => void this.session?.lasso(line, this.panel.front.checked));
    this.gestures.addEventListener("line", () => this.#drawLine());
    /** @type {CloudSession | null} */
    this.session = null;
    this.sharesTimer = 0;
    this.take("turn");
    this.#listen();
  }

  /**
   * @param {ToolName} tool
   * @param {string} title
   * @param {string} key
   * @param {string} hint
   */
  #makeTool(tool, title, key, hint) {
    const button = make("button", { type: "button", className: "tool", title: `${title} (${key.toUpperCase()})`, "aria-label": title, "aria-keyshortcuts": key }, icon(tool));
    button.addEventListener("click", () => this.take(tool));
    return { tool, button, hint, key };
  }

  #listen() {
    for (const name of /** @type {const} */ (["classes", "locks"])) state.on(name, () => this.paint());
    state.on("classes", () => this.#shares());
    addEventListener("palette", () => this.paint());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    this.canvas.addEventListener("webglcontextrestored", () => this.session && void this.open(this.session.item));
    state.on("item", () => state.item !== this.session?.item && this.close());
    // Before the picture's own handlers, which have nothing to do while a cloud is open.
    document.addEventListener("keydown", (event) => this.session && this.#key(event), { capture: true });
    document.addEventListener("click", (event) => this.session && this.#click(event), { capture: true });
  }

  /**
   * Open a cloud of the project.
   * @param {import("../state.js").Item & {error?: string}} item
   */
  async open(item) {
    if (item.error) return state.say(item.error, "error");
    await leave();
    this.close();
    const session = (this.session = new CloudSession(item, this.view));
    Object.assign(state, { item, frame: 0, photo: null, photoFile: null, labels: null, prediction: null, uncertainty: null });
    editor.open(null);
    this.element.hidden = false;
    document.body.classList.add("with-cloud");
    this.canvas.setAttribute("aria-label", `Point cloud ${item.name}`);
    state.emit("item");
    state.emit("labels", null);
    state.emit("saved", "");
    this.panel.show(session);
    session.addEventListener("change", () => this.#history());
    session.addEventListener("change", () => this.#shares());
    session.addEventListener("begin", () => this.#takeClasses(session).catch((error) => state.say(reasonOf(error), "error")));
    if (!this.view.painter) {
      this.hint.textContent = "This browser has no WebGL2, which point clouds need; another browser shows them. The file can still be predicted and downloaded.";
      return;
    }
    state.emit("busy", `Opening ${item.name}`);
    try {
      await session.load();
    } catch (error) {
      if (session === this.session) state.say(`${item.name}: ${reasonOf(error)}`, "error");
    } finally {
      if (session === this.session) state.emit("busy", "");
    }
  }

  /**
   * Take the project's classes over: the file may have brought some along.
   * @param {CloudSession} session
   */
  async #takeClasses(session) {
    await refreshClasses();
    if (session !== this.session) return;
    this.paint();
    this.#shares();
  }

  close() {
    if (!this.session) return;
    this.session.close();
    this.session = null;
    this.gestures.clear();
    this.panel.show(null);
    this.element.hidden = true;
    document.body.classList.remove("with-cloud");
    picture.resize(); // its canvas had no size while it was hidden
    if (picture.fitted) picture.fit();
    picture.redraw();
  }

  /** @param {ToolName} tool */
  take(tool) {
    this.gestures.take(tool);
    for (const each of this.buttons) {
      each.button.setAttribute("aria-pressed", String(each.tool === tool));
      if (each.tool === tool) this.hint.textContent = each.hint;
    }
    this.canvas.dataset.tool = tool;
  }

  /** Colour classes as the legend does: a table of which the points look up their own. */
  paint() {
    const { session, view } = this;
    if (!session || !view.painter) return;
    const size = session.labels.BYTES_PER_ELEMENT === 2 ? 65536 : 256;
    const table = new Uint8Array(4 * size);
    for (let label = 0; label < size; label++) table.set(UNKNOWN, 4 * label);
    for (const { index } of state.classes) {
      if (index < size) table.set([...parseHex(shownColor(index) ?? "#000000"), state.hidden.has(index) ? 0 : 255], 4 * index);
    }
    view.back = parseHex(getComputedStyle(document.documentElement).getPropertyValue("--stage").trim());
    view.painter.setPalette(table);
    view.redraw();
  }

  /** Show in the legend how large a part of the points that are here each class has, when they rest. */
  #shares() {
    clearTimeout(this.sharesTimer);
    this.sharesTimer = setTimeout(() => this.session && showShares(this.session.counts(), this.view.loaded), SHARES_AFTER);
  }

  #history() {
    /** @type {HTMLButtonElement} */ (byId("undo")).disabled = !this.session?.past;
    /** @type {HTMLButtonElement} */ (byId("redo")).disabled = !this.session?.future;
  }

  #drawLine() {
    const { line, place, byKeys } = this.gestures;
    const points = this.gestures.tool === "polygon" && place && (line.length || byKeys) ? [...line, place] : line;
    this.line.setAttribute("points", points.map((point) => point.join()).join(" "));
  }

  /**
   * Do an action of the studio to the cloud.
   * @param {string} action
   * @returns {boolean} whether it is one
   */
  #act(action) {
    const { session, view, gestures } = this;
    if (action === "undo" || action === "redo") void session?.step(action);
    else if (action === "predict") void this.panel.predict();
    else if (action === "zoom-in" || action === "zoom-out") view.camera.zoomBy(action === "zoom-in" ? 1.25 : 0.8);
    else if (action === "fit") view.camera.fit();
    else if (action === "cancel") gestures.clear();
    else if (action === "back") gestures.back();
    else return false;
    if (/^(zoom|fit)/.test(action)) view.redraw();
    return true;
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const button = /** @type {Element} */ (event.target).closest("[data-action]");
    if (button && this.#act(button.getAttribute("data-action") ?? "")) event.stopPropagation();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (document.querySelector("dialog[open]") || target.closest("input, select, textarea")) return;
    const isOwn = (target === this.canvas && this.gestures.key(event)) || this.#keyAction(event);
    if (!isOwn) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {KeyboardEvent} event */
  #keyAction(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      const action = key === "z" ? (event.shiftKey ? "redo" : "undo") : key === "y" ? "redo" : "";
      return this.#act(action);
    }
    const tool = this.buttons.find((each) => each.key === key)?.tool;
    if (tool) this.take(tool);
    const actions = /** @type {Record<string, string>} */ ({ r: "predict", "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", Home: "fit", Escape: "cancel", Backspace: "back" });
    return Boolean(tool) || (key in actions && this.#act(actions[key])) || IDLE.has(key);
  }
}

/** Icons that only this room has. */
function addIcons() {
  const shapes = {
    turn: "M12 4c5 0 9 3.500 9 8s-4 8-9 8-9-3.500-9-8 4-8 9-8M12 4c2.500 0 4 3.500 4 8s-1.500 8-4 8-4-3.500-4-8 1.500-8 4-8M3 12h18",
    lasso: "M12 4c5 0 9 2.500 9 6s-4 6-9 6-9-2.500-9-6 4-6 9-6M7 15.500c-1 1-1 3 .5 3.500s1.500 1.500 1 2.500",
  };
  for (const [name, shape] of Object.entries(shapes)) {
    const symbol = document.createElementNS("http://www.w3.org/2000/svg", "symbol");
    symbol.id = `i-${name}`;
    symbol.setAttribute("viewBox", "0 0 24 24");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", shape);
    symbol.append(path);
    document.querySelector(".sheet-of-icons")?.append(symbol);
  }
}

addIcons();
addToSheet("In a point cloud", [
  ...TOOLS.map(([, title, key]) => ({ title, keys: [key] })),
  { title: "Turn", keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"] },
  { title: "Put a corner of the polygon down; twice at one place closes it", keys: ["Enter"] },
]);

export const stage = new CloudStage();
addEventListener("open-cloud", (event) => void stage.open(/** @type {CustomEvent} */ (event).detail));
void started.then(([first]) => {
  if (!state.item && first?.medium === "cloud") void stage.open(first); // a project of clouds alone
});
