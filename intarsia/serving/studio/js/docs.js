/** The page of the HTTP API, made from the server's own OpenAPI document. */

import { byId, make } from "./dom.js";

/**
 * @typedef {{type?: string, enum?: unknown[], anyOf?: Schema[], default?: unknown, description?: string, $ref?: string,
 *   items?: Schema, minimum?: number, maximum?: number}} Schema
 * @typedef {{name: string, in: string, required?: boolean, schema: Schema, description?: string}} Parameter
 * @typedef {{tags?: string[], summary?: string, description?: string, parameters?: Parameter[]}} Operation
 * @typedef {{paths: Record<string, Record<string, Operation>>}} Document
 */

/** What is sent to routes that take a body, by the end of their path; all others take a file. */
const BODIES = /** @type {Record<string, string>} */ ({
  "/infer": "-H 'Content-Type: application/json' -d @request.json",
  "/setup": "-H 'Content-Type: application/json' -d @setup.json",
  "/predict": "-H 'Content-Type: application/json' -d @tasks.json",
  "/webhook": "-H 'Content-Type: application/json' -d @event.json",
  "/train": "-H 'Content-Type: application/json' -d '{\"how\": \"scribbles\"}'",
  "/project": "-H 'Content-Type: application/json' -d '{\"classes\": [{\"name\": \"leaf\", \"color\": \"#00aa44\"}]}'",
  "/labels": "-H 'If-Match: \"0\"' --data-binary @mask.png",
  "/items": "-F files=@photo.jpg",
  "/jobs": "-F files=@clip.mp4",
});

/**
 * @param {Schema} schema
 * @returns {string} what a value may be, in words
 */
function kindOf(schema) {
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map(kindOf).filter((one) => one !== "null").join(" | ");
  if (schema.type === "array") return `${kindOf(schema.items ?? {})}, repeatable`;
  const bounds = [schema.minimum, schema.maximum].some((one) => one !== undefined);
  return `${schema.type ?? "text"}${bounds ? ` ${schema.minimum ?? "…"} to ${schema.maximum ?? "…"}` : ""}`;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Operation} operation
 * @returns {string} a command line that calls a route
 */
function commandOf(method, path, operation) {
  const needed = (operation.parameters ?? []).filter((one) => one.in === "query" && one.required);
  const query = needed.map(({ name }) => `${name}=...`).join("&");
  const end = Object.keys(BODIES).find((one) => path.endsWith(one));
  const sends = ["post", "put", "patch"].includes(method);
  const body = sends ? ` ${end ? BODIES[end] : "-F file=@photo.jpg"}` : "";
  const verb = method === "get" || method === "post" ? "" : ` -X ${method.toUpperCase()}`;
  return `curl${verb}${body} '${location.origin}${path}${query ? `?${query}` : ""}'`;
}

/**
 * A text whose names stand between backticks.
 * @param {string} text
 * @returns {(string | HTMLElement)[]}
 */
function marked(text) {
  return text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
}

/**
 * @param {Parameter[]} parameters
 * @returns {HTMLElement}
 */
function tableOf(parameters) {
  const rows = parameters.map(({ name, in: place, required, schema, description }) =>
    make(
      "tr",
      {},
      make("td", {}, make("code", {}, name)),
      make("td", {}, required ? `${place}, required` : place),
      make("td", {}, kindOf(schema)),
      make("td", {}, ...marked([description ?? schema.description ?? "", told(schema.default)].filter(Boolean).join(" "))),
    ),
  );
  const heads = ["Name", "Where", "Value", "Meaning"].map((text) => make("th", { scope: "col" }, text));
  return make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
}

/**
 * @param {unknown} value
 * @returns {string} a default in words
 */
function told(value) {
  const plain = value === undefined || value === null || value === "" || (Array.isArray(value) && !value.length);
  return plain ? "" : `Default: ${JSON.stringify(value)}.`;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Operation} operation
 * @returns {HTMLElement}
 */
function routeOf(method, path, operation) {
  const about = (operation.description ?? operation.summary ?? "").split("\n\n");
  const body = make("div", {}, ...about.slice(1).map((text) => make("p", {}, ...marked(text))));
  if (operation.parameters?.length) body.append(tableOf(operation.parameters));
  body.append(make("pre", { tabIndex: 0 }, commandOf(method, path, operation)));
  return make(
    "details",
    {},
    make(
      "summary",
      {},
      make("span", { className: "method" }, method.toUpperCase()),
      make("code", {}, path),
      " ",
      make("span", { className: "about" }, ...marked(about[0] ?? "")),
    ),
    body,
  );
}

async function show() {
  const answer = await fetch("/openapi.json");
  const { paths } = /** @type {Document} */ (await answer.json());
  /** @type {Map<string, HTMLElement[]>} */
  const families = new Map();
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const family = operation.tags?.[0] ?? "other";
      families.set(family, [...(families.get(family) ?? []), routeOf(method, path, operation)]);
    }
  }
  const main = byId("routes");
  main.replaceChildren();
  for (const [family, routes] of families) {
    const id = family.replaceAll(" ", "-");
    byId("contents").append(make("a", { href: `#${id}` }, family));
    main.append(make("section", {}, make("h2", { id }, family), ...routes));
  }
  main.removeAttribute("aria-busy");
}

show().catch((error) => byId("routes").replaceChildren(make("p", { role: "alert" }, String(error))));
