"""Draw the figures of the explanation pages anew, each computed by the package itself.

PYTHONPATH=tools:tests:. python -m handbook.figures
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from handbook.figures_learning import classical_strokes, loss_gradients, metric_conventions
from handbook.figures_shapes import instances_necks, ksac_rates, pointnet_maxima
from handbook.figures_video import flow_moves_labels, low_latency, video_joins, video_schedule
from handbook.sheets import sheet
from handbook.stage import DOCS
from intarsia.datasets.synthetic import SCENE, draw_scene

OUT = DOCS / "explanation"


def fcn_strides() -> Image.Image:
    """What strides lose by themselves: true labels, shrunk and enlarged bilinearly by 32, 16 and 8."""
    import cv2

    labels = draw_scene((128, 192), np.random.default_rng(3))[1]
    scores = np.eye(len(SCENE), dtype=np.float32)[labels]
    panels = [("true labels", SCENE.colors()[labels])]
    for stride in (32, 16, 8):
        small = cv2.resize(scores, None, fx=1 / stride, fy=1 / stride, interpolation=cv2.INTER_AREA)
        found = cv2.resize(small, (192, 128), interpolation=cv2.INTER_LINEAR).argmax(axis=2)
        kept = float((found == labels).mean())
        panels.append((f"stride {stride}: {kept:.0%} of pixels", SCENE.colors()[found]))
    return sheet(panels, 1)


def unet_borders() -> Image.Image:
    """Three cells that nearly touch, and the weights of the gaps between them."""
    from intarsia.losses import border_weights

    y, x = np.mgrid[:96, :128]
    cells = np.zeros((96, 128), np.int32)
    for number, (row, column, radius) in enumerate(((40, 40, 27), (44, 94, 24), (80, 66, 14)), 1):
        cells[((y - row) ** 2 + (x - column) ** 2 < radius**2) & (cells == 0)] = number
    weights = np.asarray(border_weights(cells, w0=10, sigma=5))
    shades = np.array([(255, 255, 255), (70, 130, 180), (200, 120, 60), (90, 150, 90)], np.uint8)
    heat = np.clip(weights / 10, 0, 1)[..., None] * (-35, -195, -215) + 255
    return sheet([("cells", shades[cells]), ("weights of the loss, at most 10", heat.astype(np.uint8))], 3)


def deeplab_holes() -> Image.Image:
    """Where the nine taps of a 3x3 kernel with holes lie on a map of 33x33."""
    panels = []
    for rate in (1, 6, 12, 18, 24):
        map_ = np.full((33, 33, 3), 235, np.uint8)
        for row in (16 - rate, 16, 16 + rate):
            for column in (16 - rate, 16, 16 + rate):
                if 0 <= row < 33 and 0 <= column < 33:
                    map_[row, column] = (200, 60, 40)
        inside = [min(33, 33 - abs(shift)) / 33 for shift in (-rate, 0, rate)]
        panels.append((f"rate {rate}: {sum(inside) ** 2:.1f} taps inside", map_))
    return sheet(panels, 4)


def gcn_weights() -> Image.Image:
    """Weights of a global convolution and of a plain k x k, from 2048 channels to 21 classes."""
    picture = Image.new("RGB", (560, 190), "white")
    pen = ImageDraw.Draw(picture)
    for place, size in enumerate((3, 5, 7, 9, 11, 13, 15)):
        strips, whole = 2 * size * 21 * (2048 + 21), size * size * 21 * 2048
        for side, (weights, colour) in enumerate(((strips, (60, 90, 170)), (whole, (200, 120, 60)))):
            left, high = 20 + 76 * place + 26 * side, weights / 9_676_800 * 140
            pen.rectangle([left, 160 - high, left + 22, 160], fill=colour)
            pen.text((left, 146 - high), f"{weights / 1e6:.1f}", fill="black")
        pen.text((30 + 76 * place, 166), f"k = {size}", fill="black")
    for row, (text, colour) in enumerate((("two strips each way", (60, 90, 170)), ("k x k", (200, 120, 60)))):
        pen.rectangle([20, 8 + 18 * row, 32, 20 + 18 * row], fill=colour)
        pen.text((38, 8 + 18 * row), f"{text}, million weights", fill="black")
    return picture


def acnn_rings() -> Image.Image:
    """The neighbours of a point in two rings, in the order in which they are convolved."""
    random = np.random.default_rng(2)
    points = random.uniform(-1, 1, (160, 2))
    distance, angle = np.hypot(*points.T), np.arctan2(points[:, 1], points[:, 0])
    picture = Image.new("RGB", (360, 360), "white")
    pen = ImageDraw.Draw(picture)
    for low, high, colour in ((0.0, 0.45, (200, 60, 40)), (0.5, 0.9, (40, 90, 180))):
        for radius in (low, high):
            near, far = 180 - 170 * radius, 180 + 170 * radius
            pen.ellipse([near, near, far, far], outline=(190, 190, 190))
        ring = np.flatnonzero((distance >= low) & (distance < high))
        chosen = ring[np.argsort(distance[ring])[:14]]
        order = chosen[np.argsort(angle[chosen])]
        places = [(180 + 170 * x, 180 + 170 * y) for x, y in points[order]]
        pen.line([*places, places[0]], fill=colour, width=2)
        for x, y in places:
            pen.ellipse([x - 4, y - 4, x + 4, y + 4], fill=colour)
    for x, y in points:
        pen.ellipse([179 + 170 * x, 179 + 170 * y, 181 + 170 * x, 181 + 170 * y], fill="black")
    return picture


def crf_edges() -> Image.Image:
    """A person's mask before and after the dense CRF, around the head."""
    import intarsia
    from intarsia.refine import dense_crf

    photo = np.asarray(Image.open(DOCS.parent / "intarsia" / "serving" / "samples" / "astronaut.jpg").convert("RGB"))
    probabilities = np.asarray(intarsia.load("person").probabilities(photo), np.float32)
    refined = np.asarray(dense_crf(probabilities, photo))
    box = np.s_[0:190, 130:330]
    panels = [("photo", photo[box])]
    for title, scores in (("network", probabilities), ("after the CRF", refined)):
        shown = photo.copy()
        shown[scores.argmax(axis=0) == 0] = (240, 240, 120)
        panels.append((title, shown[box]))
    return sheet(panels, 1)


FIGURES: dict[str, Callable[[], Image.Image]] = {
    "fcn.png": fcn_strides,
    "unet.png": unet_borders,
    "deeplab.png": deeplab_holes,
    "gcn.png": gcn_weights,
    "ksac.png": ksac_rates,
    "instances.png": instances_necks,
    "crf.png": crf_edges,
    "pointclouds.png": acnn_rings,
    "pointnet.png": pointnet_maxima,
    "video.png": video_schedule,
    "video-flow.png": flow_moves_labels,
    "video-late.png": low_latency,
    "video-joins.png": video_joins,
    "classical.png": classical_strokes,
    "losses.png": loss_gradients,
    "metrics.png": metric_conventions,
}


def main(out: Path = OUT) -> None:
    """Draw all of them."""
    for name, draw in FIGURES.items():
        draw().quantize(128).save(out / name, optimize=True)


if __name__ == "__main__":
    main()
