"""Video on CamVid's labelled sequence: what each schedule saves, and what it costs in quality.

One table: mIoU (mean over all phases and distances from the key frame, and at the worst distance), temporal consistency
relative to the truth's, flicker, key ratio, GMAC, and wall time a frame (mean, 95th percentile, slowest) relative to
the same network on every frame. With --json FILE.json, FILE.svg shows accuracy against time. Thresholds are calibrated,
without labels, on the first 40 frames; the last 61 are reported.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import arguments
from plot import Point, scatter
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from intarsia.bundle import Bundle
from intarsia.datasets import ReadOptions, Split, open_dataset
from intarsia.inference import Predictor, VideoPredictor
from intarsia.metrics import ConfusionMatrix, Flicker, TemporalConsistency, VideoConsistency
from intarsia.models.cost import gmacs
from intarsia.models.layers import resize
from intarsia.models.restore import restore
from intarsia.models.video import (
    Budget,
    Clock,
    DISFlow,
    FixedRate,
    FlowWarp,
    Halves,
    Hold,
    LearnedDeviation,
    NetWarp,
    Policy,
    Propagation,
    ScoreChange,
    State,
    TemporalSmoother,
    Updated,
    VideoSegmenter,
    VirtualClock,
    Whole,
    calibrate,
    part_gmacs,
    step_gmacs,
)
from intarsia.models.video.clock import Job
from intarsia.models.video.parts import FRAME, Maps, Parts
from intarsia.recipe import Clips
from intarsia.runtimes.upsampling import upsampled_labels
from intarsia.training.loop.deviation import fit_deviation
from intarsia.transforms.clips import make_clips

CALIBRATION, LEAD_IN = 40, 12


class Remembered(Parts):
    """The same parts, which compute each frame's deep result once for all schedules; only quality is measured so."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.image)
        self.parts = parts
        self._cheap: dict[int, Maps] = {}
        self._deep: dict[int, Tensor] = {}

    def cheap(self, frame: Tensor) -> Maps:
        if id(frame) not in self._cheap:
            self._cheap[id(frame)] = self.parts.cheap(frame)
        return self._cheap[id(frame)]

    def deep(self, low: Maps) -> Tensor:
        if id(low[FRAME]) not in self._deep:
            self._deep[id(low[FRAME])] = self.parts.deep(low)
        return self._deep[id(low[FRAME])]

    def join(self, low: Maps, high: Tensor, *, fresh: bool) -> Tensor:
        return self.parts.join(low, high, fresh=fresh)

    def early(self, low: Maps) -> Tensor:
        return self.parts.early(low)


@dataclass
class Entry:
    """One line of the table."""

    method: str
    miou: float
    worst: float
    relative: float
    consistency: float
    flicker: float
    vc8: float
    keys: float
    gmacs: float
    time: Time | None = None


@dataclass(frozen=True)
class Time:
    """Wall time of a frame, relative to that of the same network on every frame."""

    mean: float
    p95: float
    slowest: float


