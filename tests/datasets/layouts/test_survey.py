"""What mask values mean."""

from __future__ import annotations

from collections import Counter

import pytest

from intarsia.classlists import ClassList
from intarsia.datasets.meaning import Survey, choose
from intarsia.errors import DataError


def gray(values: dict[int, int] | list[int], jpegs: int = 0, flat: list[int] | None = None) -> Survey:
    """A survey of gray values, all of which fill areas, or only those in `flat`."""
    counts = Counter(values if isinstance(values, dict) else dict.fromkeys(values, 100))
    areas = counts if flat is None else Counter({value: counts[value] for value in flat})
    return Survey(values=counts, flat=areas, files=1, jpegs=jpegs)


def colors(codes: dict[int, int]) -> Survey:
    return Survey(colors=Counter(codes), files=1)


AB = ClassList(("a", "b"))
ABC = ClassList(("a", "b", "c"))


@pytest.mark.parametrize(
    ("values", "names", "mapping"),
    [
        ([0, 255], ("background", "foreground"), {0: 0, 255: 1}),
        ([0, 1], ("background", "foreground"), {0: 0, 1: 1}),
        ([0, 65535], ("background", "foreground"), {0: 0, 65535: 1}),
        ([0, 1, 255], ("background", "foreground"), {0: 0, 1: 1, 255: 255}),
        ([0, 1, 2, 4], ("class_0", "class_1", "class_2", "class_3", "class_4"), {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}),
        ([1, 2, 3], ("class_1", "class_2", "class_3"), {1: 0, 2: 1, 3: 2}),
        ([0, 5, 7], ("class_0", "class_5", "class_7"), {0: 0, 5: 1, 7: 2}),
        ([0, 128, 255], ("class_0", "class_128", "class_255"), {0: 0, 128: 1, 255: 2}),
        ([0, 5, 7, 255], ("class_0", "class_5", "class_7"), {0: 0, 5: 1, 7: 2, 255: 255}),
        ([0, 1, 2, 65535], ("class_0", "class_1", "class_2"), {0: 0, 1: 1, 2: 2, 65535: 255}),
    ],
)
def test_values_without_names(values: list[int], names: tuple[str, ...], mapping: dict[int, int]) -> None:
    space, coding, notes = choose(gray(values), None)
    assert space.names == names
    assert coding.values == mapping
    assert notes


def test_the_notes_tell_the_mapping() -> None:
    assert choose(gray([0, 255]), None)[2] == [
        "Masks are binary: value 0 is read as background, 255 as foreground. Other names, the one of value 0 first: "
        "--classes (recipe: data.classes)."
    ]
    assert choose(gray([0, 5, 255]), None)[2] == [
        "No class names were given: only the mask values 0, 5 occur, called class_0, class_5.",
        "Mask value 255 is ignored (not labelled; 33.3% of the pixels). If it is a class, name all classes with their "
        "values (--classes 0:a,5:b,255:c).",
    ]
    assert choose(gray([1, 2, 3]), ABC)[2] == [
        "Mask values start at 1: value 1 is a, value 3 is c.",
        "Mask values are read as 1 a, 2 b, 3 c.",
    ]


@pytest.mark.parametrize(
    ("values", "classes", "ignore", "names", "mapping"),
    [
        ([0, 1], ABC, [], ("a", "b", "c"), {0: 0, 1: 1, 2: 2}),
        ([0, 255], AB, [], ("a", "b"), {0: 0, 255: 1}),
        ([1, 2, 3], ABC, [], ("a", "b", "c"), {1: 0, 2: 1, 3: 2}),
        ([0, 1, 2, 3], ABC, [0], ("a", "b", "c"), {1: 0, 2: 1, 3: 2, 0: 255}),
        ([0, 1, 2], ABC, [0], ("b", "c"), {0: 255, 1: 0, 2: 1}),
        ([0, 5, 7], ABC, [], ("a", "b", "c"), {0: 0, 5: 1, 7: 2}),
        ([0, 1, 2, 255], ABC, [], ("a", "b", "c"), {0: 0, 1: 1, 2: 2, 255: 255}),
        ([0, 1, 2, 11], ABC, [11], ("a", "b", "c"), {0: 0, 1: 1, 2: 2, 11: 255}),
        ([0, 1, 2], ClassList(("void", "a", "b")), [], ("a", "b"), {0: 255, 1: 0, 2: 1}),
        ([0, 9], ClassList(("a", "b"), (), (0, 9)), [], ("a", "b"), {0: 0, 9: 1}),
        ([0, 9, 255], ClassList(("a", "b"), (), (0, 9)), [], ("a", "b"), {0: 0, 9: 1, 255: 255}),
    ],
)
def test_values_with_names(
    values: list[int], classes: ClassList, ignore: list[int], names: tuple[str, ...], mapping: dict[int, int]
) -> None:
    space, coding, _ = choose(gray(values), classes, ignore)
    assert space.names == names
    assert coding.values == mapping


