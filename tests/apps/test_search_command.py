"""`intarsia search` with the bundled network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from PIL import Image, ImageDraw

from intarsia.apps import search
from intarsia.apps.search.embedding import SIDE
from intarsia.media.images import read_image
from intarsia.runtimes.network import Network


def drawn(file: Path, shape: str, colour: str, ground: str = "white") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (120, 120), ground)
    pen = ImageDraw.Draw(picture)
    if shape == "trousers":
        pen.polygon([(40, 20), (80, 20), (90, 105), (66, 105), (60, 45), (54, 105), (30, 105)], colour)
    else:
        pen.ellipse([25, 40, 95, 80], colour)
    picture.save(file)
    return file


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, colour in enumerate(("navy", "#aa0000", "olive")):
        drawn(tmp_path / "photos" / "trousers" / f"{number}.png", "trousers", colour)
        drawn(tmp_path / "photos" / "hats" / f"{number}.png", "hat", colour, "lightgrey")
    return tmp_path / "photos"


def test_build_find_add_and_remove(cli: Cli, photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "it.index"
    assert cli("search", "build", photos, "-o", file, "--dry-run") == 0
    assert "6 photos would go into" in cli.out
    assert not file.exists()
    told = cli.json("search", "build", photos, "-o", file)
    assert (told["photos"], told["masks"], told["failures"]) == (6, {"foreground": 6}, {})

    query = drawn(tmp_path / "query.png", "trousers", "teal", "beige")
    found = cli.json("search", "find", query, "-i", file, "-n", "3")["matches"]
    assert [match["folder"] for match in found] == ["trousers"] * 3
    found = cli.json("search", "find", query, "-i", file, "--colour", "#aa0000")["matches"]
    assert [(match["name"]) for match in found] == ["photos/trousers/1.png", "photos/hats/1.png"]
    found = cli.json("search", "find", query, "-i", file, "--class", "hats")["matches"]
    assert {match["folder"] for match in found} == {"hats"}
    assert cli("search", "find", query, "-i", file, "--colour", "magenta") == 1
    assert "passes the filters" in cli.err
    alone = tmp_path / "alone.index"
    assert cli("search", "build", query, "-o", alone) == 0
    assert cli("search", "find", query, "-i", alone) == 1
    assert "holds no other photo" in cli.err

    sheet = tmp_path / "sheet.html"
    assert cli("search", "find", query, "-i", file, "-o", sheet) == 0
    assert cli("search", "find", query, "-i", file, "-o", sheet) == 2
    assert "data:image/jpeg" in sheet.read_text()

    drawn(photos / "hats" / "new.png", "hat", "teal")
    assert cli("search", "add", photos, "-i", file) == 0
    assert "7 photos (1 added, 6 unchanged" in cli.out
    assert cli("search", "remove", photos / "hats", "-i", file) == 0
    assert "3 photos (4 removed)" in cli.out


def test_what_is_wrong_is_said(cli: Cli, photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "it.index"
    (photos / "broken.jpg").write_bytes(b"nothing")
    Image.new("RGB", (3, 3)).save(photos / "tiny.png")
    assert cli("search", "build", photos, "-o", file) == 1
    assert "broken.jpg" in cli.err
    assert "too few to show anything" in cli.err
    assert cli("search", "build", photos, "-o", file) == 2
    assert "--overwrite" in cli.err
    assert cli("search", "build", photos, "-o", file, "--resume") == 1
    assert cli("search", "find", photos / "tiny.png", "-i", file) == 3
    assert cli("search", "find", tmp_path / "none.png", "-i", file) == 3
    assert cli("search", "find", photos / "hats/0.png", "-i", tmp_path / "none") == 3
    assert "search build" in cli.err
    assert cli("search", "find", photos / "hats/0.png", "-i", file, "--class", "hat s") == 2
    assert cli("search", "find", photos / "hats/0.png", "-i", file, "--tolerance", "0.1") == 2
    assert cli("search", "remove", "-i", file) == 2
    assert "--gone" in cli.err


def test_whole_photos_are_compared_with_whole_photos(cli: Cli, photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "it.index"
    assert cli.json("search", "build", photos, "-o", file, "--whole")["masks"] == {"whole": 6}
    assert cli("search", "find", photos / "hats/0.png", "-i", file) == 0
    assert not search.Index.load(file).masked


def test_odd_pictures_get_vectors_of_length_1(tmp_path: Path) -> None:
    ready = search.Embedder()
    random = np.random.default_rng(0)
    for name, picture in {
        "grey.png": Image.fromarray(random.integers(0, 255, (40, 900), np.uint8)),
        "deep.png": Image.fromarray(random.integers(0, 65535, (50, 60), np.uint16)),
        "clear.png": Image.fromarray(random.integers(0, 255, (64, 64, 4), np.uint8)),
        "ink.jpg": Image.fromarray(random.integers(0, 255, (80, 64, 4), np.uint8), "CMYK"),
    }.items():
        picture.save(tmp_path / name)
        found = ready.embed(read_image(tmp_path / name))
        assert np.linalg.norm(found.vector) == pytest.approx(1, abs=1e-3)
        assert found.vector.shape == (128,)


def test_what_lies_around_a_thing_moves_its_vector_less_than_that_of_the_whole_photo() -> None:
    network = Network(Path(search.__file__).parents[2] / "zoo" / "search.onnx")
    random = np.random.default_rng(0)
    thing = np.zeros((2, 4, SIDE, SIDE), np.float32)
    thing[:, 3, 40:190, 60:160] = 1
    thing[0, :3] = random.uniform(0, 1, (3, SIDE, SIDE))
    thing[1, 0] = np.linspace(0, 1, SIDE)
    thing[:, :3, 40:190, 60:160] = 0.3
    masked = network.run(thing)["embedding"]
    thing[:, 3] = 1
    whole = network.run(thing)["embedding"]
    assert masked[0] @ masked[1] > whole[0] @ whole[1]


def test_a_blank_photo_is_told_and_not_searched_for(cli: Cli, photos: Path, tmp_path: Path) -> None:
    Image.new("RGB", (90, 120), "white").save(photos / "blank.png")
    file = tmp_path / "it.index"
    assert cli("search", "build", photos, "-o", file) == 1
    assert "blank.png: the photo is of one colour: there is nothing on it to search for" in cli.err
    assert len(search.Index.load(file)) == 6
    assert cli("search", "find", photos / "blank.png", "-i", file) == 3
    assert "of one colour" in cli.err
