from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from intarsia.errors import DataError, UsageError
from intarsia.inference import Predictor
from intarsia.media.medium import expand
from intarsia.models import ImageModel
from intarsia.result import Segmentation
from intarsia.runtimes.contract import Runtime

MakePredictor = Callable[..., Predictor]


def halves(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Left half black, right half white."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 255
    return image


class Shallow(ImageModel):
    """Stride 1, for exact answers: brighter than one half or not."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(10.0))

    def logits(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        return torch.cat([torch.zeros_like(mean), (mean - 0.5) * self.gain], dim=1)


@pytest.fixture
def predictor(make_predictor: MakePredictor) -> Predictor:
    return make_predictor(Shallow())


def test_every_kind_of_single_source_gives_the_same(predictor: Predictor, tmp_path: Path) -> None:
    array = halves(20, 30)
    path = tmp_path / "photo.png"
    Image.fromarray(array).save(path)
    expected = (array[..., 0] > 127).astype(np.uint8)
    for source in (array, Image.fromarray(array), path, str(path), path.read_bytes()):
        found = predictor.segment(source)
        assert isinstance(found, Segmentation)
        assert np.array_equal(found.labels, expected)
        assert found.labels.dtype == np.uint8
        assert np.array_equal(found.image, array)
        assert found.confidence is None
    assert predictor.segment(path).source == str(path)
    assert found.areas() == {"dark": 0.5, "bright": 0.5}


def test_exif_orientation_is_applied_once(predictor: Predictor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned by 90 degrees clockwise
    path = tmp_path / "turned.png"
    Image.fromarray(halves(20, 40)).save(path, exif=exif)
    labels = predictor.segment(path).labels
    assert labels.shape == (40, 20)
    assert (labels[:20] == 0).all() and (labels[20:] == 1).all()


@pytest.mark.parametrize("long_side", [10, 64, 200])
def test_labels_have_the_pictures_own_size(make_predictor: MakePredictor, long_side: int) -> None:
    labels = make_predictor(Shallow(), long_side=long_side).segment(halves(31, 60)).labels
    assert labels.shape == (31, 60)
    assert (labels[:, :26] == 0).all() and (labels[:, 34:] == 1).all()


def test_long_side_zero_means_own_size(make_predictor: MakePredictor) -> None:
    assert make_predictor(Shallow(), long_side=0).settings["long_side"] is None
    assert make_predictor(Shallow(), long_side=99).settings["long_side"] == 99


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (3, 2), (33, 5)])
def test_tiny_pictures(make_predictor: MakePredictor, size: tuple[int, int]) -> None:
    from intarsia.models import build

    model = build("unet", classes=2, encoder="test_resnet", channels=(8, 8, 8, 8))
    labels = make_predictor(model).segment(np.zeros((*size, 3), np.uint8)).labels
    assert labels.shape == size


def test_logits_are_resized_not_labels(make_predictor: MakePredictor, local: ImageModel) -> None:
    image = np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)
    x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        expected = F.interpolate(local.logits(x), size=(45, 70), mode="bilinear").argmax(1)[0].numpy()
    labels = make_predictor(local, 5).segment(image).labels
    assert (labels == expected).mean() > 0.999


@pytest.mark.usefixtures("tiled")
@pytest.mark.parametrize("size", [(300, 420), (301, 419), (97, 700), (640, 90)])
@pytest.mark.parametrize("long_side", [None, 260])
def test_tiled_equals_whole_for_a_small_receptive_field(
    make_predictor: MakePredictor, local: ImageModel, monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int], long_side: int | None,
) -> None:  # fmt: skip
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    predictor = make_predictor(local, 5, tile=128, overlap=64, long_side=long_side, confidence=True)
    tiles = predictor.segment(image)
    monkeypatch.setattr("intarsia.inference.pictures.predictor.WHOLE_PIXELS", 10**9)
    whole = predictor.segment(image)
    assert (tiles.labels == whole.labels).mean() > 0.9999
    assert tiles.confidence is not None and whole.confidence is not None
    assert np.abs(tiles.confidence.astype(float) - whole.confidence).max() < 0.002
    assert np.array_equal(tiles.image, image)


class Recorded:
    """Another runtime that notes how wide its inputs are."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self.widths = runtime, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def logits(self, x: Any, place: Any = None) -> Any:
        self.widths.append(x.shape[3])
        return self._runtime.logits(x, place)


@pytest.mark.parametrize(("limit", "tiles"), [(5 * 25 * 38, [150]), (5 * 25 * 38 - 1, [96, 118])])
def test_many_logits_are_tiled_too(
    make_predictor: MakePredictor,
    local: ImageModel,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    tiles: list[int],
) -> None:
    monkeypatch.setattr("intarsia.inference.pictures.predictor.WHOLE_LOGITS", limit)
    predictor = make_predictor(local, 5, tile=96, overlap=32)
    seen = Recorded(predictor.runtime)
    Predictor(predictor.bundle, runtime=seen, tile=96, overlap=32).segment(np.zeros((100, 150, 3), np.uint8))
    assert seen.widths == tiles


@pytest.mark.usefixtures("tiled")
def test_constant_logits_give_no_seam(make_predictor: MakePredictor, constant: ImageModel) -> None:
    found = make_predictor(constant, 3, tile=64, overlap=32, confidence=True).segment(np.zeros((333, 215, 3), np.uint8))
    assert (found.labels == 1).all()
    assert found.confidence is not None and len(np.unique(found.confidence)) == 1
    assert float(found.confidence[0, 0]) == pytest.approx(0.4192, abs=1e-3)


@pytest.mark.usefixtures("tiled")
def test_bands_come_from_top_to_bottom_with_their_photo(make_predictor: MakePredictor) -> None:
    from intarsia.media.images import open_image

    image = np.random.default_rng(0).integers(0, 256, (400, 100, 3), dtype=np.uint8)
    bands = list(make_predictor(Shallow(), tile=64, overlap=32).rows(open_image(image)))
    assert len(bands) > 5
    assert [band.top for band in bands] == np.cumsum([0] + [len(band.labels) for band in bands[:-1]]).tolist()
    assert np.array_equal(np.concatenate([band.image for band in bands]), image)
    expected = (image.mean(2) > 127.5).astype(np.uint8)
    assert (np.concatenate([band.labels for band in bands]) == expected).mean() > 0.999


class Sided(ImageModel):
    """Class 1 in the left half of whatever it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(2.0))

    def logits(self, x: Tensor) -> Tensor:
        left = (torch.arange(x.shape[3]) < x.shape[3] // 2).float() * self.gain
        left = left.expand(len(x), 1, x.shape[2], -1)
        return torch.cat([torch.zeros_like(left), left], dim=1)


def test_augmentation_averages_probabilities_of_the_mirrored_image(make_predictor: MakePredictor) -> None:
    image = np.zeros((8, 16, 3), np.uint8)
    plain = make_predictor(Sided(), confidence=True).segment(image)
    assert plain.confidence is not None
    assert float(plain.confidence[0, 0]) == pytest.approx(0.8808, abs=1e-3)
    assert float(plain.confidence[0, 15]) == pytest.approx(0.5, abs=1e-3)
    both = make_predictor(Sided(), tta=True, confidence=True).segment(image)
    assert both.confidence is not None
    assert both.confidence.astype(float) == pytest.approx(np.full((8, 16), (0.8808 + 0.5) / 2), abs=1e-3)
    assert (both.labels == 1).all()


@pytest.mark.parametrize(
    ("names", "recipe"),
    [(("left_eye", "right_eye"), None), (("one", "other"), {"augment": {"sides": [["other", "one"]]}})],
)
def test_left_and_right_change_places_in_the_mirrored_image(
    make_predictor: MakePredictor, names: tuple[str, str], recipe: dict[str, Any] | None
) -> None:
    """Class 1 is left of the middle for the network, so class 0 is right of it where the image is mirrored."""
    found = make_predictor(Sided(), tta=True, confidence=True, names=names, recipe=recipe).segment(
        np.zeros((8, 16, 3), np.uint8)
    )
    assert found.confidence is not None
    # Left: class 1 by the image with .8808, by its mirror, which sees the right half there, with .5; right: class 0.
    assert (found.labels[:, :8] == 1).all()
    assert (found.labels[:, 8:] == 0).all()
    expected = np.full((8, 16), (0.8808 + 0.5) / 2)
    assert found.confidence.astype(float) == pytest.approx(expected, abs=1e-3)


def test_augmentation_over_scales(make_predictor: MakePredictor) -> None:
    found = make_predictor(Shallow(), tta=True, scales=(0.5, 1.0, 2.0)).segment(halves(40, 64))
    assert (found.labels[:, :30] == 0).all() and (found.labels[:, 34:] == 1).all()


def test_many_sources_are_lazy_and_raise_at_their_turn(predictor: Predictor, tmp_path: Path) -> None:
    taken = []

    def sources() -> Iterator[Any]:
        for source in (halves(4, 4), b"no picture", halves(6, 6)):
            taken.append(source)
            yield source

    results = predictor.segment(sources())
    assert taken == []
    assert next(results).labels.shape == (4, 4)
    assert len(taken) == 1
    with pytest.raises(DataError, match="bytes"):
        next(results)
    assert [found.height for found in predictor.segment([halves(4, 4), halves(6, 6)])] == [4, 6]


def test_folder_and_pattern(predictor: Predictor, tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "sub/c.jpg", ".hidden/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(halves(4, 4)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    found = predictor.segment(tmp_path)
    assert isinstance(found, Iterator)
    assert [Path(one.source).name for one in found] == ["a.png", "b.png", "c.jpg"]
    assert [Path(one.source).name for one in predictor.segment(str(tmp_path / "*.png"))] == ["a.png", "b.png"]
    assert len(list(predictor.segment([tmp_path, tmp_path / "a.png"]))) == 4
    assert expand(str(tmp_path / "**" / "*.jpg")).base == tmp_path


def test_names_that_stand_for_nothing(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no pictures in .*it needs files ending in"):
        predictor.segment(tmp_path)
    with pytest.raises(DataError, match=r"no picture matches .*\*\.png"):
        predictor.segment(str(tmp_path / "*.png"))
    with pytest.raises(DataError, match=r"nothing\.jpg"):
        predictor.segment(tmp_path / "nothing.jpg")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 100}, "tile must be a multiple of 32, at least 64, not 100"),
        ({"tile": 128, "overlap": 96}, r"from 0 to half the tile \(64\), not 96"),
        ({"long_side": -1}, "or 0 for each picture's own size, not -1"),
        ({"scales": ()}, "scales are positive factors"),
    ],
)
def test_wrong_options(make_predictor: MakePredictor, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_predictor(Shallow(), **options)


@pytest.mark.parametrize(("tile", "overlap"), [(None, 128), (512, 128), (256, 128), (128, 64), (96, 32), (64, 32)])
def test_small_tiles_share_less(make_predictor: MakePredictor, tile: int | None, overlap: int) -> None:
    assert make_predictor(Shallow(), tile=tile).settings["overlap"] == overlap


def test_identity_changes_with_weights_and_settings(make_predictor: MakePredictor) -> None:
    model = Shallow()
    first = make_predictor(model).identity()
    assert make_predictor(Shallow()).identity() == first
    assert first.differences(make_predictor(model, tta=True).identity().to_json()) == ["tta true instead of false"]
    with torch.no_grad():
        model.gain += 1
    changed = make_predictor(model).identity()
    assert changed.checksum() != first.checksum() and changed.differences(first.to_json()) == ["the model"]
    assert first.runtime["precision"] == "fp32" and first.runtime["name"] == "torch"


_MEMORY = """
import io, resource, sys
import numpy as np, torch
from intarsia.bundle import Bundle
from intarsia.preprocessing import Preprocessing
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.media.images import open_image
from intarsia.models import build

torch.set_num_threads(1)
options = dict(encoder="test_resnet", output_stride=32, channels=8, low_channels=4)
model = build("deeplabv3plus", classes=19, **options)
bundle = Bundle("deeplabv3plus", options, LabelSpace(tuple(map(str, range(19)))), Preprocessing(), model.state_dict())
predictor = Predictor(bundle, tile=512, overlap=64, precision="fp32")
list(predictor.rows(open_image(np.zeros((1000, 1000, 3), np.uint8))))
image = np.zeros((5000, 1000, 3), np.uint8)
image[:] = 128
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(len(band.labels) for band in predictor.rows(open_image(image)))
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from Linux's resource usage")
def test_memory_does_not_grow_with_height() -> None:
    # Float32 logits of 19 classes would take 380 MB for the whole picture, 304 MB more than for the first one.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", _MEMORY], capture_output=True, text=True, env=environment, check=True)
    rows, grown = map(int, done.stdout.split())
    assert rows == 5000
    assert grown < 100
