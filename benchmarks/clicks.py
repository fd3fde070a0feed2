"""Clicks: how many bring a thing to an IoU of 0.90, from a prediction and from nothing, and how long each takes.

    python benchmarks/clicks.py [--quick] [--json FILE] [--data path/to/sets]

Against GrabCut and the random walker in the same sessions, so with the same views and rules; the same simulated user
clicks on what each has left wrong: anywhere, with equal chance, in the largest part that is wrong, off its border.
(The network was trained on another: deep inside of parts that are chosen by their depth.) Then again with a hand that
shakes by up to a tenth of the thing's size. Predictions are those of the bundled models where one fits (streets,
people), else the truth made worse. Sets with a star are of no set that was trained on; of the others it is the part
held out. A click is consistent if the truth at the clicked pixel is the class that it says.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from click_sets import SETS, UNKNOWN, Labels, Thing, things
from common import DATA, Row, arguments, report

from intarsia.inference.clicks import METHODS, ClickModel, ClickSession
from intarsia.labels import LabelSpace
from intarsia.threads import cores

GOAL = 0.9
MOST = 20  # clicks; what needs more counts as so many
SPACE = LabelSpace(tuple(f"class {number}" for number in range(60)))
PEERS = ("grabcut", "walker")


@dataclass
class Tally:
    """What came of clicks: how many each thing took, whether IoU fell, and milliseconds of each."""

    needed: list[int] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    consistent: int = 0
    fell: int = 0
    took: list[float] = field(default_factory=list)

    @property
    def kept(self) -> float:
        """Percent of consistent clicks after which IoU did not fall."""
        return 100 * (1 - self.fell / max(self.consistent, 1))


def aimed(thing: Thing, labels: Labels, random: np.random.Generator) -> tuple[int, int, int] | None:
    """Choose a pixel (x, y) and the class that it should have; None where nothing is wrong with the thing."""
    truth = thing.truth
    wrong = (labels != truth) & (truth != UNKNOWN) & ((labels == thing.kind) | (truth == thing.kind))
    largest, best = None, 0
    for kind in np.unique(truth[wrong]):
        found = cv2.connectedComponentsWithStats((wrong & (truth == kind)).astype(np.uint8), connectivity=4)
        sizes = found[2][1:, cv2.CC_STAT_AREA]
        if sizes.max() > best:
            best, largest = int(sizes.max()), found[1] == 1 + int(sizes.argmax())
    if largest is None:
        return None
    while (smaller := cv2.erode(np.pad(largest.astype(np.uint8), 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1]).any():
        largest = smaller > 0
        if smaller.sum() < best / 2:
            break
    y, x = random.choice(np.argwhere(largest))
    return int(x), int(y), int(truth[y, x])


def shaken(x: int, y: int, thing: Thing, random: np.random.Generator) -> tuple[int, int]:
    """Move a click by up to a tenth of the thing's size, which is the side of a square of its area."""
    reach = 0.1 * float(np.sqrt((thing.truth == thing.kind).sum())) * float(np.sqrt(random.random()))
    angle = random.uniform(0, 2 * np.pi)
    height, width = thing.truth.shape
    moved = x + reach * np.cos(angle), y + reach * np.sin(angle)
    return int(np.clip(round(moved[0]), 0, width - 1)), int(np.clip(round(moved[1]), 0, height - 1))


def correct(thing: Thing, method: ClickModel, tally: Tally, seed: int, *, shakes: bool = False) -> None:
    """Click until the goal is reached."""
    random = np.random.default_rng(seed)
    session = ClickSession(thing.image, thing.predicted, SPACE, method=method)
    before = thing.iou(session.labels)
    for number in range(MOST + 1):
        goes_on = before < GOAL and number < MOST
        target = aimed(thing, session.labels, random) if goes_on else None
        if target is None:
            tally.needed.append(number if before >= GOAL else MOST)
            return
        x, y, kind = target
        if shakes:
            x, y = shaken(x, y, thing, random)
        start = time.perf_counter()
        session.click(x, y, kind)
        tally.took.append(1000 * (time.perf_counter() - start))
        after = thing.iou(session.labels)
        if thing.truth[y, x] == kind:
            tally.consistent += 1
            tally.fell += after < before - 1e-9
        if number == 0:
            tally.first.append(after)
        before = after


