"""Dense CRF: time, agreement and memory of ours against pydensecrf, one core, DeepLab-v2 settings, 10 iterations.

The peer is optional and built from source: pip install pydensecrf2
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import Row, alternate, arguments, compare, in_own_process, report
from scenes import scene

from intarsia.refine import PRESETS, dense_crf, warm_up

# Photo, height, width, classes, classes that occur.
CASES = {
    "500x375x21": ("coffee", 375, 500, 21, 4),
    "480x360x11": ("chelsea", 360, 480, 11, 4),
    "2048x1024x11": ("astronaut", 1024, 2048, 11, 5),
    "480x360x150": ("chelsea", 360, 480, 150, 6),
}
PEER = "pydensecrf"


def peer(probs: np.ndarray, image: np.ndarray) -> np.ndarray:
    import pydensecrf.densecrf as dcrf
    from pydensecrf.utils import unary_from_softmax

    preset = PRESETS["deeplabv2-resnet101"]
    classes, height, width = probs.shape
    crf = dcrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(np.ascontiguousarray(unary_from_softmax(probs)))
    crf.addPairwiseGaussian(sxy=preset.spatial_xy, compat=preset.spatial_weight)
    crf.addPairwiseBilateral(
        sxy=preset.bilateral_xy, srgb=preset.bilateral_rgb, rgbim=image, compat=preset.bilateral_weight
    )
    return np.array(crf.inference(preset.iterations)).reshape(probs.shape)


def seconds(refine: Callable[..., object], *args: object, **options: object) -> float:
    """Processor time, which other work on the machine hardly disturbs."""
    start = time.process_time()
    refine(*args, **options)
    return time.process_time() - start


def agreement(ours: np.ndarray, other: np.ndarray) -> float:
    return 100 * float((ours.argmax(0) == other.argmax(0)).mean())


def speed(case: str, rounds: int) -> list[Row]:
    probs, image = scene(*CASES[case])
    rows = []
    expected = peer(probs, image)
    for name, options in (
        ("all classes", {"prune": 0.0}),
        ("pruned (default)", {}),
        ("torch, all classes", {"prune": 0.0, "backend": "torch"}),
    ):
        if "torch" in name and probs.size > 10_000_000:
            continue
        pair = alternate(
            rounds, lambda o=options: seconds(dense_crf, probs, image, **o), lambda: seconds(peer, probs, image)
        )
        rows.append(compare(f"{case}, {name}", "time", "s", *pair, PEER))
        same = agreement(dense_crf(probs, image, **options), expected)
        moved = 100 - agreement(probs, expected)
        rows.append(Row(f"{case}, {name}", f"labels as peer's (CRF moves {moved:.1f} %)", "%", same, None, PEER, None))
    return rows


def memory(case: str) -> list[Row]:
    peaks = [in_own_process(__file__, "--peak", side, case)["peak"] for side in ("ours", PEER)]
    return [compare(f"{case}, all classes", "peak memory over before", "MB", [peaks[0]], [peaks[1]], PEER)]


def peak(side: str, case: str) -> float:
    """Growth of the process's peak memory in MB by one refinement, once everything is loaded and compiled."""
    probs, image = scene(*CASES[case])
    small = np.ascontiguousarray(probs[:, :8, :8]), np.ascontiguousarray(image[:8, :8])
    refine = peer if side == PEER else lambda p, i: dense_crf(p, i, prune=0)
    refine(*small)
    # Making the case took memory that is free again; writing 5 makes the peak start anew (proc(5)).
    Path("/proc/self/clear_refs").write_text("5")
    start = _status("VmRSS")
    refine(probs, image)
    return (_status("VmHWM") - start) / 1024


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def exactness() -> list[Row]:
    """Native-size crops of photographs against all pairs."""
    rows = []
    for photo, classes in (("coffee", 7), ("chelsea", 5), ("rocket", 4)):
        probs, image = scene(photo, 375, 500, classes, 4)
        crop = np.s_[150:222, 200:296]
        probs, image = np.ascontiguousarray(probs[(slice(None), *crop)]), np.ascontiguousarray(image[crop])
        exact = dense_crf(probs, image, prune=0, backend="exact")
        ours, other = agreement(dense_crf(probs, image, prune=0), exact), agreement(peer(probs, image), exact)
        moved = 100 - agreement(probs, exact)
        rows.append(
            Row(
                f"96x72x{classes} of {photo}",
                f"labels as exact (CRF moves {moved:.1f} %)",
                "%",
                ours,
                other,
                PEER,
                None,
            )
        )
    return rows


def threads(rounds: int) -> Row:
    """A batch of four with two threads instead of one; the clock's time."""
    probs, image = scene(*CASES["480x360x11"])
    batch, pictures = np.stack([probs] * 4), np.stack([image] * 4)

    def clock(count: int) -> float:
        start = time.perf_counter()
        dense_crf(batch, pictures, threads=count)
        return time.perf_counter() - start

    pair = alternate(rounds, lambda: clock(2), lambda: clock(1))
    return compare("4 x 480x360x11, pruned", "time, 2 threads", "s", *pair, "ours, 1 thread")


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        print(json.dumps({"peak": peak(sys.argv[2], sys.argv[3])}))
        return
    options = arguments(__doc__ or "").parse_args()
    try:
        import pydensecrf.densecrf  # noqa: F401
    except ImportError:
        raise SystemExit("the peer is missing: pip install pydensecrf2 (needs a C++ compiler)") from None
    torch.set_num_threads(1)
    start = time.process_time()
    warm_up()
    rows = [Row("first use in this process", "warm_up", "s", time.process_time() - start, None, "", None)]
    for case in list(CASES)[: 2 if options.quick else None]:
        rows += speed(case, 3 if options.quick else 5 if "2048" not in case else 3)
        rows += memory(case)
    rows += exactness()
    rows.append(threads(3 if options.quick else 7))
    report("Dense CRF", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
