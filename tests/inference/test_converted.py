"""The converted networks give what their origin gives: a few numbers of LiteRT's, on a photo of NASA's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import intarsia
from intarsia.bundle import Description
from intarsia.errors import ModelError, UsageError
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing
from intarsia.runtimes.network import Network
from intarsia.runtimes.upsampling import softmax
from intarsia.transforms.preprocess import prepare
from intarsia.zoo import bundled_models

PLAIN = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), size=(256, 256))
# row, column and value of what LiteRT makes of the same input
PERSON = [
    (7, 113, 0.3856),
    (134, 9, 0.3598),
    (170, 8, 0.1486),
    (203, 7, 0.7180),
    (239, 117, 0.7739),
    (255, 255, 0.5037),
]
BODY = [(9, 101, 0.1201), (168, 3, 0.3313), (201, 34, 0.4368), (214, 146, 0.5790), (229, 41, 0.6732)]


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.asarray(pytest.importorskip("skimage.data").astronaut())


def test_person_is_the_mask_of_its_origin(astronaut: np.ndarray) -> None:
    network = Network(bundled_models()["person"], threads=1)
    logits = network.run(prepare(astronaut, PLAIN))["logits"][0]
    mask = softmax(logits)[1]
    assert mask.mean() == pytest.approx(0.54434, abs=1e-4)
    for row, column, value in PERSON:
        assert mask[row, column] == pytest.approx(value, abs=1e-3)


def test_the_detector_gives_the_boxes_of_its_origin(astronaut: np.ndarray) -> None:
    network = Network(bundled_models()["face-detector"], threads=1)
    found = network.run(prepare(astronaut, network.description.preprocessing))
    best = int(found["logits"][0, :, 0].argmax())
    assert best == 141 and found["logits"][0, best, 0] == pytest.approx(2.47786, abs=1e-3)
    assert np.allclose(found["boxes"][0, best, :6], [4.799, -3.651, 23.478, 23.478, -0.875, -10.331], atol=1e-3)


def test_body_gives_the_points_and_mask_of_its_origin(astronaut: np.ndarray) -> None:
    found = Network(bundled_models()["body"], threads=1).run(prepare(astronaut[:440, 40:480], PLAIN))
    assert np.allclose(found["points"][0, 0], [108.88, 69.71, -377.11, 6.53, 7.11], atol=0.02)
    assert np.allclose(found["points"][0, 15], [121.93, 147.61, -128.27, -3.36, 3.98], atol=0.02)
    assert found["score"][0, 0] == pytest.approx(0.03514, abs=1e-3)
    mask = 1 / (1 + np.exp(-found["mask"][0, 0].clip(-80, 80)))
    assert mask.mean() == pytest.approx(0.29363, abs=1e-4)
    for row, column, value in BODY:
        assert mask[row, column] == pytest.approx(value, abs=1e-3)


def test_person_is_an_ordinary_bundle_of_pictures(astronaut: np.ndarray, tmp_path: Path) -> None:
    model = intarsia.load("person", runtime="onnx")
    soft = model.probabilities(astronaut)[1]
    assert soft.shape == (512, 512) and soft.dtype == np.float32 and 0.53 < soft.mean() < 0.56
    found = model.segment(astronaut)
    assert found.space.names == ("background", "person") and np.array_equal(found["person"], soft > 0.5)
    wide = model.segment(np.ascontiguousarray(astronaut[:, :200]))
    assert wide.labels.shape == (512, 200)
    assert intarsia.load("person", tta=True).probabilities(astronaut)[1].mean() == pytest.approx(soft.mean(), abs=0.02)


def test_what_cannot_be_done_with_it_is_said() -> None:
    pytest.importorskip("torch")
    with pytest.raises(ModelError, match=r"person.onnx: a converted network: .* neither compute nor train it"):
        intarsia.load("person", runtime="torch")
    with pytest.raises(UsageError, match=r"person.onnx: a converted network has no options to change: width"):
        intarsia.load("person", options={"width": 2})
    with pytest.raises(UsageError, match=r"sees every picture stretched to 256x256 pixels, RGB"):
        intarsia.load("person", long_side=640)


def test_every_card_says_where_it_comes_from() -> None:
    notices = (Path(__file__).parents[2] / "THIRD_PARTY_NOTICES").read_text()
    for name in ("person", "face-detector", "face", "body"):
        file = bundled_models()[name]
        description = Description.load(file)
        origin = description.card["origin"]
        assert description.is_converted and file.stat().st_size < 10e6
        assert "weights are unchanged" in origin and "Apache-2.0" in description.terms
        assert origin.split("SHA-256 ")[1][:64] in notices and f"{name}.onnx" in notices
        assert "nothing is claimed" in description.card["limits"]
        assert file.with_suffix(".md").read_text().startswith(f"# {name}\n")


def test_a_size_is_all_of_the_working_size() -> None:
    with pytest.raises(ValueError, match="long_side is none"):
        Preprocessing(size=(8, 8), long_side=8)
    assert "size" not in Preprocessing().model_dump()  # readable by earlier versions
    description = Description("converted", {}, LabelSpace(("a", "b")), Preprocessing(size=(4, 6)))
    again = Description.from_metadata(description.to_metadata(), Path("x.onnx"))
    assert again.preprocessing == description.preprocessing
