"""What mask values mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from intarsia.classlists import ClassList, parse_classes
from intarsia.datasets.layouts.survey import survey_of
from intarsia.datasets.meaning import Survey, choose
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.maskfile import StoredMask, class_values


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


def test_numbers_of_objects_are_told() -> None:
    def counting(*highest: int) -> Survey:
        found = Survey()
        for most in highest:
            found.add(survey_of(StoredMask(np.arange(most + 1, dtype=np.uint8).repeat(4).reshape(1, -1))))
        return found

    assert "to 9 in one and to 14 in another, as numbers of objects do" in " ".join(
        choose(counting(9, 12, 14), None)[2]
    )
    for others in (counting(9, 9, 9), counting(2, 3, 4), counting(12, 14)):
        assert "objects" not in " ".join(choose(others, None)[2])
    gaps = counting(9, 12, 14)
    gaps.add(survey_of(StoredMask(np.array([[0, 3, 3, 5]], np.uint8))))
    assert "objects" not in " ".join(choose(gaps, None)[2])
    assert "objects" not in " ".join(choose(counting(2, 3, 4), ClassList(tuple("abcde")))[2])


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


def blocks(labels: list[list[int]], side: int = 8) -> np.ndarray:
    """A map in which every number fills a square."""
    return np.kron(np.array(labels, np.uint8), np.ones((side, side), np.uint8))


def read(
    masks: list[StoredMask], classes: ClassList | None = None, ignore: Sequence[int] = ()
) -> tuple[LabelSpace, list[list[list[int]]], list[str]]:
    """Understand masks and decode them."""
    found = Survey()
    for mask in masks:
        found.add(survey_of(mask))
    space, coding, notes = choose(found, classes, ignore)
    decoded = [coding.decode(mask.shown(colors=coding.painted), space) for mask in masks]
    return space, [labels.tolist() for labels in decoded], notes


def plain(values: np.ndarray) -> StoredMask:
    return StoredMask(values)


GRID = blocks([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 0, 0, 0, 0]])
FIVE = ClassList(("ground", "a", "b", "c", "d"))


@pytest.mark.parametrize("levels", [(0, 64, 128, 192, 255), (0, 50, 100, 150, 200), (0, 60, 110, 170, 255)])
@pytest.mark.parametrize("classes", [None, FIVE])
def test_classes_drawn_in_gray(levels: tuple[int, ...], classes: ClassList | None) -> None:
    space, (labels,), notes = read([plain(np.array(levels, np.uint8)[GRID])], classes)
    assert labels == GRID.tolist()
    assert space.names == (classes.names if classes else tuple(f"class_{level}" for level in levels))
    assert any("--ignore 255" in note for note in notes) == (levels[-1] == 255 and classes is None)


@pytest.mark.parametrize("top", [250, 253, 254, 255])
@pytest.mark.parametrize("classes", [None, FIVE])
def test_a_value_far_above_class_numbers_is_not_labelled(top: int, classes: ClassList | None) -> None:
    raw = GRID.copy()
    raw[-8:, -8:] = top
    space, (labels,), notes = read([plain(raw)], classes)
    assert labels == np.where(raw == top, 255, raw).tolist()
    assert len(space) == 5
    assert f"Mask value {top} is ignored (not labelled; 6.7% of the pixels)" in " ".join(notes)
    assert f"--classes 0:a,1:b,{top}:c" in " ".join(notes)


@pytest.mark.parametrize(
    ("values", "classes", "message"),
    [
        ([0, 1, 2, 230], None, 'does 230 mean "not labelled".*--ignore 230.*--classes'),
        ([0, 16, 95, 123, 145, 255], None, 'does 255 mean "not labelled", or is it a class'),
        ([0, 64, 128, 192, 255], ClassList(("a", "b", "c", "d")), 'does 255 mean "not labelled"'),
        ([0, 64, 128, 255], FIVE, "values 0, 64, 128, 255, but classes names 5"),
        ([0, 254, 255], None, "hold 0 and 254, 255: are these all the foreground.*--classes background,.*--ignore 254"),
        ([0, 1, 2], parse_classes(["1:a", "2:b"]), r"hold 0, and classes names the values 1, 2 only.*--ignore 0"),
        ([255], None, "every mask is 255 throughout.*--classes background,foreground"),
    ],
)
def test_what_is_asked(values: list[int], classes: ClassList | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        choose(gray(values), classes)


def test_answers_to_what_is_asked() -> None:
    values = gray([0, 16, 95, 123, 145, 255])
    assert choose(values, None, [255])[1].values[255] == 255
    assert choose(values, parse_classes(list("abcdef")))[1].values[255] == 5
    assert choose(gray([0, 1, 255]), parse_classes(["0:a", "1:b", "255:c"]))[1].values == {0: 0, 1: 1, 255: 2}
    assert choose(gray([255]), AB)[1].values == {0: 0, 255: 1}
    assert choose(gray([0, 254, 255]), AB)[1].threshold == 127
    assert choose(gray([0, 254, 255]), None, [254])[1].values == {0: 0, 254: 255, 255: 1}


@pytest.mark.parametrize("shades", [3, 4, 9, 16, 33])
@pytest.mark.parametrize("top", [255, 250, 200])
def test_soft_edges_of_any_number_of_shades(shades: int, top: int) -> None:
    sharp = blocks([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 12)
    soft = cv2.resize(sharp.astype(np.float32), (54, 54), interpolation=cv2.INTER_LINEAR)
    raw = np.rint(np.rint(soft * (shades - 1)) / (shades - 1) * top).astype(np.uint8)
    cut = 127 if top > 223 else top // 2
    space, (labels,), notes = read([plain(raw)])
    assert labels == (raw > cut).tolist()
    assert space.names == ("background", "foreground")
    assert f"0-{cut} is read as background, {cut + 1}-255 as foreground" in notes[0]
    if shades > 3:
        assert read([plain(raw)], AB, [int(raw[raw > 0].min())])[1][0][27][27] == 1


def test_shades_that_fill_areas_are_classes() -> None:
    raw = np.array([0, 128, 255], np.uint8)[blocks([[0, 1, 0], [2, 1, 2]])]
    assert read([plain(raw)])[0].names == ("class_0", "class_128", "class_255")
    line = raw.copy()
    line[raw == 128] = 0
    line[:, 5] = 128  # a line one pixel wide: an edge, unless there is a name for it
    assert read([plain(line)])[0].names == ("background", "foreground")
    assert read([plain(line)], ABC)[0].names == ("a", "b", "c")


def test_soft_edges_between_gray_classes_are_asked_about() -> None:
    sharp = np.array([0, 128, 255], np.float32)[blocks([[0, 1, 0], [2, 1, 2]], 12)]
    raw = np.rint(cv2.resize(sharp, (86, 57), interpolation=cv2.INTER_LINEAR)).astype(np.uint8)
    with pytest.raises(
        DataError, match=r"areas of the values 0, 128, 255 and, at their edges only, the shades.*nearest"
    ):
        read([plain(raw)])
    with pytest.raises(DataError, match="names 3 classes for the values 0-2"):
        read([plain(raw)], ABC)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 6).astype(np.uint8)
    with pytest.raises(DataError, match="at their edges only"):
        read([plain(blurred // 16 * 17)])


def test_scattered_classes_are_no_soft_edges() -> None:
    raw = np.random.default_rng(0).choice(np.array([0, 64, 128, 192, 255], np.uint8), (40, 40))
    assert len(read([plain(raw)])[0]) == 5


PALETTE = np.zeros((256, 3), np.uint8)
PALETTE[:3] = (0, 0, 0), (0, 0, 200), (200, 200, 0)
SEA = ClassList(("ground", "water", "sand"), ((0, 0, 0), (0, 0, 200), (200, 200, 0)), (), "label_colors.txt")
COAST = blocks([[0, 0, 1], [2, 0, 1]])


def optimised(labels: np.ndarray, palette: np.ndarray, order: list[int]) -> StoredMask:
    """The same picture as an optimiser leaves it: the palette in another order."""
    table, colors = np.zeros(256, np.uint8), palette.copy()
    table[order] = np.arange(len(order))
    colors[: len(order)] = palette[order]
    return StoredMask(table[labels], colors)


ORDERS = [[0, 1, 2], [2, 0, 1], [1, 2, 0]]


def test_palettes_in_another_order_in_each_file() -> None:
    masks = [optimised(COAST, PALETTE, order) for order in ORDERS]
    space, decoded, notes = read(masks, SEA)
    assert space.names == SEA.names
    assert decoded == [COAST.tolist()] * 3
    assert "Palette masks are read by the colours that label_colors.txt names" in notes[0]
    with pytest.raises(
        DataError, match=r"palettes.*differ.*\(0, 0, 200\) at 0 and 1.*label_colors.txt.*number the classes"
    ):
        read(masks)
    numbered = parse_classes(["0:x", "1:y", "2:z"])
    assert read(masks, numbered)[1][1] == masks[1].values.tolist()


def test_one_palette_that_agrees_with_the_class_file_is_read_by_index() -> None:
    _, decoded, notes = read([StoredMask(COAST, PALETTE)], SEA)
    assert decoded == [COAST.tolist()]
    assert notes[-1] == "Mask values are read as 0 ground, 1 water, 2 sand."
    strange = np.arange(768, dtype=np.uint16).reshape(256, 3).astype(np.uint8) + np.uint8(7)
    assert "their indices count" in read([StoredMask(COAST, strange)], SEA)[2][0]


def test_a_palette_with_the_void_colour_of_voc() -> None:
    raw, colors = np.array([0, 2, 1], np.uint8)[COAST], PALETTE[[0, 2, 1, *range(3, 256)]]
    raw[0], colors[255] = 255, (224, 224, 192)
    _, (labels,), _ = read([StoredMask(raw, colors)], SEA)
    assert labels[0] == [255] * 24
    assert labels[1:] == COAST[1:].tolist()


def test_palettes_of_which_only_a_part_is_named() -> None:
    with pytest.raises(DataError, match=r"at other indices.*does not name: \(200, 200, 0\).*Do indices count"):
        read([optimised(COAST, PALETTE, [1, 2, 0])], ClassList(("ground", "water"), SEA.palette[:2], (), "c.txt"))


def test_binary_masks_of_which_an_optimiser_made_palette_files() -> None:
    shape = blocks([[0, 1], [0, 0]])
    grays = np.zeros((256, 3), np.uint8)
    grays[1] = 255
    swapped = [optimised(shape, grays, [0, 1]), optimised(shape, grays, [1, 0])]
    for masks in (swapped, [plain(shape * np.uint8(255)), swapped[0]]):
        space, decoded, notes = read(masks)
        assert decoded == [shape.tolist()] * 2
        assert space.names == ("background", "foreground")
        assert "read by these gray levels" in notes[0]


def test_gray_levels_as_the_colours_of_a_class_file() -> None:
    classes = ClassList((*ABC.names, "d"), ((0,) * 3, (64,) * 3, (128,) * 3, (255,) * 3), (), "label_colors.txt")
    raw = np.array([0, 64, 255], np.uint8)[COAST]
    space, (labels,), _ = read([plain(raw)], classes)
    assert space.names == ("a", "b", "c", "d")
    assert labels == np.array([0, 1, 3])[COAST].tolist()


def test_declared_nodata() -> None:
    raw = blocks([[0, 1], [2, 2]])
    space, (labels,), notes = read([StoredMask(raw, nodata=0)])
    assert space.names == ("class_1", "class_2")
    assert labels[0][0] == 255
    assert "Mask value 0 is ignored: the files declare it to be no data" in notes[0]
    space, (labels,), notes = read([StoredMask(np.minimum(raw, 1), nodata=0)])
    assert space.names == ("background", "foreground")
    assert "--ignore 0" in notes[0]
    assert read([StoredMask(raw, nodata=0)], ABC)[0].names == ("a", "b", "c")


def test_numbers_that_no_class_has() -> None:
    values, nowhere = class_values(np.array([[0, 1], [-9999, 1]], np.int16), "m.tif")
    space, (labels,), notes = read([StoredMask(values, nowhere=nowhere)])
    assert space.names == ("background", "foreground")
    assert labels == [[0, 1], [255, 1]]
    assert notes[0] == "Mask value -9999 is no class: ignored (not labelled)."


def test_colours_that_a_class_file_leaves_out() -> None:
    classes = ClassList(("a", "b"), partial=((0, 0, 0), None), source="labelmap.txt")
    with pytest.raises(DataError, match=r"labelmap\.txt gives no colour to b"):
        choose(colors({0: 50, 0xFF0000: 50}), classes)


@st.composite
def written(draw: st.DrawFn) -> tuple[np.ndarray, list[StoredMask], ClassList | None]:
    """A map of all classes (and 255 for nothing), masks of it by a known rule, and perhaps the names."""
    count = draw(st.integers(2, 6))
    cells = draw(st.lists(st.integers(0, count - 1), min_size=16, max_size=16)) + list(range(count))
    truth = blocks([cells[start : start + 2] for start in range(0, len(cells) // 2 * 2, 2)], 4)
    assume(set(np.unique(truth)) == set(range(count)))
    rule = draw(st.sampled_from(["index", "from one", "gray", "void", "palette", "colour"]))
    names = tuple(f"name {letter}" for letter in "abcdef"[:count])
    classes = ClassList(names) if draw(st.booleans()) else None
    if rule == "index":
        return truth, [plain(truth)], classes
    if rule == "from one":
        return truth, [plain(truth + np.uint8(1))], classes
    if rule == "gray":
        last = draw(st.sampled_from([200, 240, 255]))
        return truth, [plain(np.linspace(0, last, count).astype(np.uint8)[truth])], classes
    if rule == "void":
        edge = truth.copy()
        edge[:2] = 255
        return edge, [plain(np.where(edge == 255, np.uint8(draw(st.integers(250, 255))), edge))], classes
    palette = np.zeros((256, 3), np.uint8)
    palette[:count] = np.arange(count * 3).reshape(count, 3) * 9 + 20
    named = ClassList(names, tuple((int(r), int(g), int(b)) for r, g, b in palette[:count]))
    if rule == "colour":
        return truth, [StoredMask(palette[truth])], named
    orders = draw(st.lists(st.permutations(range(count)), min_size=1, max_size=3))
    return truth, [optimised(truth, palette, list(order)) for order in orders], draw(st.sampled_from([None, named]))


@given(written())
@settings(max_examples=150, deadline=None)
def test_masks_by_a_known_rule_are_read_back_or_asked_about(
    case: tuple[np.ndarray, list[StoredMask], ClassList | None],
) -> None:
    truth, masks, classes = case
    try:
        space, decoded, notes = read(masks, classes)
    except DataError as error:
        assert "--" in str(error) or "names" in str(error)
        return
    assert notes
    for labels in decoded:
        pairs = set(zip(truth.ravel().tolist(), np.array(labels).ravel().tolist(), strict=True))
        assert len(pairs) == len(np.unique(truth)), "a class was divided, or joined with another"
        assert all(label != 255 for value, label in pairs if value != 255), "a class was lost"
        if classes is not None:
            assert {space.names[label] for value, label in pairs if value != 255} <= set(classes.names)
            assert all(space.names[label] == classes.names[value] for value, label in pairs if value != 255)


@pytest.mark.parametrize("values", [[0, 1, 255], [0, 1, 2, 3, 255], [0, 2, 250]])
def test_thin_things_beside_a_void_are_no_soft_edges(values: list[int]) -> None:
    counts = {value: 10 for value in values} | {0: 1000, values[-1]: 500}
    coding = choose(gray(counts, flat=[0, values[-1]]), parse_classes([f"c{n}" for n in range(values[-2] + 1)]))[1]
    assert coding.values[values[-1]] == 255 and all(coding.values[value] == value for value in values[:-1])


def test_foregrounds_of_two_tools_are_asked_about() -> None:
    labels = blocks([[0, 1], [1, 0]])
    found = Survey()
    for white in (1, 255, 1):
        found.add(survey_of(plain((labels * white).astype(np.uint8))))
    with pytest.raises(DataError, match=r"2 masks hold 0 and 1, 1 hold 0 and 255, and none holds 1 and 255"):
        choose(found, None)
    assert choose(found, None, [255])[1].values[255] == 255
    found.add(survey_of(plain(blocks([[0, 1], [255, 0]]).astype(np.uint8))))
    assert choose(found, None)[1].values == {0: 0, 1: 1, 255: 255}


@pytest.mark.parametrize("last", [99, 127, 200])
def test_a_single_value_far_above_class_numbers_is_asked_about(last: int) -> None:
    with pytest.raises(DataError, match=f"does {last} mean .not labelled., or is it a class"):
        choose(gray([0, 1, 2, 3, last]), None)
    assert choose(gray([0, 1, 2, 3, last]), None, (last,))[0].names == ("class_0", "class_1", "class_2", "class_3")
    assert choose(gray([0, 1, 2, 3, last]), ClassList(tuple("abcde")))[1].values[last] == 4
    for others in ([0, 1, last], [0, 2, 5, last], [0, 1, 2, 60], [0, 1, 2, 3, last, last + 1]):
        assert set(choose(gray(others), None)[1].values) >= set(others)  # nothing says so


@pytest.mark.parametrize("name", ["don't care", "Ignore Region", "not labelled", "NO DATA", "__ignore__", "dont_care"])
def test_names_of_nothing_are_no_classes(name: str) -> None:
    space, coding, notes = choose(gray([0, 1, 9]), ClassList(("a", "b", name), (), (0, 1, 9)))
    assert space.names == ("a", "b")
    assert coding.values == {0: 0, 1: 1, 9: 255}
    assert f"The class {name} of classes is ignored (not labelled)." in notes


def test_lossy_grays_of_three_channels_are_black_and_white() -> None:
    shades = {level: 5000 - 300 * level for level in range(12)} | {
        255 - level: 3000 - 200 * level for level in range(12)
    }
    found = Survey(values=Counter(shades), colors=Counter({0x020304: 40, 0xFDFEFB: 30}), files=1)
    space, coding, _ = choose(found, None)
    assert (space.names, coding.threshold) == (("background", "foreground"), 127)
    with pytest.raises(DataError, match="colour-coded"):
        choose(Survey(values=Counter(shades), colors=Counter({0x0000A0: 40}), files=1), None)


def test_a_palette_that_puts_white_first_is_read_by_its_colours() -> None:
    inverted = Survey(painted=Counter({(0, 0xFFFFFF): 30, (1, 0): 70}), files=1)
    space, coding, notes = choose(inverted, None)
    assert (space.names, coding.values, coding.painted) == (("background", "foreground"), {0: 0, 255: 1}, True)
    assert notes[0].startswith("The palettes of the masks put white first")
    usual = Survey(painted=Counter({(0, 0): 70, (1, 0xFFFFFF): 30}), files=1)
    assert choose(usual, None)[1].values == {0: 0, 1: 1}
    numbered = ClassList(("ink", "paper"), (), (0, 1))  # whoever numbers the classes means the indices
    assert choose(inverted, numbered)[1].values == {0: 0, 1: 1}
