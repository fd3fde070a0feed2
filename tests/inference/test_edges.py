"""Edges of people: the bundled network of edges beside the guided filter that it starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from people import red_people

import intarsia
from intarsia.apps.grounds import Plain
from intarsia.apps.portrait import Portraits, put_before
from intarsia.bundle import Description
from intarsia.errors import UsageError
from intarsia.inference.edges import EdgeFinder
from intarsia.inference.matting import Matting, weighted_mean
from intarsia.zoo import bundled_models

GREEN = Plain(np.full((1, 1, 3), (0, 255, 0), np.uint8))


@pytest.fixture(scope="module")
def finder() -> EdgeFinder:
    return EdgeFinder(threads=1)


@pytest.fixture(scope="module")
def astronaut() -> tuple[np.ndarray, np.ndarray]:
    photo = np.asarray(pytest.importorskip("skimage.data").astronaut())
    return photo, np.ascontiguousarray(intarsia.load("person", runtime="onnx").probabilities(photo)[1])


def test_alpha_is_that_of_the_filter_away_from_edges(
    finder: EdgeFinder, astronaut: tuple[np.ndarray, np.ndarray]
) -> None:
    photo, mask = astronaut
    alpha, matte = finder.alpha(photo, mask), Matting(photo, mask, (512, 512)).alpha
    assert alpha.shape == (512, 512) and alpha.dtype == np.float32
    assert alpha.min() == 0 and alpha.max() == 1
    border = cv2.morphologyEx((mask > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    away = cv2.dilate(border, np.ones((25, 25), np.uint8)) == 0
    assert away.sum() > 150_000
    np.testing.assert_array_equal(alpha[away], matte[away])
    assert 0.005 < np.abs(alpha - matte)[~away].mean() < 0.2


def test_nobody_becomes_larger_or_smaller(finder: EdgeFinder, astronaut: tuple[np.ndarray, np.ndarray]) -> None:
    photo, mask = astronaut
    np.testing.assert_array_equal(finder.alpha(photo, mask) > 0.5, Matting(photo, mask, (512, 512)).alpha > 0.5)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3), (33, 65), (700, 300)])
def test_any_size(finder: EdgeFinder, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    mask = np.zeros(size, np.float32)
    mask[: size[0] // 2] = 1
    alpha = finder.alpha(picture, mask)
    assert alpha.shape == (size if max(size) < 512 else (512, 219))
    assert ((alpha >= 0) & (alpha <= 1)).all()


def test_held_out_portraits_are_cut_out_better_than_by_the_filter(finder: EdgeFinder, real_data: Path) -> None:
    folder = real_data / "portraits_public_domain"
    if not folder.is_dir():
        pytest.skip(f"no portraits at {folder}")
    person, errors = intarsia.load("person", runtime="onnx"), []
    noise = np.random.default_rng(0).integers(30, 225, (55, 45, 3), dtype=np.uint8)
    behind = cv2.resize(noise, (450, 550), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    for file in sorted((folder / "alpha").glob("*.png"))[::8][:8]:  # see HELD_OUT of tools/edge_scenes.py
        photo = cv2.cvtColor(cv2.imread(str(folder / "images" / f"{file.stem}.jpg")), cv2.COLOR_BGR2RGB)
        share = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE).astype(np.float32) / np.float32(255)
        around = weighted_mean(photo.astype(np.float32), (share > 0.9).astype(np.float32), 3)
        own, alpha = (cv2.resize(one, (450, 550)) for one in (np.where(share[..., None] > 0.9, photo, around), share))
        picture = np.rint(behind + alpha[..., None] * (own - behind)).astype(np.uint8)
        mask = np.ascontiguousarray(person.probabilities(picture)[1])
        small, coarse, truth = (
            cv2.resize(one, (419, 512), interpolation=cv2.INTER_AREA) for one in (picture, mask, alpha)
        )
        found = finder.alpha(picture, mask), Matting(small, coarse, (512, 419)).alpha
        band = cv2.dilate(((truth > 0) & (truth < 1)).astype(np.uint8), np.ones((21, 21), np.uint8)) > 0
        errors.append([float(np.abs(one - truth)[band].mean()) for one in found])
    ours, filtered = np.mean(errors, axis=0)
    assert ours < 0.975 * filtered < 0.03


def test_portraits_keep_the_person_and_their_alpha(astronaut: tuple[np.ndarray, np.ndarray]) -> None:
    photo, mask = astronaut
    portraits = Portraits(intarsia.load("person", runtime="onnx"), GREEN)
    assert portraits.edges is not None and portraits.identity().settings["edges"] == "edge"
    made = put_before(photo, mask, GREEN, portraits.edges)
    core = cv2.erode((mask > 0.95).astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
    assert (made[core] == photo[core]).all(axis=1).mean() > 0.99
    far = cv2.dilate((mask > 0.05).astype(np.uint8), np.ones((41, 41), np.uint8)) == 0
    plain = put_before(photo, mask, GREEN)
    assert np.array_equal(made[core], plain[core]) and np.array_equal(made[far], plain[far])
    assert not np.array_equal(made, plain)
    assert Portraits(red_people(), GREEN).edges is None


def test_a_converted_network_gets_the_edges_that_it_names_alone() -> None:
    person = intarsia.load("person", runtime="onnx")
    assert person.bundle.edges == "edge" and intarsia.load("body").bundle.edges == "edge"
    person.bundle = replace(person.bundle, options={"network": "people of my own"})
    own = Portraits(person, GREEN)
    assert own.edges is None and "edges" not in own.identity().settings
    # Nor are its photos looked at for faces and bodies: that is for what the bundled masks take for people.
    assert own.shares(np.zeros((40, 40, 3), np.uint8)).shape == (40, 40)


def test_the_card_says_what_it_was_made_of() -> None:
    file = bundled_models()["edge"]
    described = Description.load(file)
    assert file.stat().st_size < 200_000 and described.is_converted
    assert "645 official portraits" in described.card["data"] and "CC0" in described.card["data"]
    assert file.with_suffix(".md").read_text().startswith("# edge\n")
    with pytest.raises(UsageError, match=r"makes edges of people fine .* -m person"):
        intarsia.load("edge")