def compared(name: str, found: list[Thing], models: dict[str, ClickModel], peers: int) -> Iterator[Row]:
    """The rows of one set."""
    predicted, empty = {way: Tally() for way in models}, {way: Tally() for way in models}
    shaking = Tally()
    for seed, thing in enumerate(found):
        for way, model in models.items():
            if way == "network" or seed < peers:
                correct(thing, model, predicted[way], seed)
                correct(thing.from_empty(), model, empty[way], seed)
        correct(thing, models["network"], shaking, seed, shakes=True)
        correct(thing.from_empty(), models["network"], shaking, seed, shakes=True)
    case = f"{name}, {len(found)} things, predicted: {SETS[name][0]}"
    ours, nothing = predicted["network"], empty["network"]
    means = statistics.mean(ours.needed), statistics.mean(nothing.needed)
    yield Row(case, "clicks to 0.90", "clicks", means[0], means[1], "from nothing", means[1] / means[0])
    for way in models:
        if way != "network":
            for start, tallies in (("prediction", predicted), ("nothing", empty)):
                count = len(tallies[way].needed)
                pair = statistics.mean(tallies["network"].needed[:count]), statistics.mean(tallies[way].needed)
                metric = f"clicks to 0.90 from {start}, the first {count}"
                yield Row(case, metric, "clicks", pair[0], pair[1], way, pair[1] / pair[0])
    ones = statistics.mean(ours.first), statistics.mean(nothing.first)
    yield Row(case, "IoU after one click", "", ones[0], ones[1], "from nothing", None)
    both = Tally(consistent=ours.consistent + nothing.consistent, fell=ours.fell + nothing.fell)
    metric = f"IoU does not fall, of {both.consistent} and {shaking.consistent} consistent clicks"
    yield Row(case, metric, "%", both.kept, shaking.kept, "with a shaking hand", None)


def timed(image: np.ndarray, rounds: int) -> tuple[float, list[float]]:
    """Milliseconds of the first click of a session that is opened for it, and of the next ones."""
    height, width = image.shape[:2]
    labels = np.zeros((height, width), np.uint8)
    random = np.random.default_rng(0)
    took = []
    start = time.perf_counter()
    session = ClickSession(image, labels, SPACE)
    for _ in range(rounds + 1):
        session.click(int(random.integers(width)), int(random.integers(height)), int(random.integers(1, 6)))
        took.append(1000 * (time.perf_counter() - start))
        start = time.perf_counter()
    return took[0], took[1:]


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--only", action="append", choices=[*SETS, "time"], help="sets, or the time, to measure alone")
    options = parser.parse_args()
    models = {way: make() for way, make in METHODS.items()}
    rows: list[Row] = []
    for name in SETS:
        if not options.only or name in options.only:
            found = things(name, options.data, 8 if options.quick else 40, GOAL)
            rows += compared(name, found, models, 3 if options.quick else 12)
    if not options.only or "time" in options.only:
        photo = things("people *", options.data, 1, GOAL)[0].image
        for millions in (1, 4, 16):
            scale = (millions * 1e6 / (photo.shape[0] * photo.shape[1])) ** 0.5
            first, took = timed(cv2.resize(photo, None, fx=scale, fy=scale), 20 if options.quick else 200)
            p50, p95 = np.percentile(took, [50, 95])
            rows.append(Row(f"{millions} MP", "a click, median", "ms", float(p50), float(p95), "95 of 100", None))
            rows.append(Row(f"{millions} MP", "the first click, with opening the session", "ms", first, None, "", None))
    report("Clicks", rows, options.json, threads=cores())


if __name__ == "__main__":
    main()
