/** What the server says of its uses; forms, requests and commands are made from it. */

/**
 * One parameter, as JSON schema: `option` is what the command calls it, `argument` what Python does, "" where it has none.
 * @typedef {{type?: string, enum?: string[], const?: string, format?: string, title?: string, description?: string, default?: unknown,
 *   minimum?: number, maximum?: number, exclusiveMinimum?: number, option?: string, argument?: string,
 *   usual?: string, start?: string, anyOf?: Parameter[]}} Parameter
 */
/** @typedef {{name: string, about: string, option: string, argument: string, many: boolean, pictures: boolean}} FileField */
/**
 * @typedef {{name: string, title: string, about: string, consent: string, photo: string, command: string,
 *   python: Record<string, string>, live: boolean, missing: string, files: FileField[],
 *   parameters: {properties: Record<string, Parameter>, required?: string[]}}} Use
 */
/** @typedef {string | number | boolean} Value */
/** What somebody wants of a use. @typedef {{values: Record<string, Value>, files: Record<string, File[]>}} Wish */

const NOT_ASKED = ["model", "session"]; // formats of what a page decides by itself

/**
 * List the parameters that people choose, each with its one type.
 * @param {Use} use
 * @returns {{name: string, about: Parameter, optional: boolean}[]}
 */
export function parametersOf(use) {
  return Object.entries(use.parameters.properties)
    .filter(([, about]) => !NOT_ASKED.includes(about.format ?? ""))
    .map(([name, about]) => {
      const kind = about.anyOf?.find(({ type }) => type !== "null") ?? {};
      const values = kind.const === undefined ? {} : { enum: [kind.const] };
      return { name, about: { ...kind, ...values, ...about }, optional: !use.parameters.required?.includes(name) };
    });
}
