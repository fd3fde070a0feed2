"""Words of messages."""

from intarsia.errors import counted, suggest


def test_counted() -> None:
    assert [counted(number, "cloud") for number in (0, 1, 2, 12345)] == [
        "0 clouds",
        "1 cloud",
        "2 clouds",
        "12,345 clouds",
    ]
    assert [counted(number, "class", "classes") for number in (1, 3)] == ["1 class", "3 classes"]


def test_suggest() -> None:
    assert suggest("heigth", ["height", "color"]) == " Did you mean 'height'?"
    assert suggest("x", ["height", "color"]) == " Known: color, height."
    assert suggest("x", []) == ""
