/** What a panel does, as commands for people who want it in a script. */

import { quoted } from "../project/commands.js";
import { queryOf } from "./requests.js";
import { parametersOf } from "./schema.js";

/** @typedef {import("./schema.js").Use} Use */
/** @typedef {import("./schema.js").Wish} Wish */
/** @typedef {{origin: string, name: string, needsKey: boolean}} Where */

/**
 * Write the request for curl.
 * @param {Use} use
 * @param {Wish} wish
 * @param {Where} where
 */
export function curlOf(use, wish, { origin, name, needsKey }) {
  const query = new URLSearchParams(queryOf(wish)).toString();
  const sent = [["file", name], ...Object.entries(wish.files).flatMap(([field, files]) => files.map((file) => [field, file.name]))];
  return [
    "curl -f",
    ...(needsKey ? ['-H "Authorization: Bearer $INTARSIA_API_KEY"'] : []),
    ...sent.map(([field, file]) => `-F ${quoted(`${field}=@${file}`)}`),
    "-OJ",
    quoted(`${origin}/v1/composite/${use.name}${query && `?${query}`}`),
  ].join(" ");
}

/**
 * Write the command that does the same without the server.
 * @param {Use} use
 * @param {Wish} wish
 * @param {Where} where
 */
export function shellOf(use, wish, { name }) {
  const words = [use.command, quoted(name)];
  for (const { name: parameter, about } of parametersOf(use)) {
    const option = about.option ?? `--${parameter.replaceAll("_", "-")}`;
    const value = wish.values[parameter];
    if (!option || value === undefined || value === false) continue;
    words.push(value === true ? option : `${option} ${quoted(String(value))}`);
  }
  for (const { name: field, option } of use.files) {
    for (const file of option ? (wish.files[field] ?? []) : []) words.push(`${option} ${quoted(file.name)}`);
  }
  return words.join(" ");
}

/**
 * Write what does the same in Python, without the server.
 * @param {Use} use
 * @param {Wish} wish
 * @param {Where} where
 */
export function pythonOf(use, wish, { name }) {
  let given = "";
  for (const { name: parameter, about } of parametersOf(use)) {
    const argument = about.argument ?? parameter;
    const value = wish.values[parameter];
    if (argument && value !== undefined) given += `, ${argument}=${literal(value)}`;
  }
  for (const { name: field, argument } of use.files) {
    const [file] = wish.files[field] ?? [];
    if (argument && file) given += `, ${argument}=${literal(file.name)}`;
  }
  const text = use.python[String(wish.values.write ?? "")] ?? use.python[""];
  const parts = { file: literal(name), arguments: given, stem: literal(stemOf(name)).slice(1, -1) };
  return text.replace(/\{(file|arguments|stem)\}/g, (_, part) => parts[/** @type {keyof typeof parts} */ (part)]);
}

/** @param {string} name */
export function stemOf(name) {
  return (name.split("/").at(-1) ?? name).replace(/\.[^.]+$/, "");
}

/** @param {import("./schema.js").Value} value */
function literal(value) {
  return typeof value === "boolean" ? (value ? "True" : "False") : JSON.stringify(value);
}
