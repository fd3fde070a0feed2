"""Beside a busy process: prediction, a training step and the dense CRF, idle and beside one process that computes.

Ours waits as the `intarsia` command lets its threads wait; the peers run without that policy, as torch does by itself.
Each side is a process of its own that lives through all rounds; the sides are measured in turn.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from common import STREET, Row, arguments, compare, report

from intarsia.threads import POLICY, share_cores, waiting

SIZE, CROP, BATCH, CLASSES = (480, 640), (320, 416), 2, 11
OURS, UNCHANGED, PLAIN = "ours", "ours without the policy", "plain torch, eager fp32"
# case -> (sides, passes of one round)
CASES = {
    f"street model, {SIZE[1]}x{SIZE[0]}": ((OURS, UNCHANGED, PLAIN), 6),
    f"training step, street network, batch {BATCH} of {CROP[1]}x{CROP[0]}": ((OURS, UNCHANGED), 2),
    "dense CRF on torch, 320x240": ((OURS, UNCHANGED), 2),
}


def predicting(side: str) -> Callable[[], object]:
    """Pixels to labels: our predictor, or the same network as a plain script runs it."""
    import torch

    import intarsia
    from intarsia.bundle import Bundle
    from intarsia.datasets.synthetic import draw_scene
    from intarsia.models.restore import restore

    picture, _ = draw_scene(SIZE, np.random.default_rng(0))
    predictor = intarsia.load("street", long_side=0, device="cpu", runtime="torch")
    if side != PLAIN:
        return lambda: predictor.segment(picture)
    model = restore(Bundle.of(predictor.bundle)).eval()

    @torch.inference_mode()
    def plain() -> torch.Tensor:
        x = (torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
        logits = torch.nn.functional.interpolate(model.logits(x), SIZE, mode="bilinear")
        return logits.argmax(1)

    return plain


def training(side: str) -> Callable[[], object]:
    """One step of the bundled street model's network; the sides differ in nothing but how threads wait."""
    import torch

    from intarsia.models import build

    torch.manual_seed(0)
    model = build("deeplabv3plus", classes=CLASSES, encoder="efficientnet_lite0", **STREET).train()
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    x = torch.randn(BATCH, 3, *CROP).contiguous(memory_format=torch.channels_last)
    target = torch.randint(CLASSES, (BATCH, *CROP))

    def step() -> None:
        optimizer.zero_grad()
        logits = torch.nn.functional.interpolate(model.logits(x), CROP, mode="bilinear")
        torch.nn.functional.cross_entropy(logits, target).backward()
        optimizer.step()

    return step


def refining(side: str) -> Callable[[], object]:
    """The dense CRF on torch; its compiled loops use one thread for a picture, which waits for nobody."""
    from intarsia.datasets.synthetic import draw_scene
    from intarsia.refine import dense_crf

    random = np.random.default_rng(0)
    picture, _ = draw_scene((240, 320), random)
    scores = np.exp(2 * random.standard_normal((CLASSES, 240, 320), np.float32))
    scores /= scores.sum(0)
    return lambda: dense_crf(scores, picture, backend="torch")


WORK = dict(zip(CASES, (predicting, training, refining), strict=True))


def answer(side: str, case: str) -> None:
    """What a side's process does: for each number it reads it times that many passes, in milliseconds."""
    if side == OURS:
        share_cores()
    import torch

    work = WORK[case](side)
    for _ in range(2):
        work()
    print(torch.get_num_threads(), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            work()
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps(times), flush=True)


class Side:
    """A process that works when it is asked to, and sleeps else."""

    def __init__(self, side: str, case: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in waiting()}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--side", side, case],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.threads = int(self.read())

    def read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a side's process failed")
        return line

    def milliseconds(self, passes: int) -> float:
        """The median of some passes."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{passes}\n")
        self.process.stdin.flush()
        return statistics.median(json.loads(self.read()))

    def close(self) -> None:
        self.process.communicate()


@contextmanager
def busy_process() -> Iterator[None]:
    """One process that never waits."""
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()


def measure(case: str, rounds: int, passes: int, threads: set[int]) -> list[Row]:
    """All sides of a case in turn, idle and busy in turn."""
    names = CASES[case][0]
    sides = {name: Side(name, case) for name in names}
    threads |= {side.threads for side in sides.values()}
    idle: dict[str, list[float]] = {name: [] for name in names}
    busy: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, side in sides.items():
            idle[name].append(side.milliseconds(passes))
        with busy_process():
            for name, side in sides.items():
                busy[name].append(side.milliseconds(passes))
    for side in sides.values():
        side.close()
    slower = {name: [b / a for a, b in zip(idle[name], busy[name], strict=True)] for name in names}
    rows = []
    for peer in names[1:]:
        rows.append(compare(case, "idle", "ms", idle[OURS], idle[peer], peer))
        rows.append(compare(case, "beside a busy process", "ms", busy[OURS], busy[peer], peer))
        rows.append(compare(case, "busy against idle", "x", slower[OURS], slower[peer], peer))
    return rows


def main() -> None:
    if sys.argv[1:2] == ["--side"]:
        answer(*sys.argv[2:])
        return
    options = arguments(__doc__ or "").parse_args()
    rows, threads = [], set[int]()
    for case, (_, passes) in CASES.items():
        rows += measure(case, 2, 1, threads) if options.quick else measure(case, 15, passes, threads)
    said = ", ".join(f"{name}={value}" for name, value in POLICY.items())
    report(f"Beside a busy process, {said}", rows, options.json, threads=max(threads))


if __name__ == "__main__":
    main()
