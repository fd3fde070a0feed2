/**
 * What the package says, in the words of this page. Its errors name the options of the shell, of recipes and of Python,
 * which nobody can type here: each becomes what the page has for it, and advice that the page has nothing for is left out.
 */

/** What the page has for an option. @type {Record<string, string>} */
const HERE = {
  m: "the model above", model: "the model above", window: "the window under Slices", classes: "Edit classes",
  keep: "the class in hand", "max-pixels": "the server's limit of pixels", "max-bytes": "the server's limit of bytes",
  "max-points": "the server's limit of points", "max-scores": "the server's limit of memory",
  deadline: "the server's limit of time",
};

/** An option, and its value if it is quoted, a number, a list of them, or a word in capitals. */
const OPTION = /(?<![\w-])--?([a-z][a-z-]*)(?:[= ](?:'[^']*'|"[^"]*"|[-\d][\d.,:%-]*|[A-Z][A-Z=./]*(?![a-z])|[\w.]+(?:,[\w.]+)+))?/g;
/** A part of a data set, where the page has but its project. */
const SPLIT = / of the split '[^']*'/g;
const PARENTHESES = /\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)/g;
/** Words of recipes, Python, the shell and the HTTP API. */
const ELSEWHERE = /(?:^|[\s'"])(?:recipes?:|Python:|train:|intarsia (?:[a-z]+ )*[A-Z-]|run: |curl |\w+=(?:\.\.\.|[A-Z]|$)|max_side|\/v1\/|(?:data|input|training|model|optimizer)\.[a-z_]+)/;
const CLAUSES = /(?<=[.:;,])(?= )(?![^(]*\))/;

/**
 * Say a text of the package in the words of this page.
 * @param {string} text
 */
export function inWordsOfThePage(text) {
  const plain = text.replace(SPLIT, "").replace(PARENTHESES, (whole, inner) => (isElsewhere(inner) ? here(inner) : whole));
  const kept = plain.split(CLAUSES).map(clause).join("");
  return kept.replace(/([:;]) or /g, "$1 ").replace(/[;,:]$/, ".").trim();
}

/** @param {string} text */
function isElsewhere(text) {
  return text.search(OPTION) >= 0 || ELSEWHERE.test(text);
}

/**
 * What the page has for the first option in parentheses that it has something for.
 * @param {string} inner
 */
function here(inner) {
  const names = [...inner.matchAll(OPTION)].map(([, name]) => HERE[name]).filter(Boolean);
  return names.length ? ` (${names[0]})` : "";
}

/**
 * A clause with the page's names in place of options; nothing of one that names what the page has not.
 * @param {string} part with what ends it
 * @param {number} place
 */
function clause(part, place) {
  const translated = part.replace(OPTION, (whole, name) => HERE[name] ?? whole);
  if (!isElsewhere(translated)) return translated;
  return place ? "" : translated;
}
