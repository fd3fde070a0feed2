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
 * Write what the requests do in Python, without the server for the picture.
 * @param {Asked} asked
 */
export function pythonOf({ origin, project, model, name, needsKey }) {
  const address = JSON.stringify(`${origin}/v1/project/export?format=${encodeURIComponent(project)}`);
  const request = needsKey
    ? `urllib.request.Request(${address}, headers={"Authorization": "Bearer " + os.environ["INTARSIA_API_KEY"]})`
    : address;
  return [
    ...(needsKey ? ["import os"] : []),
    "import urllib.request",
    "",
    "import intarsia",
    "",
    "# all labels of the project",
    `with urllib.request.urlopen(${request}) as answer, open("labels.zip", "wb") as file:`,
    "    file.write(answer.read())",
    "# what the model says of a picture",
    `result = intarsia.load(${JSON.stringify(model || "street")}).segment(${JSON.stringify(name)})`,
    'result.save("mask.png")',
  ].join("\n");
}
