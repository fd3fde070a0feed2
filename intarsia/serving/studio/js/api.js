/** Requests to the server: with the key when it asks for one, and with its problems as errors for people. */

import { inWordsOfThePage } from "./words.js";

/**
 * `classes_revision`: of the classes now, where the request went by older ones.
 * @typedef {{type?: string, title: string, status: number, detail?: string, fix?: string, classes_revision?: number}} Problem
 */
/**
 * `patient`: a server that is busy is asked again when it says; false where the answer would come too late.
 * @typedef {{method?: string, query?: Record<string, string | number | undefined>, body?: BodyInit | null,
 *   headers?: Record<string, string>, signal?: AbortSignal, patient?: boolean}} Options
 */

const KEY = "intarsia-key";
const BUSY = 429;
const MOST_TRIES = 10;

export class ApiError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(inWordsOfThePage([problem.detail || problem.title, problem.fix].filter(Boolean).join(" ")));
    this.problem = problem;
    this.status = problem.status;
  }
}

/** Asks for the key; null when nobody gives one. @type {() => Promise<string | null>} */
let askKey = async () => null;

/**
 * Give the header that carries the key; its bytes are UTF-8, where headers alone take Latin letters as one byte each.
 * @returns {Record<string, string>}
 */
export function keyHeaders() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${String.fromCharCode(...new TextEncoder().encode(key))}` } : {};
}

/** @param {() => Promise<string | null>} ask */
export function setKeyAsker(ask) {
  askKey = ask;
}

/**
 * Send a request.
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>} of a status below 400
 * @throws {ApiError} what the server says is wrong, or that it does not answer
 */
export async function call(path, options = {}) {
  const { patient = true } = options;
  for (let tries = 1; ; tries++) {
    const response = await send(path, options);
    if (response.ok) return response;
    if (response.status === BUSY && patient && tries < MOST_TRIES) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
      continue;
    }
    if (response.status === 401 && tries === 1) {
      const key = await askKey();
      if (key) {
        sessionStorage.setItem(KEY, key);
        continue;
      }
    }
    throw new ApiError(await readProblem(response));
  }
}

/**
 * Send a request and read the JSON of the answer.
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function callJson(path, options) {
  return (await call(path, options)).json();
}

/**
 * Send JSON.
 * @param {string} method
 * @param {string} path
 * @param {unknown} value
 */
export function sendJson(method, path, value) {
  return call(path, { method, body: JSON.stringify(value), headers: { "Content-Type": "application/json" } });
}

/**
 * @param {string} path
 * @param {Options} options
 */
async function send(path, { method = "GET", query = {}, body, headers = {}, signal }) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  try {
    return await fetch(url, { method, body, headers: { ...headers, ...keyHeaders() }, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError({ title: "no answer", status: 0, detail: "The server does not answer.", fix: "Is it still running?" });
  }
}

/**
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
async function readProblem(response) {
  const fallback = { title: `The server answered ${response.status}`, status: response.status };
  try {
    return { ...fallback, ...(await response.json()) };
  } catch {
    return fallback; // a proxy's page, or nothing at all
  }
}
