/** The list of pictures at the left: thumbnails as they come into sight, how far each is, and the order. */

import { call } from "../api.js";
import { byId, icon, make } from "../dom.js";
import { onAction } from "../keys.js";
import { openItem, state } from "../main.js";
import { startOf } from "../picture.js";
import { inWordsOfThePage } from "../words.js";
import { fetchItem, fetchItems, isLabelled, ORDERS, pathOf, percent, reasonOf } from "./items.js";

/** @typedef {import("./items.js").Listed} Listed */
/** @typedef {import("./items.js").Order} Order */

const PART = 100;
const SIDE = 160; // pixels of a thumbnail, for displays of two pixels to one

export class PictureList {
  constructor() {
    /** @type {Listed[]} */
    this.items = [];
    this.total = 0;
    /** Done when all is there that was asked for: one after the other, so that no answer overtakes. @type {Promise<void>} */
    this.fetched = Promise.resolve();
    /** The item that is being opened. @type {Listed | null} */
    this.coming = null;
    /** @type {Order} */
    this.order = "name";
    this.count = make("span", { className: "count" });
    this.rows = make("ul", { className: "pictures" });
    this.more = make("button", { type: "button", className: "more", hidden: true }, "Show more");
    this.tools = make("div", { className: "list-tools" });
    this.below = make("div", { className: "list-below" });
    this.seen = new IntersectionObserver((entries) => this.#show(entries), { root: byId("items"), rootMargin: "300px" });
    this.#build();
  }

  #build() {
    const order = make("select", { "aria-label": "Order of the pictures" });
    order.append(...ORDERS.map(([value, text]) => make("option", { value }, text)));
    order.addEventListener("change", () => {
      this.order = /** @type {Order} */ (order.value);
      void this.reload();
    });
    this.more.addEventListener("click", () => void this.#add());
    this.rows.addEventListener("keydown", (event) => this.#move(event));
    const head = make("header", {}, make("h2", {}, "Pictures ", this.count), order);
    byId("items").replaceChildren(head, this.tools, this.rows, this.more, this.below);
  }

  /** Fetch the list again, and keep what is open marked. */
  reload() {
    this.fetched = this.fetched.then(() => this.#fetch(0, Math.max(PART, this.items.length)));
    return this.fetched;
  }

  #add() {
    this.fetched = this.fetched.then(() => this.#fetch(this.items.length, PART));
    return this.fetched;
  }

  /**
   * Fetch a part of the list in place of all that is shown from there on.
   * @param {number} offset
   * @param {number} limit
   */
  async #fetch(offset, limit) {
    try {
      const told = await fetchItems({ offset, limit, order: this.order });
      this.total = told.total;
      this.items.splice(offset, Infinity, ...told.items);
      this.rows.replaceChildren(...[...this.rows.children].slice(0, offset), ...told.items.map((item) => this.#row(item)));
      this.count.textContent = String(told.total);
      this.more.hidden = this.items.length >= told.total;
      this.mark();
    } catch (error) {
      state.say(reasonOf(error), "error");
    }
  }

  /** @param {Listed} item */
  #row(item) {
    const picture = pictureOf(item);
    const open = make("button", { type: "button", className: "picture" }, picture, make("span", { className: "caption" }));
    open.addEventListener("click", () => void this.open(item));
    const remove = make("button", { type: "button", className: "tiny remove", "aria-label": `Remove ${item.name}` }, "×");
    remove.addEventListener("click", () => void this.#remove(item));
    const row = make("li", { "data-id": item.id }, open, remove);
    this.#write(row, item);
    if (picture instanceof HTMLImageElement) this.seen.observe(picture);
    return row;
  }

  /**
   * Write how far an item is.
   * @param {Element} row
   * @param {Listed} item
   */
  #write(row, item) {
    const caption = /** @type {HTMLElement} */ (row.querySelector(".caption"));
    const parts = [item.error ? "cannot be read" : item.state];
    if (item.frames) parts.push(`${item.frames} ${item.medium === "video" ? "frames" : "slices"}`);
    if (item.uncertainty !== null && !isLabelled(item)) parts.push(`${percent(item.uncertainty)} unsure`);
    if (typeof item.agreement === "number") parts.push(`${percent(item.agreement)} agree`);
    caption.replaceChildren(
      make("span", { className: "item-name", title: item.name }, item.name.split("/").at(-1) ?? item.name),
      make("span", { className: `item-state ${item.state}`, title: inWordsOfThePage(item.error ?? "") }, parts.join(" · ")),
    );
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #show(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.seen.unobserve(target);
      void showThumbnail(/** @type {HTMLImageElement} */ (target));
    }
  }

  /**
   * Open an item.
   * @param {Listed} item
   */
  async open(item) {
    if (item.medium === "cloud") {
      dispatchEvent(new CustomEvent("open-cloud", { detail: item }));
      return;
    }
    if (item.error) return state.say(inWordsOfThePage(item.error), "error");
    this.coming = item;
    await openItem(item, item.frames ? { frame: startOf(item) } : {});
    if (this.coming === item) this.coming = null;
    this.mark();
  }

  /** Mark the open picture, and write how far it is now. */
  mark() {
    for (const row of this.rows.children) {
      const id = row.getAttribute("data-id");
      const isOpen = id === state.item?.id;
      const button = /** @type {HTMLElement} */ (row.querySelector(".picture"));
      if (isOpen) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  /**
   * Take over what is known of an item now.
   * @param {Partial<Listed> & {id: string}} changed
   */
  update(changed) {
    const item = this.items.find(({ id }) => id === changed.id);
    const row = [...this.rows.children].find((each) => each.getAttribute("data-id") === changed.id);
    if (item && row) this.#write(row, Object.assign(item, changed));
  }

  /** @param {Listed} item */
  async #remove(item) {
    const kept = item.state === "corrected" ? " with its labels" : "";
    if (!confirm(`Remove ${item.name}${kept} from the project?`)) return;
    try {
      await call(pathOf(item.id), { method: "DELETE" });
      const place = this.items.findIndex(({ id }) => id === item.id);
      await this.reload();
      const next = this.items[Math.min(place, this.items.length - 1)];
      if (state.item?.id === item.id && next) await this.open(next);
    } catch (error) {
      state.say(reasonOf(error), "error");
    }
  }

  /**
   * Open the next picture, or the one before: of what is being opened, where somebody steps on before it is there.
   * @param {1 | -1} step
   */
  async step(step) {
    await this.fetched;
    const from = (this.coming ?? state.item)?.id;
    const place = this.items.findIndex(({ id }) => id === from) + step;
    if (place >= this.items.length && !this.more.hidden) await this.#add();
    const item = this.items[place];
    if (!item) return state.say(step > 0 ? "This is the last picture." : "This is the first picture.");
    await this.open(item);
    this.rows.children[place]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = /** @type {Element} */ (event.target).closest("li");
    if (!way || !row) return;
    event.preventDefault();
    const next = way > 0 ? row.nextElementSibling : row.previousElementSibling;
    /** @type {HTMLElement | null} */ (next?.querySelector(".picture") ?? null)?.focus();
  }
}

/**
 * Make the place of a thumbnail; what has no pixels gets a sign.
 * @param {Listed} item
 * @returns {Element}
 */
function pictureOf(item) {
  if (item.medium === "cloud" || item.error) {
    const sign = icon(item.error ? "close" : "turn");
    sign.classList.add("thumbnail");
    return sign;
  }
  const picture = make("img", { alt: "", width: 1, height: 1, className: "thumbnail" });
  picture.dataset.id = item.id;
  if (item.frames) picture.dataset.frame = String(startOf(item));
  return picture;
}

/** @returns {PictureList} */
export function startList() {
  const list = new PictureList();
  void list.reload();
  onAction("next", () => void list.step(1));
  onAction("previous", () => void list.step(-1));
  state.on("item", () => list.mark());
  state.on("saved", (how) => how === "saved" && void refresh(list));
  let before = "";
  state.on("busy", (what) => {
    if (before.startsWith("Predict") && what !== before) void refresh(list);
    before = what;
  });
  return list;
}

/**
 * Write anew how far the open picture is.
 * @param {PictureList} list
 */
async function refresh(list) {
  if (!state.item) return;
  try {
    list.update(await fetchItem(state.item.id));
  } catch (error) {
    state.say(reasonOf(error), "error");
  }
}

/** @param {HTMLImageElement} picture */
async function showThumbnail(picture) {
  try {
    const { id = "", frame } = picture.dataset;
    const answer = await call(pathOf(id, "/image"), { query: { max_side: SIDE, frame } });
    const address = URL.createObjectURL(await answer.blob());
    picture.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    picture.src = address;
  } catch {
    picture.classList.add("broken"); // opening it says why
  }
}
