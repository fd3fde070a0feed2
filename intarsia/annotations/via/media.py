"""How VIA names and embeds its images."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import unquote, urlsplit

from intarsia.annotations.losses import Losses

_IMAGES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def file_name(name: str) -> str:
    """The name to look for: of a web address the path without query, of anything else the name itself."""
    if "://" not in name:
        return name
    try:
        return unquote(urlsplit(name).path) or name
    except ValueError:
        return name


def embedded(text: Any, where: str, losses: Losses) -> bytes | None:
    """The image in a data address or base64 text; None when there is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = base64.b64decode(text.partition("base64,")[2] or text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found.startswith(_IMAGES):
        losses.dropped("an embedded image is neither JPEG nor PNG", where)
        return None
    return found