class Sequence:
    """The frames, as the network takes them, with their truth and the flow between them."""

    def __init__(self, split: Split, predictor: Predictor) -> None:
        pairs = [split.read(index) for index in range(len(split))]
        self.pictures = [image for image, _ in pairs]
        self.truth = [target for _, target in pairs]
        self.frames = [torch.from_numpy(predictor.working(image)) for image in self.pictures]
        self.space = split.space
        measure = DISFlow("medium")
        inputs = [torch.from_numpy(image).permute(2, 0, 1)[None].float() / 58 - 2 for image in self.pictures]
        self.flows = [np.zeros((*self.truth[0].shape, 2), dtype=np.float32)]
        self.flows += [measure(now, before)[0].permute(1, 2, 0).numpy() for before, now in pairwise(inputs)]
        self.reference = self._consistency(self.truth)

    def _consistency(self, labels: list[np.ndarray]) -> float:
        metric = TemporalConsistency(len(self.space), ignore_index=self.space.ignore_index)
        for index in range(CALIBRATION + 1, len(labels)):
            metric.update(labels[index], labels[index - 1], self.flows[index])
        return metric.compute().miou

    @torch.inference_mode()
    def run(self, model: VideoSegmenter, *, start: int) -> Iterator[tuple[int, np.ndarray, Any]]:
        """Labels of the reported frames, the stream having begun at frame `start`."""
        for offset, result in enumerate(model.stream(self.frames[start:])):
            index = start + offset
            if index >= CALIBRATION:
                size = self.truth[index].shape
                labels = upsampled_labels(
                    result.logits, size, align_corners=model.align_corners, dtype=self.space.dtype
                )
                yield index, labels, result

    def measure(self, name: str, model: VideoSegmenter, gmacs: dict[str, float], *, phases: int = 1) -> Entry:
        """All that is about quality, over all phases of a fixed schedule."""
        classes, ignore = len(self.space), self.space.ignore_index
        every, by_age = ConfusionMatrix(classes, ignore_index=ignore), {}
        consistency = TemporalConsistency(classes, ignore_index=ignore)
        flicker, steady = Flicker(ignore_index=ignore), VideoConsistency(8, ignore_index=ignore)
        keys, macs, count = 0, 0.0, 0
        for phase in range(phases):
            before = None
            steady.reset()
            for index, labels, result in self.run(model, start=CALIBRATION - LEAD_IN - phase):
                truth = self.truth[index]
                every.update(labels, truth)
                by_age.setdefault(result.age, ConfusionMatrix(classes, ignore_index=ignore)).update(labels, truth)
                steady.update(labels, truth)
                if before is not None:
                    consistency.update(labels, before, self.flows[index])
                    flicker.update(labels, before, truth, self.truth[index - 1], self.flows[index])
                before, count = labels, count + 1
                keys += "deep" in result.ran
                macs += step_gmacs(result.ran, gmacs)
        common = [
            matrix.compute().miou for matrix in by_age.values() if matrix.counts.sum() > 0.05 * every.counts.sum()
        ]
        return Entry(
            name, every.compute().miou, min(common), float("nan"), consistency.compute().miou / self.reference,
            flicker.compute(), steady.compute()[1], keys / count, macs / count,
        )  # fmt: skip


def timed(ours: VideoPredictor, plain: VideoPredictor, pictures: list[np.ndarray], keys: float, rounds: int) -> Time:
    """All frames of paired rounds; those with and without a deep run count by the schedule's own share `keys`."""
    runs, relative = [], []
    for _ in range(rounds):
        # The first frame of a stream has no past to work with, and is not counted.
        one = statistics.median(result.seconds for result in list(plain.stream(pictures))[1:])
        results = list(ours.stream(pictures))[1:]
        runs += ["deep" in result.ran for result in results]
        relative += [result.seconds / one for result in results]
    deep, seconds = np.array(runs), np.array(relative)
    kinds = [(share, kind) for share, kind in ((keys, deep), (1 - keys, ~deep)) if kind.any()]
    mean = sum(share * float(np.median(seconds[kind])) for share, kind in kinds)
    weights = sum(share / kind.sum() * kind for share, kind in kinds)
    p95 = np.quantile(seconds, 0.95, weights=weights, method="inverted_cdf")
    return Time(mean, float(p95), float(seconds.max()))


def show(entries: list[Entry], title: str) -> None:
    table = Table(title=title)
    for column in ("method", "mIoU", "worst distance", "of every frame's", "TC/TC(truth)", "flicker", "VC8 right",
                   "key ratio", "GMAC", "times faster", "mean time", "p95", "slowest"):  # fmt: skip
        table.add_column(column, justify="left" if column == "method" else "right")
    for entry in entries:
        time = entry.time
        times = (1 / time.mean, time.mean, time.p95, time.slowest) if time else ()
        table.add_row(
            entry.method, f"{entry.miou:.4f}", f"{entry.worst:.4f}", f"{100 * (entry.relative - 1):+.2f} %",
            f"{entry.consistency:.4f}", f"{entry.flicker:.4f}", f"{entry.vc8:.3f}", f"{entry.keys:.2f}",
            f"{entry.gmacs:.2f}", *(f"{value:.2f}" for value in times),
        )  # fmt: skip
    Console(width=160).print(table)


def plot(entries: list[Entry]) -> str:
    """Accuracy against time of all entries whose time is known, as SVG; names are grouped by what precedes a comma."""
    groups: dict[str, list[Point]] = {}
    for entry in entries:
        if entry.time is not None:
            name, _, schedule = entry.method.partition(", ")
            groups.setdefault(name, []).append((entry.time.mean, entry.miou, schedule))
    return scatter(
        "Accuracy against time: CamVid's labelled sequence", groups,
        x_label="time a frame, as a share of the whole network's", y_label="mIoU",
    )  # fmt: skip


