/**
 * Drafts in the browser's own database: the tiles that changed and are not yet at the server.
 *
 * Each page has its own drafts, so that two tabs on one picture never mix. A page holds a lock as long as it lives;
 * drafts of pages that are gone are taken over by the next one that opens the picture.
 */

/** @typedef {import("./runs.js").Packed} Packed */
/**
 * @typedef {{picture: string, owner: string, revision: number, width: number, height: number, saved: number,
 *   tiles: Map<number, Packed>}} Draft `revision` is that of the labels which the tiles go over
 */

const OWNER = crypto.randomUUID?.() ?? `page-${Date.now()}-${Math.random()}`;
const LOCK = "intarsia-page-";

/** @type {Promise<IDBDatabase> | null} */
let database = null;

/** Hold this page's lock until it goes. */
export function holdLock() {
  navigator.locks?.request(LOCK + OWNER, () => new Promise(() => {}));
}

/**
 * Add tiles to this page's draft of a picture.
 * @param {Omit<Draft, "owner" | "saved" | "tiles">} draft
 * @param {Map<number, Packed>} tiles
 */
export async function keepDraft({ picture, revision, width, height }, tiles) {
  const transaction = (await open()).transaction(["drafts", "tiles"], "readwrite");
  transaction.objectStore("drafts").put({ picture, owner: OWNER, revision, width, height, saved: Date.now() });
  const store = transaction.objectStore("tiles");
  for (const [tile, packed] of tiles) store.put({ picture, owner: OWNER, tile, packed });
  await done(transaction);
}

/**
 * Remove a draft: the server has it, or nobody wants it.
 * @param {string} picture
 * @param {string} [owner] default: this page
 */
export async function dropDraft(picture, owner = OWNER) {
  const transaction = (await open()).transaction(["drafts", "tiles"], "readwrite");
  transaction.objectStore("drafts").delete([picture, owner]);
  transaction.objectStore("tiles").delete(IDBKeyRange.bound([picture, owner], [picture, owner, []]));
  await done(transaction);
}

/**
 * Say whether a draft is this page's own.
 * @param {Draft} draft
 */
export function isOwn({ owner }) {
  return owner === OWNER;
}

/**
 * Find the newest draft of a picture that a page left behind when it went.
 * @param {string} picture
 * @returns {Promise<Draft | null>}
 */
export async function findDraft(picture) {
  const living = new Set((await navigator.locks?.query())?.held?.map((lock) => lock.name));
  const transaction = (await open()).transaction(["drafts", "tiles"]);
  /** @type {Draft[]} */
  const drafts = await answer(transaction.objectStore("drafts").getAll(IDBKeyRange.bound([picture], [picture, []])));
  const left = drafts.filter(({ owner }) => owner === OWNER || !living.has(LOCK + owner));
  left.sort((one, other) => other.saved - one.saved);
  const [draft] = left;
  if (!draft) return null;
  const range = IDBKeyRange.bound([picture, draft.owner], [picture, draft.owner, []]);
  /** @type {{tile: number, packed: Packed}[]} */
  const rows = await answer(transaction.objectStore("tiles").getAll(range));
  return { ...draft, tiles: new Map(rows.map(({ tile, packed }) => [tile, packed])) };
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("intarsia-studio", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("drafts", { keyPath: ["picture", "owner"] });
      request.result.createObjectStore("tiles", { keyPath: ["picture", "owner", "tile"] });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return database;
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>}
 */
function done(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}
