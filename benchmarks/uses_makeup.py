"""Make-up: parts of faces beside labels, what is kept, and what each stage takes.

    python benchmarks/uses_makeup.py --json makeup.json

Needs faces of CelebAMask-HQ (images/ and masks/, of the 19 classes), by default below $INTARSIA_DATA. The lips are
painted in four colours at full strength. How much of the labelled inner mouth changes is told by depth below its
labelled border, which people drew to a pixel or two, and once more of what is teeth by its colour: paler than the
labelled lips and less red than nearly all of them. Times are the processor's, the fastest of all faces, of pictures of
512 pixels a side.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import DATA, Row, arguments, report
from numpy.typing import NDArray
from PIL import Image

from intarsia.apps.makeup import Look, open_makeup
from intarsia.apps.makeup.face import paint_face, refusal
from intarsia.apps.makeup.hair import HairFinder
from intarsia.inference.faces.finding import Face
from intarsia.inference.faces.parts import face_parts, filled, outline
from intarsia.media.oklab import to_oklab

PARTS: dict[str, tuple[int, ...]] = {
    "lips": (11, 12), "mouth": (10,), "eyes": (4, 5), "brows": (6, 7), "skin": (1, 2),
    "oval": (1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "hair": (13,),
}  # fmt: skip
"""What is measured, and the labels that it should be."""
COLOURS = ("#b0123b", "#204080", "#000000", "#ffffff")
DEPTHS = (0, 1, 2, 3)
"""Pixels below the border of the labelled inner mouth."""
FACES, FEW = 120, 12


class Measured:
    """What adds up over the faces."""

    def __init__(self) -> None:
        self.shared: dict[str, int] = defaultdict(int)
        self.either: dict[str, int] = defaultdict(int)
        self.texture: dict[str, list[float]] = defaultdict(list)
        self.same: list[float] = []
        self.mouth: dict[tuple[str, int], NDArray[np.int64]] = defaultdict(lambda: np.zeros(2, np.int64))
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def timed(self, stage: str, call: Any, *given: Any) -> Any:
        start = time.process_time()
        result = call(*given)
        self.seconds[stage].append(time.process_time() - start)
        return result

    def face(self, image: NDArray[np.uint8], labels: NDArray[np.uint8], face: Face, hair: HairFinder) -> None:
        size = image.shape[:2]
        parts = self.timed("masks of the parts", face_parts, face, size)
        parts["eyes"], parts["brows"] = (parts[f"left_{name}"] + parts[f"right_{name}"] for name in ("eye", "brow"))
        parts["oval"] = filled(outline(face, "oval"), size)
        painted = image.copy()
        look = Look(hair="#6a2fa0", strength=1)
        (layer,) = self.timed("hair", paint_face, painted, face, look, look.colours(), [], hair)
        parts["hair"] = np.zeros(size, dtype=np.float32)
        parts["hair"][layer.place] = layer.mask
        for name, values in PARTS.items():
            found, truth = parts[name] >= 0.5, np.isin(labels, values)
            self.shared[name] += int((found & truth).sum())
            self.either[name] += int((found | truth).sum())
        for colour in COLOURS:
            self._lips(image, labels, face, colour)
        for name, look in (("skin", Look(skin="smooth")), ("eyes and brows", Look(eyes="green", brows="black"))):
            self.timed(name, paint_face, image.copy(), face, look, look.colours(), [], None)

    def _lips(self, image: NDArray[np.uint8], labels: NDArray[np.uint8], face: Face, colour: str) -> None:
        look, painted = Look(lips=colour, strength=1), image.copy()
        (layer,) = self.timed("lips", paint_face, painted, face, look, look.colours(), [], None)
        mask = np.zeros(image.shape[:2], dtype=np.float32)
        mask[layer.place] = layer.mask
        inside = mask == 1
        if inside.sum() > 50:
            was, now = (to_oklab(pixels[inside])[:, 0] for pixels in (image, painted))
            self.texture[colour].append(float(np.corrcoef(was, now)[0, 1]))
        changed = (image != painted).any(axis=2)
        self.same.append(1 - float(changed[mask == 0].mean()))
        mouth = labels == 10
        below = cv2.distanceTransform(mouth.astype(np.uint8), cv2.DIST_L2, 5)
        for name, part in (
            ("labelled inner mouth", mouth),
            ("teeth in it, by their colour", mouth & teeth(image, labels)),
        ):
            for depth in DEPTHS:
                deep = part & (below > depth)
                self.mouth[name, depth] += np.array([(changed & deep).sum(), deep.sum()])

    def rows(self) -> Iterator[Row]:
        for name in PARTS:
            iou = self.shared[name] / max(self.either[name], 1)
            yield Row(name, "IoU with labels", "", iou, None, "", None)
        for colour, found in self.texture.items():
            yield Row(f"lips {colour}", "correlation of lightness, lowest", "", min(found), None, "", None)
            yield Row(f"lips {colour}", "correlation of lightness, median", "", float(np.median(found)), None, "", None)
        yield Row("lips", "unchanged outside of the mask, lowest", "%", 100 * min(self.same), None, "", None)
        for (name, depth), (changed, every) in self.mouth.items():
            where = f", deeper than {depth} px" if depth else ", all"
            yield Row("lips", f"{name} that changes{where}", "%", 100 * changed / max(every, 1), None, "", None)
        for stage, found in self.seconds.items():
            yield Row(stage, "processor time, fastest", "ms", 1000 * min(found), None, "", None)


def teeth(image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell what is paler than the labelled lips, and less red than nearly all of them, (H, W); nothing without lips."""
    lips = cv2.erode(np.isin(labels, PARTS["lips"]).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not lips.any():
        return np.zeros(labels.shape, np.bool_)
    lightness, redness = np.moveaxis(to_oklab(image)[..., :2], 2, 0)
    return np.asarray((lightness > np.median(lightness[lips])) & (redness < np.quantile(redness[lips], 0.05)))


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    default = DATA
    parser.add_argument("--faces", type=Path, default=default / "faces_celebamask", help="folder of images/ and masks/")
    given = parser.parse_args()
    makeup = open_makeup(Look(hair="red"))
    photos = sorted((given.faces / "images").iterdir())
    measured, missed = Measured(), 0
    for photo in photos[:: -(-len(photos) // (FEW if given.quick else FACES))]:
        image = np.asarray(Image.open(photo).convert("RGB"))
        labels = np.asarray(Image.open(given.faces / "masks" / f"{photo.stem}.png"))
        faces = [face for face in measured.timed("faces found", makeup.finder.find, image) if not refusal(face)]
        missed += not faces
        if faces:
            measured.face(image, labels, faces[0], makeup.hair)
    rows = [Row("all", "faces not found or refused", "", missed, None, "", None), *measured.rows()]
    report(f"Make-up on {len(measured.seconds['faces found'])} faces", rows, given.json, threads=1)


if __name__ == "__main__":
    main()