@pytest.mark.parametrize(
    ("found", "classes", "message"),
    [
        (gray([0, 1, 2, 3]), ABC, "values 0-3, but classes names 3 classes.*one value more.*background"),
        (gray([0, 255]), ABC, "binary.*name two classes"),
        (gray([0, 4, 9, 12]), AB, "0, 4, 9, 12.*names 2 classes for the values 0-1"),
        (gray([0]), None, "every mask is empty"),
        (gray(list(range(0, 900, 3))), None, "300 different values"),
        (gray([0, 3, 4, 5, 11], jpegs=1), None, "JPEG blurs class values.*PNG"),
        (colors({0: 50, 0xFF0000: 50}), None, r"colour-coded.*\(0, 0, 0\) 50.0%, \(255, 0, 0\) 50.0%"),
        (colors({0: 50, 0xFF0000: 50}), AB, "colour-coded.*classes and palette"),
        (colors({0: 50, 0xFF0000: 50}), ClassList(("a",), ((0, 0, 0),)), r"does not name: \(255, 0, 0\) 50.0%"),
        (colors({0: 5, 0xFF: 5}), ClassList(("a", "b"), ((0, 0, 255),) * 2), "the same colour"),
        (colors({i * 5: 1 for i in range(1, 2000)}), None, "more than 1024 different colours"),
    ],
)
def test_what_cannot_be_understood(found: Survey, classes: ClassList | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        choose(found, classes)


SOFT = {0: 900, 255: 400} | dict.fromkeys(range(1, 255), 1)


@pytest.mark.parametrize(
    "values",
    [
        SOFT,
        {0: 90, 254: 5, 255: 90},
        {value * 20 // 19: count for value, count in SOFT.items() if value < 240} | {237: 300},
    ],
)
def test_soft_masks_are_cut_in_the_middle(values: dict[int, int]) -> None:
    space, coding, notes = choose(gray(values, flat=[0, max(values)]), None)
    assert coding.threshold == 127
    assert space.names == ("background", "foreground")
    assert "0-127 is read as background, 128-255 as foreground" in notes[0]
    found = gray(values, flat=[0, max(values)])
    assert choose(found, AB)[0].names == ("a", "b")
    with pytest.raises(DataError, match=r"two classes, but classes names 5"):
        choose(found, ClassList(tuple("abcde")))


def test_jpeg_masks() -> None:
    space, coding, notes = choose(gray({0: 900, 3: 8, 100: 2, 250: 10, 255: 400}, jpegs=3, flat=[0, 255]), None)
    assert (space.names, coding.threshold) == (("background", "foreground"), 127)
    assert "JPEG files" in notes[0]


def test_many_index_classes_are_not_mistaken_for_soft_edges() -> None:
    stuff = dict.fromkeys(range(182), 100) | {255: 500}
    space, coding, _ = choose(gray(stuff), None)
    assert len(space) == 182
    assert coding.values[255] == 255


def test_black_and_white_with_tinted_edges() -> None:
    _, coding, _ = choose(colors({0: 900, 0xFFFFFF: 400, 0x090605: 3, 0x747375: 1}), None)
    assert coding.threshold == 127


def test_colours_with_a_palette() -> None:
    classes = ClassList(("Void", "road", "car"), ((0, 0, 0), (128, 64, 128), (64, 0, 128)), (), "label_colors.txt")
    space, coding, notes = choose(colors({0: 50, 0x804080: 50}), classes)
    assert space.names == ("road", "car")
    assert space.palette == ((128, 64, 128), (64, 0, 128))
    assert coding.colors == {(0, 0, 0): 255, (128, 64, 128): 0, (64, 0, 128): 1}
    assert notes == [
        "Masks are colour-coded: 2 of 3 colours of label_colors.txt occur.",
        "The class Void of label_colors.txt is ignored (not labelled).",
    ]