class Bench:
    """One network, its remembered parts, and the entries so far."""

    def __init__(self, bundle: Bundle, split: Split, file: Path | None, rounds: int) -> None:
        self.predictor = Predictor(bundle)
        self.sequence = Sequence(split, self.predictor)
        self.plain = VideoPredictor(self.predictor)
        image = self.predictor.runtime.model
        self.whole: Parts = Remembered(Whole(image))
        self.halves: Parts = Remembered(Halves(image))
        self.counted = restore(bundle)
        self.size = (self.sequence.frames[0].shape[2], self.sequence.frames[0].shape[3])
        self.file, self.rounds = file, rounds
        self.entries: list[Entry] = []
        self._gmacs: dict[tuple[bool, type], dict[str, float]] = {}

    def gmacs(self, split: bool, propagation: Propagation) -> dict[str, float]:
        key = (split, type(propagation))
        if key not in self._gmacs:
            parts = Halves(self.counted) if split else Whole(self.counted)
            self._gmacs[key] = part_gmacs(VideoSegmenter(parts, propagation=propagation).eval(), self.size)
        return self._gmacs[key]

    def add(
        self,
        name: str,
        propagation: Propagation,
        *,
        split: bool,
        policy: Policy | None = None,
        clock: Clock | None = None,
        smooth: float = 0.0,
        ratio: float | None = None,
        phases: int = 1,
        measure_time: bool = True,
    ) -> None:
        """Measure one schedule of the network; with `ratio`, its threshold is calibrated first."""
        smoother = TemporalSmoother(smooth) if smooth else None
        parts = self.halves if split else self.whole

        def model(parts: Parts) -> VideoSegmenter:
            return VideoSegmenter(parts, propagation=propagation, policy=policy, clock=clock, smoother=smoother).eval()

        remembered = model(parts)
        if ratio is not None:
            calibrate(remembered, self.sequence.frames[:CALIBRATION], ratio)
            policy = remembered.policy
        entry = self.sequence.measure(name, remembered, self.gmacs(split, propagation), phases=phases)
        self._finish(entry, (lambda: model(parts.parts)) if measure_time else None)  # type: ignore[attr-defined]

    def add_model(
        self,
        name: str,
        make: Callable[..., VideoSegmenter],
        parts: Parts,
        counted: dict[str, float],
        *,
        phases: int = 1,
        arrived: Arrived | None = None,
    ) -> None:
        """Measure a model made of parts; with `arrived`, its slowest frame is one whose deep run someone else does."""
        entry = self.sequence.measure(name, make(parts).eval(), counted, phases=phases)
        own = parts.parts if isinstance(parts, Remembered) else parts
        self._finish(entry, lambda: make(own).eval())
        if arrived is not None and self.rounds:
            ours = VideoPredictor(self.predictor)
            ours.model = make(own, clock=arrived).eval()
            list(ours.stream(self._timed_pictures()))  # after which there is a result that can arrive
            entry.time = timed(ours, self.plain, self._timed_pictures(), entry.keys, self.rounds)
            self._write(entry)

    def _timed_pictures(self) -> list[np.ndarray]:
        return self.sequence.pictures[CALIBRATION : CALIBRATION + 11]

    def _finish(self, entry: Entry, make: Callable[[], VideoSegmenter] | None) -> None:
        entry.relative = entry.miou / self.entries[0].miou if self.entries else 1.0
        if make is not None and self.rounds:
            ours = VideoPredictor(self.predictor)
            ours.model = make()
            entry.time = timed(ours, self.plain, self._timed_pictures(), entry.keys, self.rounds)
        self.entries.append(entry)
        self._write(entry)

    def _write(self, entry: Entry) -> None:
        print(f"{time.strftime('%H:%M:%S')} {asdict(entry)}", flush=True)
        if self.file is not None:
            self.file.write_text(json.dumps([asdict(entry) for entry in self.entries], indent=1) + "\n")
            self.file.with_suffix(".svg").write_text(plot(self.entries), encoding="utf-8")


