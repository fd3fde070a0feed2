"""A look at labelled pictures, and the plan that it makes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from intarsia.datasets import open_dataset
from intarsia.training.plan.auto import recipe_for
from intarsia.training.plan.fingerprint import Fingerprint, take_fingerprint
from intarsia.training.plan.stills import Budget, plan_stills

LOOK = Fingerprint(
    count=100, height=480, width=640, varied=False, grey=False, upright=True, rarest=("thing", 0.2),
    kept={1.0: 1.0, 0.75: 0.99, 0.625: 0.985, 0.5: 0.98, 0.375: 0.97, 0.25: 0.94, 0.125: 0.9},
)  # fmt: skip
THIN = {1.0: 1.0, 0.75: 0.92, 0.625: 0.88, 0.5: 0.8, 0.375: 0.7, 0.25: 0.6, 0.125: 0.5}


def written(root: Path, masks, colour=False, dtype=np.uint8):
    """A data set of random pictures with these masks, the last one for validation."""
    random = np.random.default_rng(0)
    for index, mask in enumerate(masks):
        part = root / ("val" if index == len(masks) - 1 else "train")
        (part / "images").mkdir(parents=True, exist_ok=True)
        (part / "masks").mkdir(exist_ok=True)
        shape = (*mask.shape, 3) if colour else mask.shape
        top = 4095 if dtype == np.uint16 else 255
        cv2.imwrite(str(part / "images" / f"{index}.png"), random.integers(0, top, shape).astype(dtype))
        cv2.imwrite(str(part / "masks" / f"{index}.png"), mask.astype(np.uint8))
    return open_dataset(root)


def halves(size=64):
    mask = np.zeros((size, size), np.uint8)
    mask[: size // 2] = 1
    return mask


def lines(size, width, down):
    place = np.arange(size) % (4 * width) < width
    return np.broadcast_to(place[:, None] if down else place, (size, size)).astype(np.uint8)


def test_what_is_seen(tmp_path: Path) -> None:
    look = take_fingerprint(written(tmp_path, [halves()] * 6).split("train"))
    assert (look.count, look.height, look.width, look.varied, look.grey, look.upright) == (5, 64, 64, False, True, True)
    assert look.rarest[1] == 0.5 and look.side == 64
    assert look.kept[1.0] == 1.0 and look.kept[0.5] > 0.9


def test_thin_things_lose_more_than_thick_ones_and_stripes_have_no_up(tmp_path: Path) -> None:
    thin = take_fingerprint(written(tmp_path / "thin", [lines(96, 1, False)] * 6, colour=True).split("train"))
    thick = take_fingerprint(written(tmp_path / "thick", [lines(96, 12, True)] * 6).split("train"))
    assert thin.kept[0.5] < 0.8 < 0.95 < thick.kept[0.5]
    assert thin.kept[1.0] == thick.kept[1.0] == 1.0
    assert not thin.grey and thick.grey
    assert not thin.upright and not thick.upright


def test_the_time_decides_how_closely_pictures_are_seen() -> None:
    plans = {
        pixels: plan_stills(LOOK, Budget(minutes, pixels), classes=3, validated=20)
        for minutes, pixels in ((1.0, 1e7), (60.0, 1e10), (None, float("inf")))
    }
    hasty, patient, unlimited = plans.values()
    # .375 of 640: a quarter would do for the labels, but pictures of fewer than 256 pixels tell too little
    assert hasty.input.long_side == 320
    assert patient.input.long_side == unlimited.input.long_side == 320  # .5: labels keep 98 %
    assert hasty.training.batch_size == 4 and patient.training.batch_size == 8
    assert hasty.augment.scale != patient.augment.scale == (0.5, 2.0)
    assert hasty.training.epochs > unlimited.training.epochs == 100
    assert "as many steps as 1 minutes have room for" in hasty.description
    assert "about 3000 steps" in unlimited.description


def test_thin_things_are_seen_at_full_size_however_little_time_there_is() -> None:
    look = Fingerprint(**{**vars(LOOK), "kept": THIN, "grey": True, "upright": False})
    made = plan_stills(look, Budget(1.0, 1e7), classes=2, validated=20)
    assert made.input.long_side is None
    assert (made.augment.saturation, made.augment.vertical_flip) == (0.0, 0.5)
    assert made.description == (
        "100 pictures of 640x480, grey, 2 classes; thin or small things: seen at full size; 4 crops of 256x256 a step; "
        "no side is up: mirrored both ways; as many steps as 1 minutes have room for."
    )


def test_validations_take_a_small_share_of_the_time() -> None:
    few = plan_stills(LOOK, Budget(None, float("inf")), classes=3, validated=1).training.validate_every
    many = plan_stills(LOOK, Budget(None, float("inf")), classes=3, validated=2000).training.validate_every
    assert few == 1 < many


@pytest.mark.parametrize(
    ("masks", "options"),
    [
        ([halves()] * 3, {}),  # three small pictures
        ([halves(96)] * 4, {"dtype": np.uint16}),
        ([halves(40 + 20 * index) for index in range(5)], {"colour": True}),  # of many sizes
        ([(np.arange(64 * 64) % 40).reshape(64, 64)] * 4, {}),  # forty classes
        ([np.pad(np.ones((2, 2), np.uint8), (0, 60))] * 4, {}),  # one class in a thousand
        ([halves(3000)] * 2, {}),
    ],
)
def test_odd_data_get_a_plan(tmp_path: Path, masks, options) -> None:
    dataset = written(tmp_path, masks, **options)
    for minutes in (2.0, None):
        made = recipe_for(dataset, minutes=minutes)
        side = made.input.long_side or masks[0].shape[0]
        assert all(32 <= one <= max(32, side) for one in made.input.crop) and made.input.crop[0] % 32 == 0
        assert 1 <= made.training.batch_size <= 8 and made.description.endswith(".")
    if masks[0].shape[0] == 64:
        assert made.input.long_side == 128 and "2 times as large" in made.description
    if options.get("dtype") == np.uint16:
        assert made.input.window == (0.0, 4095.0)
