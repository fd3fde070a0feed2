"""The slot for a model of one's own, with two networks written byte by byte."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx_made as made
import pytest

from intarsia.errors import ModelError
from intarsia.inference.clicks import ClickSession, OwnClicks, own
from intarsia.labels import LabelSpace

SPACE = LabelSpace(("ground", "thing"))


def shaped(name: str, *sides: int | str) -> bytes:
    """Encode the ValueInfoProto of a float32 tensor."""
    shape = b"".join(made.field(1, made.field(1 if isinstance(side, int) else 2, side)) for side in sides)
    return made.field(1, name) + made.field(2, made.field(1, made.field(1, 1) + made.field(2, shape)))


def written(file: Path, nodes: list[bytes], inputs: list[bytes], outputs: list[bytes], *weights: bytes) -> Path:
    """Write a ModelProto."""
    graph = b"".join(made.field(1, one) for one in nodes) + made.field(2, "network")
    graph += b"".join(made.field(5, one) for one in weights)
    graph += b"".join(made.field(11, one) for one in inputs) + b"".join(made.field(12, one) for one in outputs)
    file.write_bytes(made.field(1, 8) + made.field(7, graph) + made.field(8, made.field(1, "") + made.field(2, 19)))
    return file


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """An encoder that averages, and a decoder of two masks, dark and bright, of which the wider is the better."""
    pool = made.node("AveragePool", ["picture"], "embedding", kernel_shape=[4, 4], strides=[4, 4])
    encoder = written(
        tmp_path / "encoder.onnx", [pool], [shaped("picture", 1, 3, 64, 64)], [shaped("embedding", 1, 3, 16, 16)]
    )
    weight = np.zeros((2, 3, 1, 1), np.float32)
    weight[0], weight[1] = -20, 20
    nodes = [
        made.node("Conv", ["image_embeddings", "w", "b"], "masks"),
        made.node("Sign", ["masks"], "signs"),
        made.node("GlobalAveragePool", ["signs"], "shares"),
        made.node("Flatten", ["shares"], "iou_predictions", axis=1),
    ]
    inputs = [
        shaped("image_embeddings", 1, 3, 16, 16), shaped("point_coords", 1, "n", 2), shaped("point_labels", 1, "n"),
        shaped("orig_im_size", 2),
    ]  # fmt: skip
    outputs = [shaped("masks", 1, 2, 16, 16), shaped("iou_predictions", 1, 2)]
    bias = made.tensor("b", np.array([5, -5], np.float32))
    decoder = written(tmp_path / "decoder.onnx", nodes, inputs, outputs, made.tensor("w", weight), bias)
    return encoder, decoder


def bright(share: float) -> np.ndarray:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, : int(64 * share)] = 255
    return image


def test_the_best_mask_moves_and_the_picture_is_encoded_once(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def counted(session: Any, inputs: Any, file: Path) -> Any:
        calls[file.name] += 1
        return computed(session, inputs, file)

    computed = own.computed
    monkeypatch.setattr(own, "computed", counted)
    model = OwnClicks(*files)
    session = ClickSession(bright(0.75), np.zeros((64, 64), np.uint8), SPACE, method=model)
    session.click(10, 10, 1)
    assert (session.labels[:, :46] == 1).all() and (session.labels[:, 50:] == 0).all()
    session.click(20, 60, 0)
    assert calls == {"encoder.onnx": 1, "decoder.onnx": 2}
    again = ClickSession(bright(0.75), np.zeros((64, 64), np.uint8), SPACE, method=model)
    again.click(12, 12, 1)
    assert calls["encoder.onnx"] == 1  # by content, not by session


def test_embeddings_are_kept_of_few_pictures(files: tuple[Path, Path]) -> None:
    model = OwnClicks(*files)
    for share in np.linspace(0.1, 0.9, 7):
        ClickSession(bright(share), np.zeros((64, 64), np.uint8), SPACE, method=model).click(1, 1, 1)
    assert len(model._seen) == 4


def test_points_are_in_pixels_of_the_encoders_input(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    computed = own.computed

    def noted(session: Any, inputs: Any, file: Path) -> Any:
        given.append(inputs)
        return computed(session, inputs, file)

    monkeypatch.setattr(own, "computed", noted)
    session = ClickSession(
        np.zeros((128, 128, 3), np.uint8), np.zeros((128, 128), np.uint8), SPACE, method=OwnClicks(*files)
    )
    session.click(99, 9, 1)
    session.click(20, 31, 0)
    assert given[-1]["point_coords"].tolist() == [[[10.25, 15.75], [49.75, 4.75]]]
    assert given[-1]["point_labels"].tolist() == [[1, 0]]
    session.click(40, 31, 1)
    assert given[-1]["point_coords"].tolist() == [[[49.75, 4.75], [20.25, 15.75], [10.25, 15.75]]]
    assert given[-1]["point_labels"].tolist() == [[1, 1, 0]]
    assert set(given[-1]) == {"image_embeddings", "point_coords", "point_labels", "orig_im_size"}


def test_files_of_another_form_are_told(files: tuple[Path, Path], tmp_path: Path) -> None:
    encoder, decoder = files
    with pytest.raises(ModelError, match=r"encoder\.onnx: a decoder of clicks takes .*it lacks image_embeddings"):
        OwnClicks(encoder, encoder)
    with pytest.raises(ModelError, match=r"decoder\.onnx: an encoder of clicks takes one input \(1, 3, S, S\)"):
        OwnClicks(decoder, decoder)
    with pytest.raises(ModelError, match=r"missing\.onnx"):
        OwnClicks(tmp_path / "missing.onnx", decoder)
    takes = [shaped(name, 1) for name in ("image_embeddings", "point_coords", "point_labels")]
    other = written(tmp_path / "other.onnx", [made.node("Neg", ["point_labels"], "areas")], takes, [shaped("areas", 1)])
    with pytest.raises(ModelError, match=r"gives masks or low_res_masks, not \['areas'\]"):
        OwnClicks(encoder, other)
