"""What an addition takes: a runtime, a medium, a render, each in a few lines and passed in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs_made import files, job
from PIL import Image
from threshold import SPACE, Threshold, threshold

from intarsia.bundle import Description
from intarsia.errors import UsageError
from intarsia.inference import Predictor, VideoPredictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.media.clouds import PointCloud
from intarsia.media.medium import MEDIA, Medium, expand, medium_of
from intarsia.media.png import MaskWriter
from intarsia.media.source import ArraySource
from intarsia.preprocessing import CloudPreprocessing
from intarsia.result import Render
from intarsia.runtimes import RUNTIMES, find_runtime


def invert(pixels: Any, labels: Any, style: Any) -> Any:
    """A render: bright regions inverted."""
    return np.where(labels[..., None] == 1, 255 - pixels, pixels)


# A medium: text files of digits, one a pixel.
DIGITS = Medium(
    "digits", "pictures of digits", "pixel", "rows", "picture", (".digits",),
    sniff=lambda name: str(name).endswith(".digits"),
    open=lambda source, preprocessing, options: ArraySource(read_digits(Path(source)), str(source), "picture"),
    labels=lambda path: ".labels.png", takes=frozenset({"tta"}), outputs=("labels", "overlay"),
    writer=lambda path, reader, space: MaskWriter(path, reader.width, reader.height, space),
)  # fmt: skip


def read_digits(path: Path) -> Any:
    rows = np.array([list(line) for line in path.read_text().split()], dtype=np.uint8)
    return np.repeat(rows[..., None] * 28, 3, axis=2)


@pytest.fixture
def predictor() -> Predictor:
    return threshold()


def test_a_runtime(predictor: Predictor, tmp_path: Path) -> None:
    image = np.zeros((6, 8, 3), np.uint8)
    image[:, 4:] = 200
    found = predictor.segment(image)
    assert np.array_equal(found.labels, image[..., 0] > 127)
    assert predictor.identity().runtime == {"name": "threshold", "precision": "exact", "processor": "any"}
    mirrored = Predictor(predictor.bundle, runtime=Threshold(), tta=True, scales=(1.0, 2.0), confidence=True)
    assert np.array_equal(mirrored.segment(image).labels, found.labels)
    frames = list(VideoPredictor(predictor).stream([image, image[:, ::-1].copy()]))
    assert [one.segmentation.labels[0, 0] for one in frames] == [0, 1] and frames[1].cut is False
    with pytest.raises(UsageError, match=r"a schedule \(every\) splits the network, which the runtime threshold"):
        VideoPredictor(predictor, every=3)
    with pytest.raises(UsageError, match="is a description without weights"):
        Predictor(predictor.bundle)
    assert "threshold" not in RUNTIMES
    with pytest.raises(UsageError, match=r"no runtime is named 'troch'\. Did you mean 'torch'"):
        find_runtime("troch")


def test_a_runtime_of_points() -> None:
    class High(Threshold):
        in_channels = 3

        def logits(self, x: Any, place: Any = None) -> Any:
            assert x.shape[1] == 3  # (N, channels, P)
            return np.stack([np.zeros_like(x[:, 2]), x[:, 2] - 5], axis=1)

    model = CloudPredictor(
        Description("high", {}, SPACE, CloudPreprocessing(features=(), block=8.0, points=64)), runtime=High()
    )
    xyz = np.random.default_rng(0).uniform(0, 8, (300, 3))
    xyz[:, 2] = np.arange(300) % 2 * 10.0
    assert np.array_equal(model.segment(PointCloud(xyz)).labels, xyz[:, 2] > 5)


def test_a_render(predictor: Predictor, tmp_path: Path) -> None:
    image = np.zeros((6, 8, 3), np.uint8)
    image[:, 4:] = 200
    Image.fromarray(image).save(tmp_path / "a.png")
    negative = Render("negative", invert, lossless=True)
    result = job(predictor, tmp_path / "a.png", tmp_path / "out", outputs=("labels", negative))
    assert result.records[0]["outputs"] == {"labels": "a.mask.png", "negative": "a.negative.png"}
    drawn = np.asarray(Image.open(tmp_path / "out" / "a.negative.png"))
    assert drawn[0, 0].tolist() == [0, 0, 0] and drawn[0, 7].tolist() == [55, 55, 55]
    assert np.array_equal(np.asarray(predictor.segment(image).render(negative)), drawn)


def test_a_medium(predictor: Predictor, tmp_path: Path) -> None:
    known = (DIGITS, *MEDIA)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.digits").write_text("0099\n0990\n")
    assert medium_of(tmp_path / "in" / "a.digits", media=known) is DIGITS
    assert [item.medium for item in expand(tmp_path / "in", media=known).items] == [DIGITS]
    result = job(predictor, tmp_path / "in", tmp_path / "out", media=known)
    assert files(tmp_path / "out") == ["a.labels.png", "a.overlay.jpg", "manifest.jsonl"]
    record = json.loads((tmp_path / "out" / "manifest.jsonl").read_text())
    assert record == result.records[0] and record["medium"] == "digits" and record["size"] == [4, 2]
    assert np.asarray(Image.open(tmp_path / "out" / "a.labels.png")).tolist() == [[0, 0, 1, 1], [0, 1, 1, 0]]
    with pytest.raises(UsageError, match="confidence is not written of pictures of digits"):
        job(predictor, tmp_path / "in", tmp_path / "other", media=known, outputs=["confidence"])
    with pytest.raises(UsageError, match="category is for point clouds, not for pictures of digits"):
        job(predictor, tmp_path / "in", tmp_path / "other", media=known, category="chair")
