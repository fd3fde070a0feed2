"""A folder to masks and overlays, and a clip to its overlay: reading, computing and writing at the same time.

Beside it the network alone, a plain loop of OpenCV and ONNX Runtime with the same network, and decoding and encoding
alone. Each side is a process of its own; wall clock and processor time, and the most memory that it ever held.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
from common import Row, arguments, in_own_process, report

from intarsia.threads import share_cores

SMALL, LARGE, CLIP = (360, 480), (1728, 2304), (1080, 1920)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def plain(model: Path, pictures: Sequence[Path], out: Path, palette: np.ndarray, long_side: int) -> None:
    """What a script does: one picture after the other, all classes interpolated, nothing checked or made durable."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    out.mkdir()
    for path in pictures:
        picture = cv2.imread(os.fspath(path))
        height, width = picture.shape[:2]
        scale = long_side / max(height, width)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        x = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=way)
        x = (cv2.cvtColor(x, cv2.COLOR_BGR2RGB).astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
        (logits,) = session.run(None, {"image": np.ascontiguousarray(x.transpose(2, 0, 1)[None])})
        planes = np.stack([cv2.resize(plane, (width, height)) for plane in logits[0]])
        labels = planes.argmax(axis=0).astype(np.uint8)
        overlay = cv2.addWeighted(picture, 0.5, palette[labels][..., ::-1], 0.5, 0)
        cv2.imwrite(os.fspath(out / f"{path.stem}.mask.png"), labels)
        cv2.imwrite(os.fspath(out / f"{path.stem}.overlay.jpg"), overlay, [cv2.IMWRITE_JPEG_QUALITY, 92])


def timed(work: Callable[[], object], count: int) -> dict[str, float]:
    """Milliseconds of each of `count` pictures, by the clock and of all processors."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {
        "wall": 1000 * (time.perf_counter() - wall) / count,
        "cpu": 1000 * (time.process_time() - processor) / count,
    }


def peak() -> float:
    """Megabytes that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def side_ours(folders: Sequence[Path], work: Path) -> dict[str, float]:
    """The job on each folder, and the network alone before and after it."""
    import intarsia
    from intarsia.jobs import plan, run_all
    from intarsia.media.images import read_image

    predictor = intarsia.load("street", precision="fp32", device="cpu")
    found: dict[str, float] = {}
    for folder in folders:
        pictures = sorted(folder.iterdir())
        x = predictor.working(read_image(pictures[0]))
        passes = max(2, len(pictures) // 20)
        early: list[float] = []

        def alone(x: np.ndarray = x, passes: int = passes) -> None:
            for _ in range(passes):
                predictor.runtime.logits(x)

        def job(folder: Path = folder, early: list[float] = early) -> None:
            run_all(
                predictor, plan(folder, work / f"ours-{folder.name}"),
                finished=lambda done, total, _: early.append(peak()) if done == -(-total // 4) else None,
            )  # fmt: skip

        alone()
        before, times, after = timed(alone, passes), timed(job, len(pictures)), timed(alone, passes)
        found |= {f"{folder.name} job {key}": value for key, value in times.items()}
        found |= {f"{folder.name} network {key}": (before[key] + after[key]) / 2 for key in before}
        found |= {f"{folder.name} early": early[0], f"{folder.name} peak": peak()}
    return found


def side_plain(folders: Sequence[Path], work: Path) -> dict[str, float]:
    """The plain loop on each folder; the network is exported before."""
    import torch

    import intarsia
    from intarsia.models.restore import restore

    predictor = intarsia.load("street", precision="fp32", device="cpu")
    preprocessing = predictor.preprocessing
    assert preprocessing.long_side and (preprocessing.mean, preprocessing.std) == (MEAN, STD)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = restore(predictor.bundle).eval()

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.model.logits(image)

    model = work / "street.onnx"
    x = torch.zeros(1, 3, 3 * preprocessing.long_side // 4, preprocessing.long_side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter, which needs a second where the newer needs many
        torch.onnx.export(Logits(), (x,), model, input_names=["image"], dynamo=False)
    colors, side, found = predictor.space.colors(), preprocessing.long_side, dict[str, float]()
    for folder in folders:
        pictures, out = sorted(folder.iterdir()), work / f"plain-{folder.name}"
        times = timed(lambda pictures=pictures, out=out: plain(model, pictures, out, colors, side), len(pictures))
        found |= {f"{folder.name} job {key}": value for key, value in times.items()}
    return found


def side_clip(clips: Sequence[Path], work: Path) -> dict[str, float]:
    """A clip to its overlay; and its frames decoded and encoded, nothing else."""
    import intarsia
    from intarsia.jobs import plan, run_all
    from intarsia.media.video import open_video
    from intarsia.media.videowriter import VideoWriter

    predictor = intarsia.load("street", precision="fp32", device="cpu")
    (clip,) = clips

    def copy() -> None:
        source = open_video(clip)
        size = {"width": source.width, "height": source.height}
        with VideoWriter(
            work / "copy.mp4", kind="colour", time_base=source.time_base, rate=source.rate, **size
        ) as writer:
            for frame in source:
                writer.write(frame.image, frame.pts)

    x = predictor.working(next(iter(open_video(clip))).image)
    predictor.runtime.logits(x)
    count = open_video(clip).count or 1
    passes = max(2, count // 20)
    network = timed(lambda: [predictor.runtime.logits(x) for _ in range(passes)], passes)
    copied = timed(copy, count)
    job = timed(lambda: run_all(predictor, plan(clip, work / "clip")), count)
    sides = {"job": job, "network": network, "copy": copied}
    return {f"{side} {key}": value for side, times in sides.items() for key, value in times.items()}


SIDES = {"ours": side_ours, "plain": side_plain, "clip": side_clip}


def answer(side: str, work: str, *sources: str) -> None:
    """What a side's process does."""
    share_cores()  # as the command does
    print(json.dumps(SIDES[side]([Path(source) for source in sources], Path(work))))


def shots(size: tuple[int, int], count: int) -> list[np.ndarray]:
    """Streets of CamVid, where it is there, else drawn scenes; BGR, again and again."""
    streets = sorted((Path(os.environ.get("INTARSIA_DATA", "../shared/data")) / "camvid" / "train").glob("*.jpg"))[::9]
    if streets:
        drawn = [cv2.imread(os.fspath(path)) for path in streets[:count]]
    else:
        from intarsia.datasets.synthetic import draw_scene

        random = np.random.default_rng(0)
        drawn = [draw_scene(SMALL, random)[0][..., ::-1] for _ in range(min(count, 40))]
    return [cv2.resize(picture, size[::-1], interpolation=cv2.INTER_CUBIC) for picture in islice(cycle(drawn), count)]


def write_folder(folder: Path, size: tuple[int, int], count: int) -> Path:
    folder.mkdir()
    few = shots(size, min(count, 40))
    for number in range(count):
        name = os.fspath(folder / f"{number:04d}.jpg")
        cv2.imwrite(name, few[number % len(few)], [cv2.IMWRITE_JPEG_QUALITY, 92])
    return folder


def write_clip(path: Path, size: tuple[int, int], count: int) -> Path:
    """A slow pan over one picture."""
    from fractions import Fraction

    from intarsia.media.videowriter import VideoWriter

    height, width = size
    (wide,) = shots((height, width + 2 * count), 1)
    with VideoWriter(
        path, kind="colour", width=width, height=height, time_base=Fraction(1, 25), rate=Fraction(25)
    ) as writer:
        for number in range(count):
            writer.write(np.ascontiguousarray(wide[:, 2 * number : 2 * number + width, ::-1]), number)
    return path


def sync_cost(work: Path, count: int) -> tuple[float, float, float]:
    """Milliseconds a picture to write a mask, an overlay and a line: with each made durable, as batches, not at all."""
    sizes = {"mask.png": 4000, "overlay.jpg": 40_000, "line": 700}

    def write(durable: bool) -> list[int]:
        files = []
        for number in range(count):
            for name, size in sizes.items():
                files.append(os.open(work / f"{number}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
                os.write(files[-1], bytes(size))
                if durable:
                    os.fsync(files[-1])
        return files

    def batch() -> list[int]:
        files = write(durable=False)
        for file in files:
            os.fsync(file)
        return files

    times = []
    for way in (lambda: write(durable=True), batch, lambda: write(durable=False)):
        start = time.perf_counter()
        files = way()
        times.append(1000 * (time.perf_counter() - start) / count)
        for file in files:
            os.close(file)
    return times[0], times[1], times[2]


def folder_rows(folders: dict[str, Path], work: Path) -> list[Row]:
    """Ours beside the network alone and beside the plain loop, by the clock and by processor time; and memory."""
    sources = [os.fspath(folder) for folder in folders.values()]
    ours, loop = (in_own_process(__file__, "--side", side, os.fspath(work), *sources) for side in ("ours", "plain"))
    rows = []
    for case, folder in folders.items():
        for key, metric in (("wall", "time"), ("cpu", "processor time")):
            mine, network = (ours[f"{folder.name} {what} {key}"] for what in ("job", "network"))
            theirs = loop[f"{folder.name} job {key}"]
            rows.append(Row(case, metric, "ms/picture", mine, network, "its network alone", network / mine))
            rows.append(Row(case, metric, "ms/picture", mine, theirs, "plain loop, ONNX Runtime", theirs / mine))
        late, early = ours[f"{folder.name} peak"], ours[f"{folder.name} early"]
        rows.append(Row(case, "peak memory", "MB", late, early, "after a quarter of them", early / late))
    return rows


def clip_rows(case: str, clip: Path, work: Path) -> list[Row]:
    """Frames a second of the clip's overlay, beside decoding and encoding alone, and beside the network alone."""
    found = in_own_process(__file__, "--side", "clip", os.fspath(work), os.fspath(clip))
    ours = 1000 / found["job wall"]
    rows = [
        Row(case, "frames", "/s", ours, 1000 / found[f"{key} wall"], peer, found[f"{key} wall"] / found["job wall"])
        for key, peer in (("copy", "decoding and encoding alone"), ("network", "the network alone"))
    ]
    spent, needed = found["job cpu"], found["copy cpu"] + found["network cpu"]
    rows.append(Row(case, "processor time", "ms/frame", spent, needed, "network + decoding + encoding", needed / spent))
    return rows


def main() -> None:
    if sys.argv[1:2] == ["--side"]:
        answer(*sys.argv[2:])
        return
    options = arguments(__doc__ or "").parse_args()
    small, large, frames = (8, 2, 6) if options.quick else (1000, 100, 300)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folders = {
            f"{count} pictures of {size[1]}x{size[0]}": write_folder(work / f"{size[1]}", size, count)
            for size, count in ((SMALL, small), (LARGE, large))
        }
        clip = write_clip(work / "clip.mp4", CLIP, frames)
        (work / "out").mkdir()
        rows = folder_rows(folders, work / "out")
        rows += clip_rows(f"{frames} frames of {CLIP[1]}x{CLIP[0]}", clip, work / "out")
        each, batch, none = sync_cost(work, 8 if options.quick else 64)
        what = "mask, overlay and line made durable"
        rows.append(Row(what, "one by one", "ms/picture", each, none, "not at all", none / each))
        rows.append(Row(what, "as one batch", "ms/picture", batch, none, "not at all", none / batch))
    report("The whole road", rows, options.json, threads=len(os.sched_getaffinity(0)))


if __name__ == "__main__":
    main()
