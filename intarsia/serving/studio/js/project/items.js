/** The items of the project, as the server tells them: a part at a time, in an order. */

import { call, callJson } from "../api.js";

/** @typedef {import("../state.js").Item} Item */
/** @typedef {Item & {agreement?: number | null, error?: string}} Listed */
/** @typedef {"name" | "uncertainty" | "worst"} Order */
/**
 * @typedef {{name: string, classes: import("../state.js").ClassInfo[], ignore_index: number, items: Listed[],
 *   total: number, notes: string[], folder?: string}} Told
 */

export const ORDERS = /** @type {[Order, string][]} */ ([
  ["name", "By name"],
  ["uncertainty", "Most uncertain first"],
  ["worst", "Worst first"],
]);

/**
 * @param {string} id
 * @param {string} [part]
 */
export function pathOf(id, part = "") {
  return `/v1/project/items/${encodeURIComponent(id)}${part}`;
}

/**
 * Fetch a part of the list.
 * @param {{offset?: number, limit?: number, order?: Order}} [query]
 * @returns {Promise<Told>}
 */
export function fetchItems(query = {}) {
  return callJson("/v1/project", { query });
}

/**
 * Fetch one item with all that is known of it.
 * @param {string} id
 * @returns {Promise<Listed & {times?: number[], window?: [number, number] | null, spacing?: number[]}>}
 */
export function fetchItem(id) {
  return callJson(pathOf(id));
}

/**
 * Have a model predict an item, or a frame of it; the server keeps the draft.
 * @param {string} id
 * @param {{model?: string, frame?: number}} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<number>} how uncertain it is, 0 to 1
 */
export async function predict(id, query, signal) {
  const answer = await call(pathOf(id, "/predict"), { method: "POST", query, signal });
  return Number(answer.headers.get("X-Uncertainty") ?? 0);
}

/**
 * Tell whether somebody said the labels of an item, here or in the data.
 * @param {Item} item
 */
export function isLabelled(item) {
  return item.state === "corrected" || item.state === "labelled";
}

/**
 * Say a share for people.
 * @param {number} share
 */
export function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/**
 * Say what went wrong.
 * @param {unknown} error
 */
export function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}
