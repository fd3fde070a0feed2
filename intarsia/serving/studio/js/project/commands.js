/** The requests of the export panel as commands, for people who want them in a script. */

/** @typedef {{origin: string, project: string, picture: string, model: string, name: string, needsKey: boolean}} Asked */

/**
 * Write a text as one word of a shell.
 * @param {string} text
 */
export function quoted(text) {
  return /^[\w./:@=+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * Write the requests for curl.
 * @param {Asked} asked
 */
export function curlOf({ origin, project, picture, model, name, needsKey }) {
  const key = needsKey ? ' -H "Authorization: Bearer $INTARSIA_API_KEY"' : "";
  const query = new URLSearchParams({ ...(model ? { model } : {}), format: picture });
  return [
    "# all labels of the project",
    `curl -f${key} -o labels.zip ${quoted(`${origin}/v1/project/export?format=${encodeURIComponent(project)}`)}`,
    "# what the model says of a picture",
    `curl -f${key} -F ${quoted(`file=@${name}`)} -o answer ${quoted(`${origin}/v1/segment?${query}`)}`,
  ].join("\n");
}

/**
 * Write the requests for Python, which needs nothing installed for them.
 * @param {Asked} asked
 */
export function pythonOf({ origin, project, picture, model, name, needsKey }) {
  const text = (/** @type {string} */ value) => JSON.stringify(value);
  const query = new URLSearchParams({ ...(model ? { model } : {}), format: picture });
  return [
    ...(needsKey ? ["import os"] : []),
    "import urllib.request",
    "from pathlib import Path",
    "",
    needsKey ? 'headers = {"Authorization": "Bearer " + os.environ["INTARSIA_API_KEY"]}' : "headers = {}",
    "# all labels of the project",
    `address = ${text(`${origin}/v1/project/export?format=${encodeURIComponent(project)}`)}`,
    'Path("labels.zip").write_bytes(urllib.request.urlopen(urllib.request.Request(address, headers=headers)).read())',
    "# what the model says of a picture",
    `address = ${text(`${origin}/v1/segment?${query}`)}`,
    `photo = Path(${text(name)}).read_bytes()`,
    'headers["Content-Type"] = "application/octet-stream"',
    'Path("answer").write_bytes(urllib.request.urlopen(urllib.request.Request(address, photo, headers)).read())',
  ].join("\n");
}
