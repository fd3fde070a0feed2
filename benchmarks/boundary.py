"""Surface distances and boundary IoU: ours against MONAI, surface-distance, and the paper's erosion per class."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import cv2
import numpy as np
import torch
from common import Row, alternate, arguments, compare, report

from intarsia.metrics import BoundaryIoU, surface_distances

CLASSES = 19


def blob(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A wavy ball that fills about a third of each axis."""
    random = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True)
    centre = random.uniform(-0.15, 0.15, len(shape))
    waves = sum(0.04 * np.sin((5 + i) * axis + seed) for i, axis in enumerate(axes))
    mask: np.ndarray = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True)) < (0.4 + waves) ** 2
    return mask


def label_map(height: int, width: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    rough = random.random((CLASSES, height // 64, width // 64), dtype=np.float32)
    return np.argmax([cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in rough], 0)


def milliseconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def of_monai(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> tuple[float, ...]:
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    a, b = (torch.from_numpy(mask)[None, None] for mask in (one, other))
    options = {"include_background": True, "spacing": list(spacing)}
    return (
        float(compute_hausdorff_distance(a, b, **options)),
        float(compute_hausdorff_distance(a, b, percentile=95, **options)),
        float(compute_average_surface_distance(a, b, symmetric=True, **options)),
    )


def of_deepmind(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> tuple[float, ...]:
    import surface_distance

    found = surface_distance.compute_surface_distances(one, other, spacing)
    return (
        surface_distance.compute_robust_hausdorff(found, 100),
        surface_distance.compute_robust_hausdorff(found, 95),
        *surface_distance.compute_average_surface_distance(found),
    )


def paper_bands(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Boundary IoU with the paper's code for a band, class by class."""
    width = max(1, round(0.02 * np.hypot(*target.shape)))
    kernel = np.ones((3, 3), np.uint8)
    scores = []
    for index in range(CLASSES):
        bands = []
        for labels in (prediction, target):
            mask = (labels == index).astype(np.uint8)
            padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
            bands.append(mask - cv2.erode(padded, kernel, iterations=width)[1:-1, 1:-1])
        scores.append((bands[0] & bands[1]).sum() / max(1, (bands[0] | bands[1]).sum()))
    return np.array(scores)


def our_bands(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    metric = BoundaryIoU(CLASSES)
    metric.update(prediction, target)
    return np.nan_to_num(metric.compute().per_class)


def main() -> None:
    warnings.filterwarnings("ignore")
    options = arguments(__doc__ or "").parse_args()
    cv2.setNumThreads(torch.get_num_threads())
    rounds = 2 if options.quick else 5
    rows: list[Row] = []
    for shape, spacing in (
        ((512, 512), (1.0, 1.0)),
        ((1024, 2048), (1.0, 1.0)),
        ((512, 512), (0.5, 2.0)),
        ((48, 160, 160), (3.0, 0.8, 0.8)),
    ):
        one, other = blob(shape, 1), blob(shape, 2)
        found = surface_distances(one, other, spacing=spacing)
        if not np.allclose((found.hausdorff, found.hd95, found.assd), of_monai(one, other, spacing), rtol=1e-4):
            raise SystemExit("the distances differ from MONAI's")
        case = f"{'x'.join(map(str, shape))}, spacing {', '.join(f'{s:g}' for s in spacing)}"
        for name, peer in (("MONAI", of_monai), ("surface-distance", of_deepmind)):
            times = alternate(
                rounds,
                lambda: milliseconds(lambda: surface_distances(one, other, spacing=spacing)),  # noqa: B023
                lambda peer=peer: milliseconds(lambda: peer(one, other, spacing)),  # noqa: B023
            )
            rows.append(compare(case, "HD, HD95, ASSD", "ms", *times, name))
    maps = [label_map(1024, 2048, seed).astype(np.uint8) for seed in (1, 2)]
    if not np.allclose(our_bands(*maps), paper_bands(*maps)):
        raise SystemExit("boundary IoU differs from the paper's")
    times = alternate(
        rounds, lambda: milliseconds(lambda: our_bands(*maps)), lambda: milliseconds(lambda: paper_bands(*maps))
    )
    rows.append(compare(f"1024x2048x{CLASSES}", "boundary IoU", "ms", *times, "erosion per class"))
    report("Boundaries", rows, options.json, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
