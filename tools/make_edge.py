"""Make the bundle `edge`: how much of each pixel is the person, from a picture and what `person` says of it.

    python tools/make_edge.py path/to/data [--minutes 45] [--resume]

Needs the extra `export`. The idea is that of the refiners of Deep Image Matting (Xu et al. 2017, arXiv:1703.03872) and
of Background Matting V2 (Lin et al. 2021, arXiv:2012.07810): a small network sees the picture's own colours beside what
was found before, here the mask of `person` and what the guided filter makes of it, and says what is to be added.
Everything is drawn anew: keyed portraits over other backgrounds (`edge_scenes.py`), the mask that `person` really gives
for each, and parts of them around edges.

The state is written beside the target every few minutes (`edge.pt`), and the target at the end.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from edge_scenes import Floats, Pixels, Scene, Scenes
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

import intarsia
from intarsia.bundle import CONVERTED, METADATA_KEY, Description, onnxfile
from intarsia.exporting.writing import halved, write_onnx
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing
from intarsia.reports.card import model_card

TARGET = Path(__file__).parents[1] / "intarsia" / "zoo" / "edge.onnx"
SIDE = 512  # of the longer side of pictures that it is asked about
PART = 128  # side of what it is trained on
BATCH = 8
POOL = 200  # scenes that are held at a time
LASTING = 2  # batches until one of them is drawn anew
RATE = 2e-3
WIDTHS = (16, 32, 56, 96)
STRIDE = 16
CERTAIN = 0.01  # as near to 0 and 1 as the mask's own logit may come
KEPT = 0.998  # of the averaged weights, at each step
CARD = {
    "data": "Trained on composites of {people} official portraits of the United States Congress (public domain), keyed "
    "from their studio's background, over parts of {photos:,} photos of clothes (Alexey Grigorev's clothing dataset, "
    "small version, part train; CC0), patterns and colours; every eighth portrait was kept for measuring.",
    "license": "Apache-2.0; trained by the authors of Intarsia on pictures in the public domain",
    "use": "50,000 weights that make the mask of the bundle person fine: intarsia portrait asks them.",
    "limits": "It only moves and softens edges that person has found nearly. Trained for a short time (about 1,100 "
    "steps of 8 parts) on heads and shoulders in a studio, few of them long-haired; hands, whole bodies and what is "
    "held were not in it. Not for recognising who somebody is. How well it works for each tone of skin, age or sex was "
    "not measured, and nothing is claimed about it.",
}


class EdgeNet(nn.Module):
    """From pictures, masks and mattes (N, 5, H, W), 0 to 1, sides multiples of 16, to logits (N, 1, H, W) of alpha."""

    def __init__(self) -> None:
        super().__init__()
        two, four, eight, sixteen = WIDTHS
        self.two = nn.Sequential(_conv(5, two, 3, 2), _conv(two, two, 3))
        self.four = _conv(two, four, 3, 2)
        self.eight = nn.Sequential(_separable(four, eight, 5, 2), _separable(eight, eight, 5))
        self.sixteen = nn.Sequential(_separable(eight, sixteen, 5, 2), _separable(sixteen, sixteen, 5))
        self.down = nn.ModuleList(
            [_conv(sixteen, eight, 1), _conv(eight, four, 1), _conv(four, two, 1), _conv(two, 8, 1)]
        )
        self.mixed = nn.ModuleList([_separable(eight, eight, 5), _separable(four, four, 5), _separable(two, two, 3)])
        self.fine = _conv(8 + 5, 12, 3)
        self.last = nn.Conv2d(12, 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, seen: Tensor) -> Tensor:
        two = self.two(seen - 0.5)
        four = self.four(two)
        eight = self.eight(four)
        x = self.sixteen(eight)
        for place, side in enumerate((eight, four, two)):
            x = self.mixed[place](_twice(self.down[place](x)) + side)
        x = self.fine(torch.cat([_twice(self.down[3](x)), seen - 0.5], dim=1))
        coarse = seen[:, 4:].clamp(CERTAIN, 1 - CERTAIN)
        found: Tensor = self.last(x) + torch.log(coarse) - torch.log(1 - coarse)
        return found


class Answer(nn.Module):
    """What the bundle computes: alpha."""

    def __init__(self, net: EdgeNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, seen: Tensor) -> Tensor:
        found: Tensor = self.net(seen).sigmoid()
        return found


def _conv(channels: int, wanted: int, side: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, wanted, side, stride, side // 2, bias=False), nn.BatchNorm2d(wanted), nn.ReLU()
    )


def _separable(channels: int, wanted: int, side: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, side, stride, side // 2, groups=channels, bias=False), _conv(channels, wanted, 1)
    )


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Parts:
    """Draws parts of scenes; now and then one scene is drawn anew, and the oldest forgotten.

    Args:
        scenes: that they are parts of.
        seed: of which parts.
    """

    def __init__(self, scenes: Scenes, *, seed: int) -> None:
        self._scenes, self._random, self._held = scenes, np.random.default_rng(seed), list[Scene]()
        self._drawn = 0

    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """What the network sees (count, 5, S, S), alpha and contrast (count, 1, S, S), all 0 to 1."""
        self._drawn += 1
        if self._drawn % LASTING == 1:
            self._held = [*self._held[-POOL + 1 :], self._scenes.draw()]
        chosen = self._random.integers(len(self._held), size=count)
        parts = np.stack([self._part(self._held[place]) for place in chosen]).astype(np.float32) / np.float32(255)
        made = torch.from_numpy(parts)
        return made[:, :5], made[:, 5:6], made[:, 6:]

    def _part(self, scene: Scene) -> Pixels:
        """Part of a scene (7, S, S), mostly around where mask or truth have an edge."""
        random = self._random
        planes = np.dstack([scene.picture, scene.mask, scene.matte, scene.alpha, scene.contrast])
        short = [max(0, PART - length) for length in planes.shape[:2]]
        planes = np.pad(planes, ((0, short[0]), (0, short[1]), (0, 0)), mode="reflect")
        rows, columns = planes.shape[:2]
        edge = np.flatnonzero(
            (cv2.absdiff(scene.mask, scene.alpha) > 50) | ((scene.alpha > 25) & (scene.alpha < 230))
            if random.random() < 0.85 else np.ones_like(scene.mask)
        )  # fmt: skip
        place = int(edge[random.integers(len(edge))]) if len(edge) else 0
        y, x = divmod(place, scene.mask.shape[1])
        top, left = (
            int(np.clip(at - random.integers(PART // 4, 3 * PART // 4), 0, length - PART))
            for at, length in ((y, rows), (x, columns))
        )
        part = planes[top : top + PART, left : left + PART].transpose(2, 0, 1)
        return part[:, :, ::-1] if random.random() < 0.5 else part


def loss_of(logits: Tensor, alpha: Tensor, contrast: Tensor) -> Tensor:
    """Mean error of alpha, that of the composite, and that of each band of a Laplacian pyramid."""
    found = logits.sigmoid()
    off = (found - alpha).abs()
    entropy = F.binary_cross_entropy_with_logits(logits, alpha)
    bands = sum(
        2.0**level * (one - other).abs().mean()
        for level, (one, other) in enumerate(zip(_pyramid(found), _pyramid(alpha), strict=True))
    )
    return off.mean() + (off * contrast).mean() + bands + 0.3 * entropy


def _pyramid(x: Tensor) -> list[Tensor]:
    """Three bands of detail and what is left."""
    found = []
    for _ in range(3):
        small = F.avg_pool2d(x, 2)
        found.append(x - _twice(small))
        x = small
    return found


def train(net: EdgeNet, parts: Parts, minutes: float, file: Path) -> None:
    """Train for a time, and write the averaged weights every few minutes."""
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-4)
    averaged = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
    start, saved, step, shown = time.monotonic(), time.monotonic(), 0, list[tuple[float, float]]()
    while (gone := (time.monotonic() - start) / 60 / minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * gone)) + 1e-6
        seen, alpha, contrast = parts.draw(BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net.train()(seen.contiguous(memory_format=torch.channels_last))
        logits = logits.float()
        loss = loss_of(logits, alpha, contrast)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step += 1
        keep = min(KEPT, step / (step + 10))
        with torch.no_grad():
            for name, tensor in net.state_dict().items():
                if tensor.is_floating_point():
                    averaged[name].lerp_(tensor, 1 - keep)
            errors = [float((one - alpha).abs().mean()) for one in (logits.sigmoid(), seen[:, 4:])]
        shown.append((errors[0], errors[1]))
        if step % 50 == 0:
            ours, before = np.mean(shown[-100:], axis=0)
            took = f"{(time.monotonic() - start) / step:.2f} s a step, {time.process_time() / step:.2f} of processor"
            print(f"step {step}, {100 * gone:.0f} %: error {ours:.4f}, the filter's {before:.4f}, {took}", flush=True)
        if time.monotonic() - saved > 180:
            saved = time.monotonic()
            torch.save(averaged, file)
    torch.save(averaged, file)


def write(net: EdgeNet, counts: tuple[int, int], file: Path) -> None:
    """Write the bundle, its weights in 16 bits, and its card."""
    description = Description(
        CONVERTED,
        {"network": "edge"},
        LabelSpace(("background", "person")),
        Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3, long_side=SIDE),
        card=CARD | {"data": CARD["data"].format(people=counts[0], photos=counts[1])},
    )
    sides = {axis: STRIDE * torch.export.Dim(name, min=2, max=256) for axis, name in ((2, "rows"), (3, "columns"))}
    program = torch.onnx.export(
        Answer(net).eval(), (torch.zeros(1, 5, SIDE, SIDE - 64),), dynamo=True, opset_version=18, verbose=False,
        dynamic_shapes={"seen": sides}, input_names=["seen"], output_names=["alpha"],
    )  # fmt: skip
    assert program is not None
    write_onnx(halved(program.model_proto, rounded=True), {METADATA_KEY: description.to_metadata()}, file)
    onnxfile.check(file)
    file.with_suffix(".md").write_text(model_card(Description.load(file), name="edge"), encoding="utf-8")


def main() -> None:
    """Train, write the bundle and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the sets")
    parser.add_argument("--minutes", type=float, default=45.0, help="of training")
    parser.add_argument("--resume", action="store_true", help="start from the state beside the target")
    parser.add_argument("-o", "--out", type=Path, default=TARGET)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    person = intarsia.load("person", runtime="onnx")

    def mask(picture: Pixels) -> Floats:
        found: NDArray[np.float32] = person.probabilities(picture)[1]
        return found

    scenes = Scenes(options.data, mask, seed=0)
    net, state = EdgeNet(), options.out.with_suffix(".pt")
    print(f"{scenes.counts}, {sum(one.numel() for one in net.parameters()):,} parameters", flush=True)
    if options.resume:
        net.load_state_dict(torch.load(state, weights_only=True))
    if options.minutes:
        train(net, Parts(scenes, seed=1), options.minutes, state)
        net.load_state_dict(torch.load(state, weights_only=True))
    write(net, scenes.counts, options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
