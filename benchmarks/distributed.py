"""Two processes on one machine: what it saves to sum gradients during the backward pass, and how speed grows.

The first: torch's DistributedDataParallel against the same model whose gradients are summed in one message after the
backward pass, step by step in turn. The second: images a second of our trainer with one and two processes, beside a
plain loop around DistributedDataParallel on the same model and pictures; ours also synchronises its batch-norms.
One thread a process, over the loopback (gloo).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from common import STREET, Row, arguments, compare, in_own_process, report
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from intarsia.datasets import Split, open_dataset
from intarsia.datasets.synthetic import write_scenes
from intarsia.models import build
from intarsia.recipe import Recipe
from intarsia.training import train

OPTIONS = {"encoder": "efficientnet_lite0", **STREET}
CROP, EACH = (160, 208), 4  # of a process, pictures a step


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """What a plain loop does: read, cut, scale to 0..1."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, target = self.split.read(index)
        x, y = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255, torch.from_numpy(target).long()
        return x[:, : CROP[0], : CROP[1]], y[: CROP[0], : CROP[1]]


def overlap(rank: int, processes: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of steps with and without overlap, in turn."""
    torch.manual_seed(0)
    model = build("deeplabv3plus", classes=5, **OPTIONS).train()
    network = DistributedDataParallel(model)
    x, y = torch.rand(EACH, 3, *CROP), torch.randint(0, 5, (EACH, *CROP))

    def late() -> None:
        with network.no_sync():
            nn.functional.cross_entropy(network(x), y).backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        pieces = (flat / processes).split([gradient.numel() for gradient in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view_as(gradient))

    def early() -> None:
        nn.functional.cross_entropy(network(x), y).backward()

    took: dict[str, list[float]] = {"overlap": [], "late": []}
    for number in range(rounds + 2):
        for name, step in (("overlap", early), ("late", late)):
            model.zero_grad(set_to_none=True)
            dist.barrier()
            start = time.perf_counter()
            step()
            if number > 1:  # the first ones form the groups of gradients
                took[name].append(time.perf_counter() - start)
    return took


def plain(rank: int, processes: int, data: str, epochs: int) -> dict[str, list[float]]:
    """Images a second of all processes, after the first epoch."""
    dataset = open_dataset(data)
    torch.manual_seed(0)
    network: nn.Module = build("deeplabv3plus", classes=len(dataset.space), **OPTIONS).train()
    if processes > 1:
        network = DistributedDataParallel(network)
    pictures = Pictures(dataset.split("train"))
    sampler: DistributedSampler[Any] = DistributedSampler(pictures, processes, rank, drop_last=True)
    loader = DataLoader(pictures, EACH, sampler=sampler, drop_last=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    images, start = 0, 0.0
    for epoch in range(epochs):
        start = time.perf_counter() if epoch == 1 else start
        sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x), y, ignore_index=dataset.space.ignore_index).backward()
            optimizer.step()
            images += processes * len(x) if epoch else 0
    return {"speed": [images / (time.perf_counter() - start)]}


def ours(rank: int, processes: int, data: str, epochs: int) -> dict[str, list[float]]:
    """Images a second of all processes, as our log tells of the later epochs."""
    recipe = Recipe.from_dict(
        {
            "model": {"architecture": "deeplabv3plus", "options": OPTIONS},
            "input": {"crop": CROP},
            "training": {
                "epochs": epochs, "batch_size": EACH * processes, "workers": 0, "samples": 0, "precision": "fp32",
                "validate_every": epochs,
            },
        }
    )  # fmt: skip
    folder = Path(data).parent / f"run-{processes}-{time.monotonic_ns()}" if rank == 0 else Path(data).parent / "none"
    train(recipe, open_dataset(data), folder)
    if rank:
        return {}
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()][1:]
    return {"speed": [statistics.median(row["images_per_second"] for row in rows)]}


SIDES: dict[str, Callable[..., dict[str, list[float]]]] = {"overlap": overlap, "plain": plain, "ours": ours}


def be(side: str, rank: int, processes: int, port: int, rest: list[Any]) -> None:
    """One of the processes; the first prints what was measured."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if side != "ours" and processes > 1:
        dist.init_process_group("gloo")
    found = SIDES[side](rank, processes, *rest)
    if rank == 0:
        print(json.dumps(found))


def start(side: str, processes: int, rest: list[Any]) -> None:
    """Fork the processes of one side and wait for them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=be, args=(side, rank, processes, port, rest)) for rank in range(processes)]
    for one in ranks:
        one.start()
    for one in ranks:
        one.join()
    if any(one.exitcode for one in ranks):
        raise SystemExit(f"{side} with {processes} processes failed")


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--side", nargs="+", metavar="WORD", help="internal: measure one side")
    options = parser.parse_args()
    if options.side:
        side, processes, *rest = options.side
        start(side, int(processes), [int(word) if word.isdigit() else word for word in rest])
        return
    rounds, pairs, count, epochs = (6, 1, 20, 2) if options.quick else (20, 3, 40, 3)

    def measure(side: str, processes: int, *rest: Any) -> dict[str, Any]:
        return in_own_process(sys.argv[0], "--side", side, str(processes), *map(str, rest))

    steps = measure("overlap", 2, rounds)
    case = f"DeepLabV3+ efficientnet_lite0, {EACH} crops {CROP[0]}x{CROP[1]} a process"
    took = [[1000 * second for second in steps[name]] for name in ("overlap", "late")]
    rows = [compare(f"{case}, 2 processes", "step", "ms", *took, "one sum after the backward pass")]
    with tempfile.TemporaryDirectory() as folder:
        data = str(write_scenes(Path(folder) / "scenes", count, size=(180, 240), seed=0))
        speeds: dict[tuple[str, int], list[float]] = {(side, n): [] for n in (1, 2) for side in ("ours", "plain")}
        for _ in range(pairs):
            for (side, processes), found in speeds.items():
                found += measure(side, processes, data, epochs)["speed"]
    for processes in (1, 2):
        both = speeds["ours", processes], speeds["plain", processes]
        name = f"{case}, {processes} process{'es' if processes > 1 else ''}"
        rows.append(compare(name, "speed", "images/s", *both, "plain loop, torch DDP", higher_is_better=True))
    for side in ("ours", "plain"):
        gains = [two / one for one, two in zip(speeds[side, 1], speeds[side, 2], strict=True)]
        rows.append(Row(case, f"2 processes against 1, {side}", "x", statistics.median(gains), None, "", None))
    report("Training by several processes", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
