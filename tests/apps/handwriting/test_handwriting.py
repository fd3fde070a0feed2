"""The command and the function: pages in, PAGE XML, ALTO, JSON and crops out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from commands import Cli
from numpy.typing import NDArray
from PIL import Image

import intarsia
from intarsia.annotations.formats import page as page_files
from intarsia.annotations.geometry import Polygon, Polyline
from intarsia.annotations.outlines import crosses_itself
from intarsia.apps.handwriting import Line, LineFinder, PageLines, find_lines
from intarsia.errors import ModelError, UsageError
from intarsia.media.images import open_image
from intarsia.media.source import ArraySource

SENTENCES = ("the quick brown fox", "jumps over a lazy dog", "while nobody looks", "and nothing is lost")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    yield Cli(capsys)


def written(lean: float = 0.0) -> NDArray[np.uint8]:
    """A page of four lines in a written hand."""
    page = np.full((420, 560, 3), 235, np.uint8)
    for row, text in enumerate(SENTENCES):
        cv2.putText(page, text, (50, 80 + 80 * row), cv2.FONT_HERSHEY_SCRIPT_COMPLEX, 1.1, (60, 40, 30), 2, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((280, 210), lean, 1.0)
    return np.asarray(cv2.warpAffine(page, turn, (560, 420), borderValue=(235, 235, 235)), np.uint8)


@pytest.fixture(scope="module")
def finder() -> LineFinder:
    return LineFinder(intarsia.load("handwriting", long_side=640, runtime="onnx"), words=True)


@pytest.fixture(scope="module")
def found(finder: LineFinder) -> PageLines:
    return finder.segment_opened(ArraySource(written(), "hand.png", "picture"))


def test_lines_come_in_order_with_their_words(found: PageLines) -> None:
    assert len(found.lines) == 4 and found.lost == 0
    feet = [float(np.mean(line.baseline[:, 1])) for line in found.lines]
    assert np.allclose(feet, [80, 160, 240, 320], atol=6)
    assert sum(len(line.words) for line in found.lines) == pytest.approx(
        sum(map(len, map(str.split, SENTENCES))), abs=2
    )
    assert not any(crosses_itself(line.outline) or line.is_box for line in found.lines)
    ink = written()[..., 0] < 128
    held = np.zeros(ink.shape, np.uint8)
    for line in found.lines:
        cv2.fillPoly(held, [np.rint(line.outline).astype(np.int32)], 1)
    assert (held[ink] > 0).mean() > 0.98


@pytest.mark.parametrize("lean", [-6.0, 5.0])
def test_leaning_pages_have_leaning_lines(finder: LineFinder, lean: float) -> None:
    lines = finder.segment_opened(ArraySource(written(lean), "leaning.png", "picture")).lines
    assert len(lines) == 4
    rises = [np.polyfit(line.baseline[:, 0], line.baseline[:, 1], 1)[0] for line in lines]
    assert np.allclose(rises, -np.tan(np.radians(lean)), atol=0.03)


def test_page_and_alto_are_read_back_as_they_were_written(found: PageLines, tmp_path: Path) -> None:
    document = found.document()
    for name in ("hand.page.xml", "hand.alto.xml"):
        found.save(tmp_path / name)
        (read,) = page_files.read(tmp_path / name).images()
        assert (read.name, read.width, read.height) == ("hand.png", 560, 420)
        assert [(s.label, s.instance) for s in read.shapes] == [(s.label, s.instance) for s in document.shapes]
        for one, other in zip(read.shapes, document.shapes, strict=True):
            assert type(one.geometry) is type(other.geometry)
            points = [g.rings[0] if isinstance(g, Polygon) else g.points for g in (one.geometry, other.geometry)
                      if isinstance(g, Polygon | Polyline)]  # fmt: skip
            assert np.abs(np.array(points[0]) - np.array(points[1])).max() <= 0.5


def test_files_are_as_their_schemas_want(found: PageLines, tmp_path: Path) -> None:
    found.save(tmp_path / "hand.page.xml")
    found.save(tmp_path / "hand.alto.xml")
    root = ElementTree.parse(tmp_path / "hand.page.xml").getroot()
    names = [element.tag.rpartition("}")[2] for element in root]
    assert names == ["Metadata", "Page"]
    lines = [one for one in root.iter() if one.tag.endswith("TextLine")]
    assert all([child.tag.rpartition("}")[2] for child in line][:3] == ["Coords", "Baseline", "Word"] for line in lines)
    identities = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(set(identities)) == len(identities)
    order = [one.get("regionRef") for one in root.iter() if one.tag.endswith("RegionRefIndexed")]
    assert order == [one.get("id") for one in root.iter() if one.tag.endswith("TextRegion")]
    alto = ElementTree.parse(tmp_path / "hand.alto.xml").getroot()
    assert [element.tag.rpartition("}")[2] for element in alto] == ["Description", "Layout"]
    for line in (one for one in alto.iter() if one.tag.endswith("TextLine")):
        assert line[0].tag.endswith("Shape") and line[1].tag.endswith("String") and line[1].get("CONTENT") == ""


def test_crops_are_level_and_in_reading_order(found: PageLines, tmp_path: Path) -> None:
    found.save(tmp_path / "hand.lines")
    crops = sorted((tmp_path / "hand.lines").iterdir())
    assert [crop.name for crop in crops] == ["0001.png", "0002.png", "0003.png", "0004.png"]
    for crop, line in zip(crops, found.lines, strict=True):
        with Image.open(crop) as opened:
            assert abs(opened.width - np.ptp(line.outline[:, 0])) <= 2 and opened.height < 80
            assert (np.asarray(opened)[..., 0] < 128).mean() > 0.03
    with pytest.raises(UsageError, match=r"page\.xml"):
        found.save(tmp_path / "hand.txt")


def test_json_tells_lines_words_and_lost_ink(found: PageLines, tmp_path: Path) -> None:
    found.save(tmp_path / "hand.json")
    told = json.loads((tmp_path / "hand.json").read_text())
    assert told["lines"] == 4 and told["ink_in_no_line"] == 0 and told["size"] == [560, 420]
    assert len(told["regions"][0]["lines"][0]["words"]) == len(found.lines[0].words)


def test_ink_in_no_line_is_told(finder: LineFinder) -> None:
    page = written()
    cv2.line(page, (480, 20), (540, 400), (30, 30, 30), 2)
    found = finder.segment_opened(ArraySource(page, "stroke.png", "picture"))
    assert found.lost >= 1 and found.notes[-1].startswith("ink in no line: ")
    assert found.details["ink_in_no_line"] == found.lost
    assert found.lost_share < 0.5 and "a page of writing?" not in " ".join(found.notes)
    found.lost_share = 0.9
    assert found.notes[-1] == "most of what is dark on it is in no line: is it a page of writing?"


def test_what_is_no_page_of_writing_is_told_from_one(found: PageLines) -> None:
    line, empty = found.lines[0], replace(found.lines[0], is_box=True)

    def page(lines: list[Line], lost: int, share: float) -> PageLines:
        return PageLines((tuple(lines),) if lines else (), found.reader, found.thumbnail, 1000, lost, share)

    assert found.is_writing
    assert page([line] * 9 + [empty], 400, 0.8).is_writing  # a few lines below a miniature
    assert page([empty] * 10, 20, 0.95).is_writing  # so faint that hardly any ink is found
    assert not page([line] * 10, 400, 0.95).is_writing  # noise
    assert not page([line] * 3 + [empty] * 7, 400, 0.5).is_writing  # a cup
    assert not page([], 0, 0).is_writing
    doubtful = replace(page([line] * 10, 20, 0.1), doubt="the model is sure of no line")
    assert not doubtful.is_writing
    assert doubtful.notes[-1] == "the model is sure of no line: is it a page of writing?"


@pytest.mark.parametrize("name", ["brick", "grass", "horse", "cell"])
def test_lines_on_photos_of_other_things_are_doubted(finder: LineFinder, name: str) -> None:
    data = pytest.importorskip("skimage.data")
    photo = np.asarray(Image.fromarray(getattr(data, name)()).convert("RGB"))
    found = finder.segment_opened(ArraySource(photo, f"{name}.png", "picture"))
    assert not found.is_writing


def test_a_photo_of_something_else_is_refused_by_the_command(cli: Cli, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    assert cli("handwriting", tmp_path / "noise.png", "-o", tmp_path / "out", "--runtime", "onnx") == 1
    assert "no line of text was found" in cli.err or "this is no page of writing" in cli.err
    assert not list((tmp_path / "out").glob("*.xml"))


def test_the_command_writes_continues_and_says_what_is_blank(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    Image.fromarray(written()).save(tmp_path / "pages/a.png")
    Image.new("RGB", (120, 90), "white").save(tmp_path / "pages/blank.png")
    common = (
        "handwriting",
        tmp_path / "pages",
        "-o",
        tmp_path / "out",
        "--runtime",
        "onnx",
        "--long-side",
        "640",
        "--words",
    )
    kinds = [f"--write={kind}" for kind in ("page", "alto", "json", "crops", "overlay")]
    planned = cli.json(*common, *kinds, "--dry-run")["planned"]
    assert planned[0]["outputs"]["alto"] == str(tmp_path / "out/a.alto.xml")
    assert not (tmp_path / "out").exists()
    assert cli(*common, *kinds) == 1
    assert "4 lines" in cli.out and "no line of text was found" in cli.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "a.page.xml",
        "a.alto.xml",
        "a.lines.json",
        "a.lines",
        "a.overlay.jpg",
    } <= names and "blank.page.xml" not in names
    told = cli.json(*common, *kinds, code=1)
    assert len(told["skipped"]) == 1 and [one["status"] for one in told["records"]] == ["nothing"]
    assert cli(*common[:-1], *kinds) == 2 and "words" in cli.err
    (tmp_path / "pages/bad.png").write_bytes(b"\x89PNG no")
    told = cli.json(*common, *kinds, code=1)
    assert {record["status"] for record in told["records"]} == {"error", "nothing"}


def test_one_page_into_one_file(cli: Cli, tmp_path: Path) -> None:
    Image.fromarray(written()[..., 0]).save(tmp_path / "grey.png")
    common = ("--long-side", "640", "--runtime", "onnx")
    assert cli("handwriting", tmp_path / "grey.png", "-o", tmp_path / "lines.xml", *common) == 0
    (read,) = page_files.read(tmp_path / "lines.xml", images=tmp_path).images()
    assert sum(shape.label == "TextLine" for shape in read.shapes) == 4 and read.image == tmp_path / "grey.png"
    assert cli("handwriting", tmp_path / "grey.png", "--write", "pages") == 2 and "Did you mean 'page'" in cli.err
    assert cli("handwriting", tmp_path / "none.png", "-o", tmp_path / "x.xml", *common) == 3
    assert cli("handwriting", tmp_path / "grey.png", "-m", "street", "-o", tmp_path / "x.xml", *common) == 4
    assert "no class 'text'" in cli.err


def test_one_call_finds_the_lines_of_a_page_in_memory() -> None:
    model = intarsia.load("handwriting", long_side=640, runtime="onnx")
    assert len(find_lines(written(), model=model).lines) == 4
    assert not find_lines(np.full((90, 120), 255, np.uint8), words=True, model=model).lines


def test_a_model_of_something_else_is_refused() -> None:
    with pytest.raises(ModelError, match="use handwriting"):
        LineFinder(intarsia.load("street", runtime="onnx"))


def test_pages_of_real_hands(real_data: Path) -> None:
    """One page; the documentation has the numbers of all of them."""
    finder = LineFinder(intarsia.load("handwriting", runtime="onnx"))
    first = next(one for one in page_files.read(real_data / "handwriting_registers").images() if one.image)
    assert first.image is not None
    lines = finder.segment_opened(open_image(first.image)).lines
    truths = [s for s in first.shapes if s.label == "Baseline" and isinstance(s.geometry, Polyline)]
    middles = np.array([np.mean(s.geometry.points, axis=0) for s in truths if isinstance(s.geometry, Polyline)])
    rings = [line.outline.astype(np.float32) for line in lines]
    inside = [
        any(cv2.pointPolygonTest(ring, (float(x), float(y) - 3), False) >= 0 for ring in rings) for x, y in middles
    ]
    assert np.mean(inside) >= 0.85
