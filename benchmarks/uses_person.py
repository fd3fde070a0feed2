"""People: foreground IoU of the bundles person and body on four sets, and their time, beside MediaPipe's own runtime.

MediaPipe runs in an environment of its own (Python 3.11, numpy below 2), named by --mediapipe PYTHON; without it, only
ours is told. The sets lie in $INTARSIA_DATA; those that are absent are left out. Of each set, every other item counts:
the rule by which `body` chooses between its networks was tried on the rest.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import DATA, Row, arguments, report
from numpy.typing import NDArray
from PIL import Image

import intarsia
from intarsia.inference.bodies import BodyFinder
from intarsia.inference.choosing import look
from intarsia.inference.faces.finding import FaceFinder
from intarsia.runtimes.network import Network
from intarsia.zoo import bundled_models

Pair = tuple[Path, NDArray[np.bool_]]
# The folder of each set, its title, and which masks count.
SETS: dict[str, tuple[str, Callable[[NDArray[Any]], bool]]] = {
    "person": ("varied people (human_seg)", lambda mask: True),
    "clothes_ccp": ("whole bodies (CCP)", lambda mask: True),
    "pedestrians": ("pedestrians, single (Penn-Fudan)", lambda mask: int(mask.max()) == 1),
    "faces_celebamask": ("faces (CelebAMask-HQ)", lambda mask: True),
}
MOST = 100  # items of a set
PEER = """
import json, sys, time
import cv2, mediapipe, numpy as np
given = json.load(sys.stdin)
net = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
pose = mediapipe.solutions.pose.Pose(static_image_mode=True, enable_segmentation=True)
seconds = {"selfie": [], "pose": []}
for number, photo in enumerate(given["photos"]):
    image = cv2.imread(photo)[..., ::-1].copy()
    for name, made in (("selfie", net), ("pose", pose)):
        start = time.perf_counter()
        mask = made.process(image).segmentation_mask
        seconds[name].append(time.perf_counter() - start)
        mask = np.zeros(image.shape[:2]) if mask is None else mask
        cv2.imwrite(f"{given['folder']}/{name}{number}.png", (mask > 0.5).astype(np.uint8))
print(json.dumps(seconds))
"""


def pairs(folder: Path, counts: Callable[[NDArray[Any]], bool], most: int) -> Iterator[Pair]:
    """Photos and foregrounds of one set, every other one of at most `most`, spread over it."""
    found = []
    for photo in sorted((folder / "images").iterdir()):
        file = folder / "masks" / f"{photo.stem}.png"
        if file.is_file():
            mask = Image.open(file)
            if counts(np.asarray(mask)):
                found.append((photo, mask))
    for photo, mask in found[:: max(1, len(found) // most)][1:most:2]:
        with Image.open(photo) as image:
            values = np.asarray(mask.resize(image.size, Image.Resampling.NEAREST))
        yield photo, values > (127 if folder.name == "person" else 0)


def iou(found: list[NDArray[np.bool_]], wanted: list[Pair]) -> float:
    """Pixels of both over pixels of either, of all photos together."""
    both = sum(int((a & b).sum()) for a, (_, b) in zip(found, wanted, strict=True))
    return both / sum(int((a | b).sum()) for a, (_, b) in zip(found, wanted, strict=True))


def peer(python: str, photos: list[Path]) -> dict[str, tuple[list[NDArray[np.bool_]], float]]:
    """MediaPipe's masks of some photos, and its median milliseconds, by network."""
    with tempfile.TemporaryDirectory() as folder:
        given = json.dumps({"photos": [str(photo) for photo in photos], "folder": folder})
        done = subprocess.run([python, "-c", PEER], input=given, capture_output=True, text=True, check=True)
        seconds = json.loads(done.stdout.strip().splitlines()[-1])
        return {
            name: (
                [np.asarray(Image.open(f"{folder}/{name}{number}.png")) > 0 for number in range(len(photos))],
                statistics.median(taken) * 1e3,
            )
            for name, taken in seconds.items()
        }


def quality(data: Path, python: str | None, most: int) -> Iterator[Row]:
    """Foreground IoU on each set."""
    models = {name: intarsia.load(name, runtime="onnx") for name in ("person", "body")}
    for folder, (title, counts) in SETS.items():
        if not (data / folder).is_dir():
            continue
        wanted = list(pairs(data / folder, counts, most))
        others = {} if python is None else peer(python, [photo for photo, _ in wanted])
        for name, net in (("person", "selfie"), ("body", "pose")):
            ours = iou([models[name].segment(photo)["person"] for photo, _ in wanted], wanted)
            theirs = iou(others[net][0], wanted) if others else None
            yield Row(
                f"{title}, {len(wanted)} photos", f"IoU of {name}", "", ours, theirs,
                f"MediaPipe 0.10.21, {net}", None if theirs is None else ours / theirs,
            )  # fmt: skip


def fastest(call: Callable[[], object], rounds: int) -> float:
    """The least milliseconds of some rounds, the first of which only warms up."""
    taken = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken[1:]) * 1e3


def speed(photo: Path, python: str | None, rounds: int) -> Iterator[Row]:
    """Milliseconds of each network and of each whole way, on one thread and on two."""
    image = look(photo)
    theirs = {} if python is None else {name: taken for name, (_, taken) in peer(python, [photo] * rounds).items()}
    for threads in (1, 2):
        for name in ("person", "face-detector", "face", "body"):
            network = Network(bundled_models()[name], threads=threads)
            x = np.zeros((1, *(int(side) for side in network.shape[1:] if isinstance(side, int))), np.float32)
            taken = fastest(lambda network=network, x=x: network.run(x), rounds)  # type: ignore[misc]
            yield Row(f"network {name}, {threads} threads", "time", "ms", taken, None, "", None)
        bodies, faces = BodyFinder(threads=threads), FaceFinder(threads=threads)
        found = faces.find(image)
        ways: dict[str, tuple[Callable[[], object], str]] = {
            "person of a photo": (lambda bodies=bodies: bodies.person(image), "selfie"),  # type: ignore[misc]
            "bodies of a photo": (lambda bodies=bodies: bodies.mask(image), "pose"),  # type: ignore[misc]
            "faces of a photo": (lambda faces=faces: faces.find(image), ""),  # type: ignore[misc]
            "faces tracked": (lambda faces=faces, found=found: faces.track(image, found), ""),  # type: ignore[misc]
        }
        for way, (call, net) in ways.items():
            taken, other = fastest(call, rounds), theirs.get(net)
            peer_name = f"MediaPipe 0.10.21, {net}, as many threads as it likes" if other else ""
            yield Row(f"{way}, {threads} threads", "time", "ms", taken, other, peer_name, other and other / taken)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--mediapipe", metavar="PYTHON", help="an interpreter that has mediapipe 0.10.21")
    given = parser.parse_args()
    data = DATA
    rows = list(quality(data, given.mediapipe, 8 if given.quick else MOST))
    photo = next((path for folder in SETS for path in sorted((data / folder / "images").glob("*"))), None)
    if photo is None:
        raise SystemExit(f"no photos in {data}; set INTARSIA_DATA")
    rows += speed(photo, given.mediapipe, 3 if given.quick else 10)
    report("People", rows, given.json, threads=2)


if __name__ == "__main__":
    main()
