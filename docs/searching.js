// The theme's search shows the sections that hold every word that is typed. People ask in sentences: words that tell nothing of what is
// looked for ("how do I") are left out here, and so are those that no section holds together with the words before them.
const IDLE = new Set(
  ("a about all am an and any are as at be but by can cannot do does doesn for from get got has have how i if in into is it its just" +
    " me my need no not of on only or our please should so t than that the them then there these this to too up very want was we" +
    " what when where which who why will with would you your").split(" "),
);
let sections = [];

function plain(text) {
  return ` ${text.replace(/<[^>]*>/g, " ").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ")} `;
}

/** The words of a question that at least one section holds together, each as it is or without its ending. */
function tellingWords(question) {
  let left = sections;
  const words = [];
  for (const word of plain(question).trim().split(" ").filter((one) => one && !IDLE.has(one))) {
    for (const form of [word, word.replace(/(?:ing|ed|es|s)$/, "")]) {
      const holding = left.filter((section) => section.includes(` ${form}`));
      if (form.length < 2 || !holding.length) continue;
      left = holding;
      words.push(form);
      break;
    }
  }
  return words;
}

// The theme asks a worker: message 0 brings it all sections, message 2 what is typed.
const { postMessage } = Worker.prototype;
Worker.prototype.postMessage = function (message, ...rest) {
  if (message.type === 0) {
    sections = message.data.items.map((item) => plain(`${item.title} ${item.path.join(" ")} ${item.text}`));
  } else if (message.type === 2 && message.data.input) {
    const words = tellingWords(message.data.input);
    if (words.length) message = { ...message, data: { ...message.data, input: words.join(" ") } };
  }
  return postMessage.call(this, message, ...rest);
};
