"""Notebooks as pages: their text as it is, their code as blocks. They are stored without outputs and run in tests."""

from __future__ import annotations

import json
from pathlib import Path

from handbook.markdown import Page


def notebook_page(path: Path) -> Page:
    """Read a notebook as a page of Markdown, with a link to the notebook below its title."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    title, _, rest = parts[0].partition("\n")
    link = f'<a href="{path.name}" download>{path.name}</a>, to run it yourself.'
    return Page(path, "\n\n".join([title, link, rest.strip(), *parts[1:]]) + "\n")
