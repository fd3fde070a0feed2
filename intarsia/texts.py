"""Text files as users have them: UTF-8, UTF-16, UTF-32, or what old programs on Windows wrote."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = "cp1252"


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a short file that people wrote, and a sentence about its encoding where that had to be guessed.

    A byte order mark says which Unicode it is; without one, text in which every other byte is zero is UTF-16. What is
    no UTF-8 is Windows-1252 if it looks like a Western language: letters with accents among plain ones.

    Args:
        data: the whole file.

    Returns:
        The text, without a mark, and the sentence; "" where nothing was guessed.

    Raises:
        ValueError: it is none of these; says why.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), _without_mark(data))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise
        text = data.decode(_WESTERN, "replace")
        if not _is_western(text):
            raise error
        return text, "is not UTF-8 text, and is read as Windows-1252"
    if "\0" in text:
        raise ValueError("it holds zero bytes")
    return text, ""


def _without_mark(data: bytes) -> str:
    first, second = data[::2], data[1::2]
    if len(data) >= 4 and len(data) % 2 == 0:
        if second.count(0) > 0.9 * len(second) and 0 not in first:
            return "utf-16-le"
        if first.count(0) > 0.9 * len(first) and 0 not in second:
            return "utf-16-be"
    return "utf-8"


def _is_western(text: str) -> bool:
    """Whether letters beyond ASCII are the fewer ones in the words that have some, and other signs are rare."""
    if any(not (sign.isprintable() or sign.isspace()) or sign == "\ufffd" for sign in text):
        return False
    words = "".join(sign if sign.isalpha() else " " for sign in text).split()
    letters = "".join(word for word in words if not word.isascii())
    accents = sum(not sign.isascii() for sign in letters)
    signs = sum(not sign.isascii() for sign in text) - accents
    return 2 * accents <= len(letters) and signs <= accents
