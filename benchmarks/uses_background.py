"""Video background: flicker and edges beside frames that are judged alone; processor time by stage; memory.

On the clip dance-twirl of DAVIS 2016 (davis_person/ in INTARSIA_DATA, every frame labelled), the labels of the steady
mask and of the finished matte are compared with the network's own of each frame: flips (pixels a second that change
although the truth there does not), flicker (the same along the motion) and boundary F1. A clip that is made here is
timed: a photo (of scikit-image) under a moving camera, at 1280x720.
"""

from __future__ import annotations

import itertools
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import DATA, Row, arguments, report
from numpy.typing import NDArray

import intarsia
from intarsia.apps.background import MEDIA, Backgrounds, Filming, background_output
from intarsia.apps.grounds import Blur, Plain
from intarsia.inference import SteadyPredictor
from intarsia.jobs import JobOptions, plan, run_all
from intarsia.media.frames import Frame
from intarsia.media.images import read_image
from intarsia.media.video import open_video
from intarsia.media.videowriter import VideoWriter
from intarsia.metrics import BoundaryF1, Flicker

WHITE, BLACK, GREY = (Plain(np.full((1, 1, 3), level, np.uint8)) for level in (255, 0, 90))
RATE = 24
SIZE = (1280, 720)


def steadiness(pictures: Path, masks: Path, limit: int | None) -> list[Row]:
    """Flips, flicker and boundary F1 of the steady mask, of the matte, and of frames alone."""
    files = sorted(pictures.iterdir())[:limit]
    predictor = intarsia.load("person")
    truths = [
        (cv2.imread(str(masks / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE) > 127).view(np.uint8) for file in files
    ]
    frames = [read_image(file) for file in files]
    results = list(SteadyPredictor(predictor, "person").stream(frames))
    found = {
        "frames alone": [_alone(predictor, frame) for frame in frames],
        "steady mask": [result.segmentation.labels for result in results],
        "matte": [_matte(predictor, frame, result.shares) for frame, result in zip(frames, results, strict=True)],
    }
    flows = [_flow(now, before) for before, now in itertools.pairwise(frames)]
    scores = {name: _scores(labels, truths, flows) for name, labels in found.items()}
    rows = []
    for name in ("steady mask", "matte"):
        for metric, unit in (("flips", "/s"), ("flicker", "/s"), ("boundary F1", "")):
            ours, peer = scores[name][metric], scores["frames alone"][metric]
            ratio = ours / peer if metric == "boundary F1" else peer / ours
            rows.append(Row(f"{name}, {len(files)} frames", metric, unit, ours, peer, "frames alone", ratio))
    return rows


def _alone(predictor: Any, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    labels: NDArray[np.uint8] = predictor.segment(frame).labels
    return labels


def _matte(predictor: Any, frame: NDArray[np.uint8], shares: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """Where white and black behind the person differ by less than half: there, more than half is the person."""
    white, black = (Filming(predictor, one).draw(frame, np.asarray(shares)) for one in (WHITE, BLACK))
    return (cv2.absdiff(white, black)[..., 0] < 128).view(np.uint8)


def _flow(now: NDArray[np.uint8], before: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (now, before)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return flow.calc(grey[0], grey[1], None)  # type: ignore[call-overload,no-any-return]


def _scores(labels: list[Any], truths: list[Any], flows: list[Any]) -> dict[str, float]:
    edges, flicker, flips = BoundaryF1(2), Flicker(), []
    for found, truth in list(zip(labels, truths, strict=True))[::3]:
        edges.update(found, truth)
    for (before, now), (truth_before, truth), flow in zip(
        itertools.pairwise(labels), itertools.pairwise(truths), flows, strict=True
    ):
        flicker.update(now, before, truth, truth_before, flow)
        flips.append(float((now != before)[truth == truth_before].mean()))
    return {
        "flips": RATE * float(np.mean(flips)), "flicker": RATE * flicker.compute(), "boundary F1": edges.compute().mean,
    }  # fmt: skip


def moving(count: int) -> Iterator[NDArray[np.uint8]]:
    """A person under a camera that sways."""
    import skimage.data

    photo = cv2.resize(skimage.data.astronaut(), (1500, 1500), interpolation=cv2.INTER_CUBIC)
    for index in range(count):
        left, top = round(110 + 100 * np.sin(index / 15)), round(20 + 15 * np.sin(index / 9))
        yield np.ascontiguousarray(photo[top : top + SIZE[1], left : left + SIZE[0]])


def write(path: Path, frames: Iterator[NDArray[np.uint8]]) -> None:
    with VideoWriter(
        path, kind="colour", width=SIZE[0], height=SIZE[1], time_base=Fraction(1, 25), rate=Fraction(25)
    ) as writer:
        for index, frame in enumerate(frames):
            writer.write(frame, index)


def stages(clip: Path, count: int) -> list[Row]:
    """Processor time of each stage alone, on one thread, a frame."""
    predictor = intarsia.load("person")
    steady, filming = SteadyPredictor(predictor, "person"), Filming(predictor, GREY)
    frames: list[Frame] = []
    rows = [_timed("decode", count, lambda: frames.extend(itertools.islice(open_video(clip), count)))]
    results: list[Any] = []
    rows.append(_timed("mask, steady", count, lambda: results.extend(steady.stream(frames))))
    drawn: list[Any] = []
    draws = (filming.draw(result.frame.image, np.asarray(result.shares)) for result in results)
    rows.append(_timed("matte and mix", count, lambda: drawn.extend(draws)))
    rows.append(_timed("encode", count, lambda: write(clip.with_name("again.mp4"), iter(drawn))))
    total = sum(row.ours for row in rows)
    return [*rows, Row("1280x720", "all stages", "ms", total, None, "", None)]


def _timed(stage: str, count: int, work: Callable[[], object]) -> Row:
    start = time.process_time()
    work()
    return Row("1280x720", stage, "ms", 1000 * (time.process_time() - start) / count, None, "", None)


def whole(clip: Path, frames: int, name: str, ground: Plain | Blur) -> list[Row]:
    """Frames a second of the whole job, and how much memory grows from its first half to its second."""
    backgrounds = Backgrounds(intarsia.load("person"), ground)
    held: list[float] = []
    planned = plan(clip, clip.parent / name, outputs=[background_output(ground)], media=MEDIA)
    start = time.perf_counter()
    run_all(
        backgrounds, planned, options=JobOptions(limit=frames),
        tell=lambda task, done, total: held.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    )  # fmt: skip
    rate = frames / (time.perf_counter() - start)
    grown = held[-1] - held[len(held) // 2]
    case = f"1280x720, before a {name}"
    return [
        Row(case, "whole job", "fps", rate, None, "", None),
        Row(case, "memory grown", "MiB", grown, None, "", None),
    ]


def main() -> None:
    parser = arguments(__doc__ or "")
    args = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        count = 40 if args.quick else 400
        write(clip, moving(count))
        rows += whole(clip, count, "colour", GREY) + whole(clip, count, "blur", Blur(0.6))
        cv2.setNumThreads(1)
        rows += stages(clip, 20 if args.quick else 60)
    data = DATA / "davis_person"
    if data.is_dir():
        pictures, masks = (data / kind / "480p" / "dance-twirl" for kind in ("JPEGImages", "Annotations"))
        rows += steadiness(pictures, masks, 12 if args.quick else None)
    else:
        print(f"no clip at {data} (set INTARSIA_DATA): flicker is not measured")
    report("Video background", rows, args.json, threads=2)


if __name__ == "__main__":
    main()
