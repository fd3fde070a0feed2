"""The answers as a page with small pictures, by itself in one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from intarsia.apps.search.items import Match
from intarsia.errors import IntarsiaError
from intarsia.files import write_text
from intarsia.media.images import read_image
from intarsia.reports.html import document

MOST = 200
"""Answers that a page shows at most: about two megabytes."""
_SIDE = 200
_QUALITY = 80
_STYLE = (
    "<style>.found{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:16px}"
    ".found img{width:100%;height:170px;object-fit:contain;background:var(--soft);border-radius:6px}"
    ".found figcaption{overflow-wrap:anywhere}</style>"
)


def write_sheet(file: Path, asked: Any, matches: Sequence[Match]) -> None:
    """Write a contact sheet.

    Args:
        file: the page.
        asked: the photo that was searched for; a path, or whatever else a photo is read from.
        matches: the answers; at most 200 are shown.

    Raises:
        DataError: the file cannot be written.
    """
    shown = matches[:MOST]
    left_out = f"<p>The first {MOST} of {len(matches)}.</p>" if len(matches) > MOST else ""
    figures = "".join(_figure(match.path, _caption(match)) for match in shown)
    page = document(
        "Search",
        [
            ("Searched for", f'{_STYLE}<div class="found">{_figure(asked, _name(asked))}</div>'),
            ("Found", f'{left_out}<div class="found">{figures}</div>' if shown else "<p>Nothing.</p>"),
        ],
    )
    write_text(file, page)


def _name(photo: Any) -> str:
    return escape(str(photo)) if isinstance(photo, str | Path) else "a photo in memory"


def _caption(match: Match) -> str:
    swatches = "".join(f'<i style="background:{colour}"></i>' for colour in match.colours)
    said = f"{match.score:.3f} {escape(match.item.category)}"
    return f"<b>{match.rank}</b> {escape(match.item.name)}<br>{said}<br>{swatches}"


def _figure(photo: Any, caption: str) -> str:
    try:
        picture = Image.fromarray(read_image(photo))
    except IntarsiaError:  # it was there when the index was made
        return f"<figure><p>cannot be read any more</p><figcaption>{caption}</figcaption></figure>"
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    address = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<figure><img alt="" src="data:image/jpeg;base64,{address}"><figcaption>{caption}</figcaption></figure>'