def schedules(bench: Bench) -> None:
    """Schedules that need no training."""
    bench.add("smoothed, 0.5", Hold(), split=False, smooth=0.5)
    bench.add("labels held, every 2nd", Hold(), split=False, policy=FixedRate(2), phases=2, measure_time=False)
    bench.add("labels held, every 5th", Hold(), split=False, policy=FixedRate(5), phases=5, measure_time=False)
    for every in (2, 3, 5, 8):
        bench.add(f"flow, every {every}", FlowWarp(), split=False, policy=FixedRate(every), phases=every)
    for share in (0.5, 0.2):
        policy = ScoreChange(1.0, max_gap=15)
        bench.add(f"flow, calibrated to {share}", FlowWarp(), split=False, policy=policy, ratio=share)
        bench.add(f"flow, budget {share}", FlowWarp(), split=False, policy=Budget(share, max_gap=15))
    bench.add("clockwork, pipeline", Hold(), split=True, clock=VirtualClock(1), measure_time=False)
    for every in (2, 3, 5):
        bench.add(f"clockwork, every {every}", Hold(), split=True, policy=FixedRate(every), phases=every)
    for share in (0.9, 0.5):
        policy = ScoreChange(1.0, max_gap=15)
        bench.add(f"clockwork, calibrated to {share}", Hold(), split=True, policy=policy, ratio=share)
    bench.add("clockwork, budget 0.5", Hold(), split=True, policy=Budget(0.5, max_gap=15))
    for every in (5, 8):
        bench.add(f"flow of features, every {every}", FlowWarp(), split=True, policy=FixedRate(every), phases=every)


class Arrived(VirtualClock):
    """Results are there when they are due, made by someone else: what is left is the time until a frame is shown."""

    def __init__(self, delay: int) -> None:
        super().__init__(delay)
        self._result: Tensor | None = None

    def collect(self, ticket: int, age: int, job: Job) -> Tensor | None:
        if self._result is None:
            self._result = job()
        return self._result if age >= self.delay else None


def deferred(bench: Bench) -> None:
    """The low-latency schedule without anything learned: key frames' scores arrive later and are moved along."""
    for delay in (1, 2):
        bench.add_model(
            f"flow, every 5, arriving {delay} later",
            lambda parts, clock=None, delay=delay: VideoSegmenter(
                parts, propagation=FlowWarp(), policy=FixedRate(5), clock=clock or VirtualClock(delay)
            ),
            bench.whole, bench.gmacs(False, FlowWarp()), phases=5, arrived=Arrived(delay),
        )  # fmt: skip


def low_latency(bench: Bench, bundle: Bundle, stills: Tensor) -> None:
    """The learned propagation, on fixed key frames and on those that the learned deviation asks for."""
    trained = restore(bundle)
    assert isinstance(trained, VideoSegmenter) and isinstance(trained.parts, Halves)
    counted = part_gmacs(trained, bench.size)
    errors = fit_deviation(trained, stills, steps=60, batch=1)
    print(f"deviation: mean squared error {np.mean(errors[:10]):.4f} -> {np.mean(errors[-10:]):.4f}", flush=True)

    def model(policy: Policy) -> Callable[..., VideoSegmenter]:
        return lambda parts, clock=None: VideoSegmenter(
            parts, propagation=trained.propagation, deviation=trained.deviation, policy=policy,
            clock=clock or VirtualClock(1),
        )  # fmt: skip

    bench.add_model("low latency, every 5", model(FixedRate(5)), bench.halves, counted, phases=5, arrived=Arrived(1))
    learned = model(LearnedDeviation(0.1, max_gap=10))(bench.halves).eval()
    calibrate(learned, bench.sequence.frames[:CALIBRATION], 0.2)
    bench.add_model("low latency, learned 0.2", model(learned.policy), bench.halves, counted, arrived=Arrived(1))


