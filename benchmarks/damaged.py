"""The same damaged files in Intarsia and in the libraries that people call instead.

Peers: Pillow and OpenCV, which the loaders in the examples of segmentation_models.pytorch call; nibabel; laspy;
numpy.load; and a reader of LabelMe's JSON that does what labelme's own does. "Wrong" is another content than was
stored, where the format's own checksum or length tells that it is damaged.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import arguments

sys.path.append(str(Path(__file__).parents[1] / "tests"))

_EACH, _FEW = 400, 20
_KEYS = ("version", "imageData", "imagePath", "shapes")


def _pillow(path: Path) -> str:
    import numpy as np
    from ordeals.targets import digest
    from PIL import Image

    return digest(np.asarray(Image.open(path)))


def _opencv(path: Path) -> str:
    import cv2
    from ordeals.targets import digest

    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise OSError("None, without a reason")
    return digest(found)


def _nibabel(path: Path) -> str:
    import nibabel
    import numpy as np
    from ordeals.targets import digest

    image = nibabel.load(path)
    return digest(np.asarray(image.dataobj), np.round(image.affine, 3))


def _laspy(path: Path) -> str:
    import laspy
    import numpy as np
    from ordeals.targets import digest

    cloud = laspy.read(path)
    return digest(np.asarray(cloud.xyz), np.asarray(cloud.classification))


def _numpy(path: Path) -> str:
    import numpy as np
    from ordeals.targets import digest

    return digest(np.load(path))


def _labelme(path: Path) -> str:
    """Every file of a folder, as labelme reads one: whatever goes wrong is an error that says so."""
    import numpy as np
    from ordeals.targets import digest
    from PIL import Image

    parts: list[Any] = []
    for file in sorted(path.rglob("*.json")):
        try:
            with file.open(encoding="utf-8") as stream:
                read = json.load(stream)
            _, packed, photo, shapes = (read[key] for key in _KEYS)
            pixels = base64.b64decode(packed) if packed is not None else (file.parent / photo).read_bytes()
            size = Image.open(io.BytesIO(pixels)).size
            parts += [size, [(one["label"], one["points"], one.get("shape_type", "polygon")) for one in shapes]]
            parts += [
                np.asarray(Image.open(io.BytesIO(base64.b64decode(one["mask"])))) for one in shapes if one.get("mask")
            ]
        except Exception as error:
            raise OSError(f"{file}: {error}") from error
    return digest(*parts)


PEERS: list[tuple[str, str, Callable[[Path], str]]] = [
    ("photo.png", "Pillow", _pillow), ("photo.png", "OpenCV", _opencv), ("mask.png", "Pillow", _pillow),
    ("mask.png", "OpenCV", _opencv), ("photo.jpg", "Pillow", _pillow), ("photo.jpg", "OpenCV", _opencv),
    ("photo.tif", "Pillow", _pillow), ("photo.tif", "OpenCV", _opencv), ("photo.webp", "Pillow", _pillow),
    ("photo.webp", "OpenCV", _opencv), ("volume.nii", "nibabel", _nibabel), ("volume.nii.gz", "nibabel", _nibabel),
    ("cloud.las", "laspy", _laspy), ("old.las", "laspy", _laspy), ("cloud.laz", "laspy", _laspy),
    ("mask.npy", "numpy.load", _numpy), ("annotations-labelme", "as labelme", _labelme),
]  # fmt: skip
"""What is damaged, by whom it is read, and how."""


def counted(name: str, read: Callable[[Path], str] | None, each: int) -> dict[str, int]:
    """Damage one form of file, and count what a reader makes of it; None for ours.

    Returns:
        How many damages ended as "wrong", "refused" (of those "named": by an error of files and values), "same",
        "other", "greed", "crash" and "hang".
    """
    from ordeals.damage import Ordeal
    from ordeals.targets import all_targets

    target = all_targets()[name]
    with tempfile.TemporaryDirectory() as folder:
        ordeal = Ordeal(target if read is None else replace(target, read=read), Path(folder))
        tally = ordeal.run([f"{name}:peers:{case}" for case in range(each)])
    ends, faults = tally.ends, Counter(finding.fault for finding in tally.findings)
    return {
        "wrong": faults["wrong success"], "refused": ends["refused"] + ends["defect"] + ends["said"],
        "named": ends["refused"] + ends["said"], "same": ends["same"], "other": ends["other"] - faults["wrong success"],
        "greed": faults["greed"], "crash": faults["crash"], "hang": faults["hang"],
    }  # fmt: skip


def main() -> None:
    """Print a row for every form and peer."""
    asked = arguments(__doc__ or "").parse_args()
    from ordeals.servers import warm

    warm(light=True)
    rows, ours = [], {}
    for name, peer, read in PEERS:
        each = _FEW if asked.quick else _EACH
        ours[name] = ours.get(name) or counted(name, None, each)
        rows.append({"form": name, "peer": peer, "each": each, "ours": ours[name], "theirs": counted(name, read, each)})
        told = [
            ", ".join(f"{count} {end}" for end, count in found.items() if count)
            for found in (ours[name], rows[-1]["theirs"])
        ]
        print(f"{name:20} ours: {told[0]}\n{'':20} {peer}: {told[1]}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
