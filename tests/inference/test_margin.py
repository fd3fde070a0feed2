"""Networks with a margin: their tiles give exactly the whole picture's prediction (U-Net, section 2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from intarsia.errors import ModelError, UsageError
from intarsia.inference import Predictor
from intarsia.inference.pictures.tiling import exact_overlap, join_tiles, spans
from intarsia.models import ImageModel, build
from intarsia.preprocessing import Preprocessing
from intarsia.transforms.preprocess import normalise

MakePredictor = Callable[..., Predictor]
GREY = Preprocessing(mean=(0.5,), std=(0.25,))
TILE = 448


@pytest.fixture
def valid_unet() -> ImageModel:
    """Narrow, with much from its deepest level, and undecided between its two classes."""
    torch.manual_seed(4)
    model = build("unet_original", classes=2, width=2).eval()
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        parameters["ups.0.0.weight"] *= 4
        logits = model(torch.from_numpy(normalise(picture(300, 300), GREY)))
        parameters["head.bias"][0] -= (logits[:, 0] - logits[:, 1]).median()
    return model


def picture(height: int, width: int) -> np.ndarray:
    """Coloured squares of 24 pixels, coarse enough for the network's deepest level to matter."""
    squares = np.random.default_rng(0).integers(0, 256, (height // 24 + 1, width // 24 + 1, 3), dtype=np.uint8)
    return np.kron(squares, np.ones((24, 24, 1), np.uint8))[:height, :width]


def tiled_logits(model: ImageModel, image: np.ndarray, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """The joined logits of the tiles, and the whole picture's."""

    model.double()  # the tiles' sizes decide how convolutions are summed, which float64 does not show

    def network(pixels: np.ndarray, *_: object) -> np.ndarray:
        with torch.inference_mode():
            return model.logits(torch.from_numpy(normalise(pixels, GREY)).double()).float().numpy()

    overlap = exact_overlap(model.margin, 1)
    rows, columns = (spans(side, TILE, overlap) for side in image.shape[:2])
    windows = (image[top:bottom] for top, bottom in rows)
    joined = np.concatenate(list(join_tiles(windows, rows, columns, overlap, 1, network, margin)), axis=2)
    return joined, network(image)


@pytest.mark.parametrize("size", [(481, 530), (700, 100), (20, 997)])
def test_logits_of_tiles_are_those_of_the_whole_picture(valid_unet: ImageModel, size: tuple[int, int]) -> None:
    tiles, whole = tiled_logits(valid_unet, picture(*size), valid_unet.margin)
    assert (whole[:, 0] - whole[:, 1]).std() > 0.5
    assert np.abs(tiles - whole).max() <= 1e-6


@pytest.mark.parametrize("margin", [0, 92])
def test_a_smaller_margin_gives_other_logits(valid_unet: ImageModel, margin: int) -> None:
    """92 pixels of border are used up, but what an output sees begins up to 107 pixels before it."""
    tiles, whole = tiled_logits(valid_unet, picture(481, 530), margin)
    assert np.abs(tiles - whole).max() > 1e-3


@pytest.mark.usefixtures("tiled")
@pytest.mark.parametrize("size", [(481, 530), (1001, 333)])
def test_labels_of_tiles_are_those_of_the_whole_picture(
    make_predictor: MakePredictor, valid_unet: ImageModel, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    predictor = make_predictor(valid_unet, preprocessing=GREY, tile=TILE, confidence=True)
    assert predictor.settings["overlap"] == 224
    tiles = predictor.segment(picture(*size))
    monkeypatch.setattr("intarsia.inference.pictures.predictor.WHOLE_PIXELS", 10**9)
    whole = predictor.segment(picture(*size))
    assert 0.2 < whole.labels.mean() < 0.8
    assert (tiles.labels != whole.labels).sum() <= 2  # of 250 000, where the classes tie within the float noise
    assert tiles.confidence is not None and whole.confidence is not None
    assert np.abs(tiles.confidence.astype(float) - whole.confidence).max() < 0.001


@pytest.mark.usefixtures("tiled")
def test_without_its_margin_the_labels_would_differ(
    make_predictor: MakePredictor, valid_unet: ImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid_unet.margin = 0
    predictor = make_predictor(valid_unet, preprocessing=GREY, tile=TILE)
    tiles = predictor.segment(picture(481, 530))
    monkeypatch.setattr("intarsia.inference.pictures.predictor.WHOLE_PIXELS", 10**9)
    assert (tiles.labels != predictor.segment(picture(481, 530)).labels).sum() > 100


def test_a_tile_too_small_for_the_margin(make_predictor: MakePredictor, valid_unet: ImageModel) -> None:
    with pytest.raises(UsageError, match=r"sees 107 pixels around each output, .* tile must be at least 448, not 256"):
        make_predictor(valid_unet, preprocessing=GREY, tile=256)


def test_a_bundle_whose_preprocessing_does_not_fit_its_model(
    make_predictor: MakePredictor, valid_unet: ImageModel
) -> None:
    with pytest.raises(ModelError, match="takes 1 channels, but its preprocessing makes 3 of a picture"):
        make_predictor(valid_unet)


def test_a_grey_model_sees_the_luma_of_a_colour_picture(make_predictor: MakePredictor, valid_unet: ImageModel) -> None:
    image = picture(40, 50)
    grey = np.rint(image @ [0.299, 0.587, 0.114]).astype(np.uint8)
    predictor = make_predictor(valid_unet, preprocessing=GREY)
    expected = predictor.segment(np.repeat(grey[..., None], 3, axis=2)).labels
    assert (predictor.segment(image).labels == expected).mean() > 0.99
    assert np.array_equal(predictor.segment(grey).labels, expected)