def accel(bench: Bench, bundle: Bundle, train: Split, steps: int) -> None:
    """Scores of key frames moved along, joined with a small network's; only the 1x1 convolution is trained."""
    small = Predictor(bundle)
    parts = Updated(bench.predictor.runtime.model, small.runtime.model, classes=len(bench.sequence.space))
    model = VideoSegmenter(parts, propagation=FlowWarp(), policy=FixedRate(5)).eval()
    optimizer = torch.optim.Adam(parts.fusion.parameters(), 5e-3)
    torch.manual_seed(0)
    ignore = bench.sequence.space.ignore_index
    for step in range(steps):
        image, target = train.read(int(torch.randint(len(train), ())))
        frame = torch.from_numpy(bench.predictor.working(image))
        labels = torch.from_numpy(target.astype(np.int64))[None]
        labels = F.interpolate(labels[None].float(), size=frame.shape[2:], mode="nearest")[0].long()
        clip = make_clips(frame, labels, Clips(frames=5, things=0), ignore_index=ignore)
        with torch.no_grad():
            state: State = {}
            for picture in clip.frames[:-1]:
                _, state = model.step(picture, state)
        logits = resize(model.step(clip.frames[-1], state)[0].logits, frame.shape[2:])
        loss = F.cross_entropy(logits, clip.labels[-1], ignore_index=ignore)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"accel, step {step}: {float(loss.detach()):.4f}", flush=True)
    large = part_gmacs(VideoSegmenter(Whole(bench.counted)).eval(), bench.size)
    counted = {**large, "cheap": gmacs(restore(bundle), bench.size)}

    def make(parts: Parts, clock: Clock | None = None) -> VideoSegmenter:
        return VideoSegmenter(parts, propagation=FlowWarp(), policy=FixedRate(5))

    bench.add_model("accel, every 5", make, Remembered(parts), counted, phases=5)


def heads(bundles: list[str], split: Split) -> list[Entry]:
    """Models on every frame, a bundle for each seed, against the first one or, if it has a module, the image model."""
    entries: list[Entry] = []
    sequence = None
    for path in bundles:
        predictor = Predictor(Bundle.load(path), runtime="torch")
        model = predictor.runtime.model
        network = model if isinstance(model, VideoSegmenter) else VideoSegmenter(Whole(model)).eval()
        sequence = sequence or Sequence(split, predictor)
        size = (sequence.frames[0].shape[2], sequence.frames[0].shape[3])
        image = restore(Bundle.of(predictor.bundle))
        counted = part_gmacs(image if isinstance(image, VideoSegmenter) else VideoSegmenter(Whole(image)).eval(), size)
        if not entries and network.mixer is not None:
            entries.append(sequence.measure("the image model", VideoSegmenter(network.parts).eval(), counted))
            entries[0].relative = 1.0
        entry = sequence.measure(Path(path).parent.name, network, counted)
        entry.relative = entry.miou / entries[0].miou if entries else 1.0
        entries.append(entry)
        print(f"{asdict(entry)}; {_learned(network)}", flush=True)
    return entries


def _learned(network: VideoSegmenter) -> str:
    if network.mixer is None:
        return "no module"
    size = network.mixer.contribution if isinstance(network.mixer, NetWarp) else float(network.mixer.gate)
    return f"mean |w2| or gate: {size:.4f}"


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("bundle", nargs="?", help="a trained image model whose deep part dominates")
    parser.add_argument("--data", default="../shared/data/camvid", help="CamVid's folder")
    parser.add_argument("--output-stride", type=int, default=8, help="of the network; its weights do not depend on it")
    parser.add_argument("--low-latency", metavar="BUNDLE", help="a trained low_latency around the same network")
    parser.add_argument("--update", metavar="BUNDLE", help="a trained small network, for accel")
    parser.add_argument("--only-trained", action="store_true", help="leave the untrained schedules out")
    parser.add_argument(
        "--heads", nargs="*", default=[], metavar="BUNDLE", help="trained netwarp, stfcn or steady models"
    )
    options = parser.parse_args()
    dataset = open_dataset(options.data, ReadOptions(layout="camvid"))
    split, train = dataset.split("val"), dataset.split("train")
    if options.heads:
        show(heads(options.heads, split), "models on every frame")
        return
    bundle = Bundle.load(options.bundle).with_options({"output_stride": options.output_stride})
    rounds = 1 if options.quick else 3
    bench = Bench(bundle, split, options.json, rounds)
    print(f"working size {bench.size}, truth's own consistency {bench.sequence.reference:.4f}", flush=True)
    bench.add("every frame", Hold(), split=False, measure_time=False)
    bench.entries[0].time = Time(1.0, 1.0, 1.0)
    if not options.only_trained:
        schedules(bench)
    deferred(bench)
    if options.low_latency:
        stills = torch.cat(
            [torch.from_numpy(bench.predictor.working(train.read(index)[0])) for index in range(0, len(train), 12)]
        )
        low_latency(bench, Bundle.load(options.low_latency), stills)
    if options.update:
        accel(bench, Bundle.load(options.update), train, 10 if options.quick else 80)
    show(bench.entries, f"{options.bundle}, output stride {options.output_stride}")


if __name__ == "__main__":
    main()
