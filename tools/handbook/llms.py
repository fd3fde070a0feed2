"""`llms.txt`: the site for programs that read. Each page also lies beside its HTML as Markdown."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from handbook.markdown import Page, plain

_HEAD = """# Intarsia

> Semantic segmentation in one Python package: every pixel of a picture (voxel of a volume, point of a cloud) gets its
> class. From labelled photos to a trained, measured, usable model, offline, on a laptop CPU as well as on a GPU.

Each page below is Markdown; the same address with .html is the page for people.

## Pages

"""


def write_llms(staged: Path, site: Path, places: Iterable[str]) -> None:
    """Write `llms.txt` and copy the pages' Markdown beside their HTML.

    Args:
        staged: the folder of the pages.
        site: the built site.
        places: the pages in the order of the navigation.
    """
    lines = []
    for place in places:
        page = Page.read(staged / place)
        lines.append(f"- [{page.title}]({place}): {_first_sentence(page)}")
        (site / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(staged / place, site / place)
    (site / "llms.txt").write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _first_sentence(page: Page) -> str:
    paragraph: list[str] = []
    for line in page.text.splitlines():
        if line and line[0] not in "#!<|-`:=>*" and not line.startswith("    "):
            paragraph.append(line.strip())
        elif paragraph:
            break
    text = plain(" ".join(paragraph))
    return text.partition(". ")[0].rstrip(".:") + "."
