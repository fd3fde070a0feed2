"""Try-on: shading, fitting, and that nothing but the garment changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from commands import Cli
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import intarsia
from intarsia.apps.tryon import TryingOn, Wish, try_on, wear
from intarsia.apps.tryon.fitting import by_axes, by_body, spline
from intarsia.apps.tryon.shading import likeness, shade
from intarsia.bundle import Description
from intarsia.errors import NothingFound, UsageError
from intarsia.inference import Identity
from intarsia.labels import LabelSpace
from intarsia.media.oklab import to_oklab
from intarsia.media.photos import PhotoReader
from intarsia.preprocessing import Preprocessing
from intarsia.result import Segmentation

SPACE = LabelSpace(("background", "skin", "hair", "upper", "lower"))


class ByPlace:
    """Stands for a clothes model: a person in the middle of every photo, with an arm across the chest."""

    space = SPACE
    bundle = Description("none", {}, SPACE, Preprocessing())

    def identity(self) -> Identity:
        return Identity("none", {}, {"name": "none", "precision": "fp32"})

    def of_pictures(self, name: str) -> ByPlace:
        return self

    def segment(self, source: NDArray[np.uint8]) -> Segmentation:
        return Segmentation(labels_of(*source.shape[:2]), SPACE)


def labels_of(height: int, width: int) -> NDArray[np.uint8]:
    labels = np.zeros((height, width), np.uint8)
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    body = abs(x - 0.5) < 0.25
    labels[body & (y > 0.1) & (y < 0.2)] = SPACE.index("hair")
    labels[body & (y >= 0.2) & (y < 0.55)] = SPACE.index("upper")
    labels[body & (abs(y - 0.4) < 0.04)] = SPACE.index("skin")
    labels[body & (y >= 0.55) & (y < 0.9)] = SPACE.index("lower")
    return labels


def photo_of(height: int = 160, width: int = 120) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    folds = 120 + 50 * np.sin(x / 5) + 20 * np.cos(y / 9)
    noise = np.random.default_rng(0).integers(-8, 9, (height, width, 3))
    return np.clip(folds[..., None] * (1.0, 0.8, 0.7) + noise, 0, 255).astype(np.uint8)


def untouchable(height: int, width: int) -> NDArray[np.bool_]:
    """What a change of the upper garment must leave: all but it and two pixels of the background around it."""
    labels = labels_of(height, width)
    around = cv2.dilate((labels == SPACE.index("upper")).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return ~around | np.isin(labels, [SPACE.index(name) for name in ("skin", "hair", "lower")])


colours = st.tuples(*[st.integers(0, 255)] * 3)


@settings(max_examples=60, deadline=None)
@given(colour=colours, dark=st.integers(5, 120), depth=st.integers(12, 120))
def test_folds_stay_whatever_the_colour(colour: tuple[int, int, int], dark: int, depth: int) -> None:
    grey = np.linspace(dark, dark + depth, 400)
    garment = np.repeat(grey[:, None], 3, axis=1).astype(np.uint8)
    cloth = to_oklab(np.array(colour, np.uint8))
    assert likeness(garment, shade(garment, cloth), cloth) >= 0.95


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (160, 20, 40), (20, 60, 200)])
def test_the_garment_gets_the_colour(colour: tuple[int, int, int]) -> None:
    garment = np.repeat(np.linspace(90, 150, 300)[:, None], 3, axis=1).astype(np.uint8)
    made = to_oklab(shade(garment, to_oklab(np.array(colour, np.uint8))))
    wanted = to_oklab(np.array(colour, np.uint8))
    assert np.linalg.norm(np.median(made, axis=0)[1:] - wanted[1:]) < 0.05
    assert abs(np.median(made[:, 0]) - max(float(wanted[0]), 0.2)) < 0.12


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.7, 0.7), st.floats(0.5, 3), st.floats(-50, 50))
def test_a_spline_through_points_moved_straight_moves_all_straight(turn: float, size: float, shift: float) -> None:
    given_ = np.random.default_rng(0).uniform(0, 100, (7, 2))
    move = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    places = np.random.default_rng(1).uniform(-50, 150, (20, 2))
    found = spline(given_, given_ @ move.T + shift, places)
    assert np.allclose(found, places @ move.T + shift, atol=1e-6 * size * 100)


def pose(turn: float = 0.0) -> NDArray[np.float32]:
    points = np.zeros((33, 4), np.float32)
    at = {11: (130, 50), 12: (70, 50), 13: (150, 100), 14: (50, 100), 23: (120, 150), 24: (80, 150)}
    for joint, (x, y) in at.items():
        across, down = x - 100, y - 100
        points[joint] = (
            100 + across * np.cos(turn) - down * np.sin(turn), 100 + across * np.sin(turn) + down * np.cos(turn), 0, 1,
        )  # fmt: skip
    return points


def test_cloth_turns_with_the_body() -> None:
    straight, turned = by_body(pose()), by_body(pose(0.5))
    assert straight is not None
    assert turned is not None
    chest = np.array([[100.0, 80.0]])
    across, down = chest[0] - 100
    moved = 100 + np.array([[across * np.cos(0.5) - down * np.sin(0.5), across * np.sin(0.5) + down * np.cos(0.5)]])
    assert np.allclose(straight.to_cloth(chest), turned.to_cloth(moved), atol=1e-6)
    assert np.allclose(straight.from_cloth(straight.to_cloth(chest)), chest, atol=3)


def test_a_body_seen_from_behind_wears_its_cloth_the_same_way_round() -> None:
    behind = pose()
    behind[[11, 12, 13, 14, 23, 24]] = behind[[12, 11, 14, 13, 24, 23]]
    fit = by_body(behind)
    assert fit is not None
    left, right = fit.to_cloth(np.array([[80.0, 90.0], [120.0, 90.0]]))
    assert left[0] < right[0]


def test_without_a_trunk_there_is_no_fit_by_the_body() -> None:
    hidden = pose()
    hidden[23, 3] = 0.1
    assert by_body(hidden) is None


def test_axes_follow_a_long_garment_and_leave_a_square_one_upright() -> None:
    long = cv2.warpAffine(
        np.pad(np.ones((100, 30), np.uint8), 60), cv2.getRotationMatrix2D((75, 110), 20, 1), (150, 220)
    )  # fmt: skip
    fit = by_axes(long > 0)
    down = fit.pixels[2] - fit.pixels[0]
    assert np.degrees(np.arctan2(down[0], down[1])) == pytest.approx(20, abs=1)
    square = by_axes(np.pad(np.ones((60, 55), bool), 20))
    assert np.allclose((square.pixels[2] - square.pixels[0])[0], 0)


@pytest.fixture(scope="module")
def texture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("cloth") / "checks.png"
    checks = (np.add.outer(np.arange(64) // 8, np.arange(64) // 8) % 2)[..., None] * np.array([200, 20, 40])
    Image.fromarray((255 - checks).astype(np.uint8)).save(file)
    return file


@pytest.mark.parametrize("how", ["colour", "texture", "other"])
def test_only_the_garment_changes(how: str, texture: Path, tmp_path: Path) -> None:
    Image.fromarray(photo_of(200, 150)[..., ::-1].copy()).save(tmp_path / "other.png")
    given_: dict[str, Any] = {"colour": "#1040c0", "texture": texture, "other": tmp_path / "other.png"}
    before = photo_of()
    found = try_on(before, "upper", clothes=ByPlace(), **{how: given_[how]})
    upper = labels_of(*before.shape[:2]) == SPACE.index("upper")
    changed = (found.image != before).any(axis=2)
    assert not changed[untouchable(160, 120)].any()
    assert changed[upper].mean() > 0.8
    assert (found.axes["background"], found.axes["identity"], found.axes["shape"]) == (1.0, 1.0, 1.0)
    assert found.axes["shading"] >= 0.95
    assert (found.alpha[untouchable(160, 120)] == 0).all()


def test_a_texture_bends_with_the_body_that_wears_it(texture: Path) -> None:
    class Body:
        points = pose() * np.array([120 / 200, 160 / 260, 1, 1], np.float32)

    straight, bent = (
        try_on(photo_of(), "upper", clothes=ByPlace(), texture=texture, bodies=bodies)
        for bodies in (lambda photo: [], lambda photo: [Body()])
    )
    upper = labels_of(160, 120) == SPACE.index("upper")
    assert (straight.image != bent.image).any(axis=2)[upper].mean() > 0.2
    assert np.array_equal(straight.alpha, bent.alpha)


def test_a_border_follows_the_edge_of_the_photo() -> None:
    photo = np.full((600, 500, 3), 230, np.uint8)
    photo[100:500, 100:400] = 40
    labels = np.zeros((600, 500), np.uint8)
    labels[102:498, 102:398] = SPACE.index("upper")  # two pixels too small
    alpha = wear(photo, labels, Wish("upper", colour="red"), ByPlace()).alpha
    assert alpha[100:102, 120:380].mean() > 0.5
    assert alpha[98:100, 120:380].mean() < 0.3
    assert alpha[:94].max() == 0


def test_who_wears_no_such_garment_is_told() -> None:
    with pytest.raises(NothingFound, match="no garment of the class upper is found; there is: lower"):
        labels = np.where(labels_of(80, 60) == SPACE.index("upper"), 0, labels_of(80, 60)).astype(np.uint8)
        wear(photo_of(80, 60), labels, Wish("upper", colour="red"), ByPlace())
    with pytest.raises(NothingFound, match="nor any other garment"):
        wear(photo_of(80, 60), np.zeros((80, 60), np.uint8), Wish("upper", colour="red"), ByPlace())


def test_wishes_are_checked() -> None:
    for given_, said in (
        ({"garment": "uper", "colour": "red"}, "Did you mean 'upper'"),
        ({"garment": "upper"}, "one of colour, texture"),
        ({"garment": "upper", "colour": "red", "texture": "x.png"}, "one of colour, texture"),
        ({"garment": "upper", "colour": "rad"}, "is no colour"),
        ({"garment": "upper", "colour": "red", "scale": 0}, "above 0"),
    ):
        with pytest.raises(UsageError, match=said):
            Wish(**given_)  # type: ignore[arg-type]


def test_transparency_and_what_the_file_says_stay(tmp_path: Path) -> None:
    pixels = np.dstack([photo_of(), np.full((160, 120), 255, np.uint8)])
    pixels[:20, :, 3] = 0
    exif = Image.Exif()
    exif[0x010E] = "a photo"
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif.tobytes())
    reader = PhotoReader(tmp_path / "a.png")
    reader.save(tmp_path / "b.png", TryingOn(Wish("upper", colour="navy"), ByPlace()).edit(reader).pixels)
    with Image.open(tmp_path / "b.png") as made:
        assert made.getexif()[0x010E] == "a photo"
        again = np.asarray(made)
    assert np.array_equal(again[..., 3], pixels[..., 3])
    outside = untouchable(160, 120)
    assert np.array_equal(again[outside], pixels[outside])


SEEN = "intarsia.inference.choosing.sees_somebody"


def test_the_command(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SEEN, lambda photo: True)
    monkeypatch.setattr(intarsia, "load", lambda model: ByPlace())
    Image.fromarray(photo_of()).save(tmp_path / "a.jpg", quality=95)
    out = tmp_path / "out"
    found = cli.json("tryon", tmp_path / "a.jpg", "--garment", "upper", "--colour", "#aa0000", "-o", out)
    (record,) = found["records"]
    assert record["details"]["axes"]["background"] == 1.0
    before, after = (np.asarray(Image.open(file)) for file in (tmp_path / "a.jpg", out / "a.tryon.png"))
    outside = untouchable(160, 120)
    assert np.array_equal(before[outside], after[outside])
    assert cli("tryon", tmp_path / "a.jpg", "--garment", "upper", "--colour", "#aa0000", "-o", out, "--resume") == 0
    assert "were done before" in cli.out
    assert cli("tryon", tmp_path / "a.jpg", "--garment", "lower", "--colour", "#aa0000", "-o", out) == 2
    assert "--overwrite" in cli.err
    assert cli("tryon", tmp_path / "a.jpg", "--garment", "uppr", "--colour", "red", "-o", out) == 2
    assert "Did you mean 'upper'" in cli.err


def test_no_such_garment_ends_the_command_with_1(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nobody(ByPlace):
        def segment(self, source: NDArray[np.uint8]) -> Segmentation:
            return Segmentation(np.zeros(source.shape[:2], np.uint8), SPACE)

    monkeypatch.setattr(SEEN, lambda photo: True)
    monkeypatch.setattr(intarsia, "load", lambda model: Nobody())
    Image.fromarray(photo_of()).save(tmp_path / "a.jpg")
    assert cli("tryon", tmp_path / "a.jpg", "--garment", "upper", "--colour", "red", "-o", tmp_path / "out") == 1
    assert "no garment of the class upper is found" in cli.err
    assert not (tmp_path / "out" / "a.tryon.png").exists()


def test_a_photo_without_anybody_is_said_and_not_written(cli: Cli, tmp_path: Path) -> None:
    Image.new("RGB", (200, 150), "white").save(tmp_path / "page.png")
    out = tmp_path / "out"
    assert cli("tryon", tmp_path / "page.png", "--garment", "upper", "--colour", "red", "-o", out) == 1
    assert "nobody wears anything" in cli.err
    assert not list(out.glob("*.png"))


def test_specks_are_no_other_garment() -> None:
    labels = np.zeros((80, 60), np.uint8)
    labels[3, 3], labels[40:60, 10:50] = SPACE.index("upper"), SPACE.index("lower")
    with pytest.raises(NothingFound, match=r"upper is found; there is: lower$"):
        wear(photo_of(80, 60), labels, Wish("upper", colour="red"), ByPlace())
