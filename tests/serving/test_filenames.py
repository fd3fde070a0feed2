"""Names under which answers are kept."""

from __future__ import annotations

from intarsia.serving.filenames import disposition


def test_a_name_is_told_to_those_that_read_ascii_alone_and_to_all_others() -> None:
    assert disposition("a b.png") == "attachment; filename=\"a b.png\"; filename*=UTF-8''a%20b.png"
    assert disposition("Räkete ü.jpg", "inline") == (
        "inline; filename=\"R_kete _.jpg\"; filename*=UTF-8''R%C3%A4kete%20%C3%BC.jpg"
    )


def test_no_name_ends_the_quotes_or_leaves_the_folder() -> None:
    said = disposition('a"; x="../b\r\n.png')
    assert said.count('"') == 2 and "/" not in said.partition("filename*")[0] and "\n" not in said
