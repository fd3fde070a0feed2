// The theme makes buttons and tables that scroll; this names them for those who cannot see them, and for the keyboard.
function name() {
  for (const [number, buttons] of document.querySelectorAll("nav.md-code__nav").entries()) {
    if (!buttons.ariaLabel) buttons.ariaLabel = `Code ${number + 1}`;
  }
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    table.tabIndex = 0;
    table.setAttribute("role", "group");
    table.setAttribute("aria-label", "Table");
  }
}

new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
name();
