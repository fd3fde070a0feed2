"""Training speed, data loading included: ours against a plain PyTorch loop on the smp model with the same encoder."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from common import AS_SMP, STREET, arguments, compare, in_own_process, report
from torch.utils.data import DataLoader, Dataset

from intarsia.datasets import Split, open_dataset
from intarsia.datasets.synthetic import write_scenes
from intarsia.recipe import Recipe
from intarsia.training import train

ENCODER, CROP, BATCH = "efficientnet_lite0", (320, 416), 8
DECODERS = {"street": STREET, "as smp": AS_SMP}


def ours(data: Path, decoder: str, epochs: int) -> dict[str, float]:
    """The second half of a run of our trainer, as its own log tells."""
    recipe = Recipe.from_dict(
        {
            "model": {"architecture": "deeplabv3plus", "options": {"encoder": ENCODER, **DECODERS[decoder]}},
            "input": {"crop": CROP},
            "training": {"epochs": epochs, "batch_size": BATCH, "workers": 1, "validate_every": epochs, "samples": 0},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, open_dataset(data), Path(folder) / "run")
        lines = (Path(folder) / "run" / "log.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines][1:]
    return {
        "images_per_second": sum(row["images_per_second"] for row in rows) / len(rows),
        "waiting": sum(row["waiting"] for row in rows) / len(rows),
    }


class Crops(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """What a plain loop does: read, flip, cut, scale to 0..1."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, target = self.split.read(index)
        x, y = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255, torch.from_numpy(target).long()
        top, left = (int(torch.randint(size - cut + 1, ())) for size, cut in zip(y.shape, CROP, strict=True))
        x, y = x[:, top : top + CROP[0], left : left + CROP[1]], y[top : top + CROP[0], left : left + CROP[1]]
        return (x.flip(2), y.flip(1)) if torch.rand(()) < 0.5 else (x, y)


def peer(data: Path, epochs: int) -> dict[str, float]:
    """A plain float32 loop in the default memory format."""
    import segmentation_models_pytorch as smp

    dataset = open_dataset(data)
    model = smp.DeepLabV3Plus(f"tu-{ENCODER}", encoder_weights=None, classes=len(dataset.space)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss = torch.nn.CrossEntropyLoss(ignore_index=dataset.space.ignore_index)
    loader = DataLoader(Crops(dataset.splits["train"]), BATCH, shuffle=True, drop_last=True, num_workers=1)
    images, start = 0, 0.0
    for epoch in range(epochs):
        if epoch == 1:
            start = time.perf_counter()
        for x, y in loader:
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
            images += len(x) if epoch else 0
    return {"images_per_second": images / (time.perf_counter() - start)}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--side", nargs=3, metavar=("SIDE", "DATA", "EPOCHS"), help="internal: measure one side")
    options = parser.parse_args()
    if options.side:
        side, data, epochs = options.side[0], Path(options.side[1]), int(options.side[2])
        print(json.dumps(peer(data, epochs) if side == "peer" else ours(data, side, epochs)))
        return
    rounds, count, epochs = (1, 20, 2) if options.quick else (3, 40, 3)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data = str(write_scenes(Path(folder) / "scenes", count, size=(360, 480), seed=0))
        results: dict[str, list[dict[str, float]]] = {side: [] for side in (*DECODERS, "peer")}
        for _ in range(rounds):
            for side, measured in results.items():
                measured.append(in_own_process(sys.argv[0], "--side", side, data, str(epochs)))
    speeds = {side: [result["images_per_second"] for result in measured] for side, measured in results.items()}
    for decoder in DECODERS:
        case = f"DeepLabV3+ {ENCODER}, decoder {decoder}, crop {CROP[0]}x{CROP[1]}, batch {BATCH}"
        name = "plain loop, smp, fp32"
        rows.append(compare(case, "speed", "images/s", speeds[decoder], speeds["peer"], name, higher_is_better=True))
        waiting = sorted(result["waiting"] for result in results[decoder])[rounds // 2]
        rows.append(type(rows[0])(case, "share of time waiting for data", "", waiting, None, "", None))
    report("Training", rows, options.json, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
