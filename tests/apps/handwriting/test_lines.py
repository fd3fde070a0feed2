"""From a map of text to lines: split, joined, outlined, ordered; nothing is lost silently."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from intarsia.annotations.outlines import crosses_itself
from intarsia.apps.handwriting.cores import Core, find_cores, nearest_label, typical_height
from intarsia.apps.handwriting.ink import dividing, find_ink, find_rules, without_strokes
from intarsia.apps.handwriting.order import reading_order
from intarsia.apps.handwriting.shapes import assign_ink, baseline, box, outline
from intarsia.apps.handwriting.words import find_words, word_gap

SIZE = (300, 400)


def stripes(*places: tuple[int, int, int], slope: float = 0.0, thick: int = 8) -> NDArray[np.float32]:
    """Text where (left, right, y at the left) say."""
    text = np.zeros(SIZE, np.float32)
    for left, right, y in places:
        cv2.line(text, (left, y), (right, round(y + slope * (right - left))), 0.9, thick)
    return text


def core(left: int = 50, length: int = 200, y: float = 100, thickness: float = 8, slope: float = 0.0) -> Core:
    return Core(1, left, (y + slope * np.arange(length)).astype(np.float32), thickness)


@pytest.mark.parametrize("slope", [-0.15, 0.0, 0.15])
def test_every_line_has_one_core_on_its_middle(slope: float) -> None:
    labels, cores = find_cores(stripes(*((40, 360, y) for y in (80, 120, 160, 200)), slope=slope))
    assert len(cores) == 4 == labels.max()
    for found, y in zip(sorted(cores, key=lambda one: float(one.centre[0])), (80, 120, 160, 200), strict=True):
        assert abs(float(found.at(200)) - (y + slope * 160)) < 1.5
        assert 6 <= found.thickness <= 11


def test_lines_that_touch_are_two_and_parts_of_a_line_are_one() -> None:
    text = stripes((40, 360, 100), (40, 360, 130))
    text[100:130, 150:156] = 0.4  # a long letter joins them
    assert len(find_cores(text)[1]) == 2
    parts = stripes((40, 150, 100), (165, 360, 100))
    assert len(find_cores(parts)[1]) == 1
    rules = np.zeros(SIZE, np.bool_)
    rules[:, 157] = True
    assert len(find_cores(parts, rules)[1]) == 2
    assert len(find_cores(stripes((40, 150, 100), (220, 360, 100)))[1]) == 2  # too far apart
    assert len(find_cores(stripes((40, 150, 100), (165, 360, 110)))[1]) == 2  # on another height


def test_nothing_and_marks_are_no_lines() -> None:
    labels, cores = find_cores(np.zeros(SIZE, np.float32))
    assert not cores and not labels.any() and typical_height(np.zeros(SIZE, np.float32)) == 0
    text = stripes((40, 360, 100))
    text[60:62, 200:206] = 0.9
    assert len(find_cores(text)[1]) == 1
    assert 15 < typical_height(text) < 28


def test_nearest_label_is_the_nearest() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[3, 4], labels[15, 25] = 1, 2
    found, distance = nearest_label(labels)
    ys, xs = np.mgrid[:20, :30]
    first, second = np.hypot(ys - 3, xs - 4), np.hypot(ys - 15, xs - 25)
    clear = np.abs(first - second) > 1
    assert np.array_equal(found[clear], np.where(first < second, 1, 2)[clear])
    assert np.abs(distance - np.minimum(first, second)).max() < 1


def test_ink_is_darker_than_the_paper_around_it() -> None:
    page = np.tile(np.linspace(120, 250, 400), (300, 1)).astype(np.uint8)  # light falls from one side
    assert not find_ink(page).any()
    page[100:104, 20:40] -= 60
    page[100:104, 360:380] -= 60
    ink = find_ink(page)
    assert ink[101:103, 22:38].all() and ink[101:103, 362:378].all() and ink.sum() < 300


def test_rules_are_found_be_they_faint_and_letters_are_none() -> None:
    page = np.full(SIZE, 220, np.uint8)
    for row in range(30, 280, 25):
        for column in range(60, 380, 8):
            cv2.line(page, (column, row), (column + 2, row + 10), 60, 2)
    page[:, 50] = 60
    page[:, 200:202] = np.where(page[:, 200:202] > 200, 195, page[:, 200:202])
    ink = find_ink(page)
    rules = find_rules(page, ink, 14)
    assert rules[20:280, 50].mean() > 0.95 and rules[20:280, 200:202].any(axis=1).mean() > 0.8
    elsewhere = np.ones(400, np.bool_)
    elsewhere[[*range(46, 55), *range(196, 206)]] = False
    assert rules[:, elsewhere].mean() < 0.02
    level = np.zeros(SIZE, np.bool_)
    level[100, 50:300] = level[120:130, 60] = True
    assert without_strokes(level, 14).sum() == 10


def test_a_rule_that_text_is_written_across_divides_nothing() -> None:
    rules = np.zeros(SIZE, np.bool_)
    rules[:, [100, 101, 250, 251]] = True
    text = stripes(*((60, 240, y) for y in range(30, 290, 30)))
    kept = dividing(rules, text, 10)
    assert not kept[:, 100].any() and kept[:, 250].all()


def test_every_piece_of_ink_is_in_a_line_or_counted() -> None:
    labels, cores = find_cores(stripes((60, 300, 100), (60, 300, 160)))
    ink = np.zeros(SIZE, np.bool_)
    for y in (100, 160):
        ink[y - 6 : y + 6, 62:90] = ink[y - 6 : y + 6, 120:150] = True
    ink[86:89, 70:74] = True  # an accent
    ink[94:106, 38:48] = True  # an initial before the line
    ink[240:260, 200:230] = True  # far from all lines
    ink[20:22, 380] = True  # dust
    found = assign_ink(ink, labels, cores)
    line = {one.label: float(one.centre[0]) for one in cores}
    assert (found.pieces, found.lost) == (7, 1) and found.lost_share == pytest.approx(600 / ink[22:].sum(), abs=0.01)
    assert line[int(found.labels[87, 72])] == pytest.approx(100, abs=1)
    assert found.labels[100, 42] == found.labels[100, 70] and not found.labels[250, 210]
    nothing = assign_ink(ink, np.zeros(SIZE, np.int32), [])
    assert nothing.lost == nothing.pieces and nothing.lost_share == 1.0


def test_ink_across_lines_is_cut_between_them() -> None:
    labels, cores = find_cores(stripes((60, 300, 100), (60, 300, 130)))
    ink = np.zeros(SIZE, np.bool_)
    ink[90:140, 150:153] = True
    found = assign_ink(ink, labels, cores).labels[90:140, 151]
    assert found.all() and len(np.unique(found)) == 2 and np.count_nonzero(np.diff(found)) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 400), st.floats(-0.3, 0.3))
def test_outlines_hold_the_ink_and_never_cross_themselves(seed: int, count: int, slope: float) -> None:
    random = np.random.default_rng(seed)
    line = core(slope=slope)
    xs = random.integers(40, 260, count)
    ys = np.clip(np.rint(line.at(xs) + random.normal(0, 6, count)), 0, SIZE[0] - 1).astype(np.int64)
    ring = outline(line, xs, ys, SIZE)
    assert ring is not None and not crosses_itself(ring)
    assert ring.min() >= 0 and (ring.max(axis=0) <= SIZE[::-1]).all()
    held = [
        cv2.pointPolygonTest(ring.astype(np.float32), (float(x), float(y)), True) for x, y in zip(xs, ys, strict=True)
    ]
    assert np.mean(np.array(held) > -2.5) > 0.9


def test_without_ink_a_line_is_a_box() -> None:
    nothing = np.zeros(0, np.int64)
    assert outline(core(), nothing, nothing, SIZE) is None
    assert box(core(), SIZE).tolist() == [[50, 90], [250, 90], [250, 110], [50, 110]]
    assert baseline(core(), nothing, nothing)[:, 1].tolist() == pytest.approx([104] * 3, abs=0.1)


def test_the_baseline_is_where_most_letters_end() -> None:
    xs, ys = (grid.ravel() for grid in np.meshgrid(np.arange(60, 240), np.arange(94, 109)))
    tails = np.arange(109, 120)
    found = baseline(core(), np.concatenate([xs, np.full(11, 130)]), np.concatenate([ys, tails]))
    assert found[0, 0] < 62 and found[-1, 0] > 235 and np.abs(found[:, 1] - 109).max() <= 1.5


def test_words_are_divided_by_wide_gaps_of_leaning_letters_too() -> None:
    widths = ([6, 6, 6], [6, 6], [6, 6, 6, 6])
    for slant in (0.0, 0.6):
        page, x = np.zeros(SIZE, np.uint8), 60
        for word in widths:
            for letter in word:
                corners = [[x, 110], [x + letter - 1, 110], [x + letter - 1 + slant * 20, 90], [x + slant * 20, 90]]
                cv2.fillConvexPoly(page, np.rint(corners).astype(np.int32), 1)
                x += letter + 2
            x += 10
        ys, xs = np.nonzero(page)
        (words,) = find_words([(core(), xs, ys)])
        assert len(words) == 3
        assert [float(word[0, 0]) for word in words] == sorted(float(word[0, 0]) for word in words)
    assert find_words([(core(), np.zeros(0, np.int64), np.zeros(0, np.int64))]) == [[]]
    assert word_gap(np.array([0.05] * 40 + [0.4] * 15)) == pytest.approx(0.24)


def test_reading_order_is_columns_then_lines() -> None:
    title = [40.0, 10.0, 360.0, 20.0]
    left = [[40.0, y, 180.0, y + 10] for y in (60.0, 80.0, 100.0)]
    right = [[220.0, y, 360.0, y + 10] for y in (65.0, 85.0)]
    margin = [5.0, 80.0, 15.0, 90.0]
    boxes = np.array([right[1], left[2], title, left[0], right[0], margin, left[1]])
    assert reading_order(boxes, 15.0) == [[5], [2], [3, 6, 1], [4, 0]]
    assert reading_order(np.zeros((0, 4)), 15.0) == []
    side_by_side = np.array([[100.0, 11.0, 150.0, 21.0], [40.0, 10.0, 95.0, 20.0], [40.0, 30.0, 95.0, 40.0]])
    assert reading_order(side_by_side, 15.0) == [[1, 0, 2]]
