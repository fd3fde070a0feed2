// The theme makes buttons, lists and tables that scroll; this names them for those who cannot see them, and for the keyboard.
const times = {}; // how often a list's name was met

function name() {
  for (const [number, buttons] of document.querySelectorAll("nav.md-code__nav").entries()) {
    if (!buttons.ariaLabel) buttons.ariaLabel = `Code ${number + 1}`;
  }
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    table.tabIndex = 0;
    table.setAttribute("role", "group");
    table.setAttribute("aria-label", "Table");
  }
  for (const list of document.querySelectorAll("nav.md-nav[aria-label]:not([data-told])")) {
    list.dataset.told = ""; // two lists of one name cannot be told apart
    const said = list.ariaLabel.toLowerCase();
    times[said] = (times[said] ?? 0) + 1;
    if (times[said] > 1) list.ariaLabel += ` ${times[said]}`;
  }
}

new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
name();
