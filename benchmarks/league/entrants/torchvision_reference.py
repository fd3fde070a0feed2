"""torchvision's reference script for semantic segmentation, with the defaults that it documents.

LR-ASPP over MobileNetV3-Large, the network that its page of models names for processors: pictures brought to a shorter
side of 260 to 1040 at random, crops of 480, mirrored half of the time, batches of 8, SGD at 0.01 with momentum 0.9, the
rate falling by a polynomial of power 0.9, cross-entropy; labelling at a shorter side of 520. What is changed: the rate
falls by the time that is used up, and the backbone starts from random weights, because no package brings its ImageNet
ones and nothing can be downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import torch
import torchvision
from contract import Pixels, Task, asked, read_labels, read_rgb
from torch import Tensor
from torch.nn import functional as F
from torchvision import tv_tensors
from torchvision.transforms import v2

BASE, SIDE, BATCH, IGNORE = 520, 480, 8, 255
RATE, MOMENTUM, DECAY, POWER = 0.01, 0.9, 1e-6, 0.9
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def training_preset() -> v2.Compose:
    fill = {tv_tensors.Image: 0, tv_tensors.Mask: IGNORE}
    return v2.Compose(
        [
            v2.RandomResize(BASE // 2, 2 * BASE),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomCrop(SIDE, pad_if_needed=True, fill=fill),
            v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


def as_tensor(image: Pixels) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)


def batches(task: Task) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without an end, shuffled anew in every pass."""
    pairs, preset = task.pairs("train"), training_preset()
    order: list[int] = []
    while True:
        while len(order) < BATCH:
            order += torch.randperm(len(pairs)).tolist()
        chosen, order = order[:BATCH], order[BATCH:]
        made = []
        for index in chosen:
            image, mask = pairs[index]
            labels = tv_tensors.Mask(torch.from_numpy(read_labels(mask))[None])
            made.append(preset(tv_tensors.Image(as_tensor(read_rgb(image))), labels))
        yield torch.stack([image for image, _ in made]), torch.stack([mask[0].long() for _, mask in made])


def main() -> None:
    task = asked()
    torch.manual_seed(0)
    cv2.setNumThreads(0)
    model = torchvision.models.segmentation.lraspp_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=len(task.classes)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    model.train()
    for step, (images, target) in enumerate(batches(task), start=1):
        optimizer.param_groups[0]["lr"] = RATE * (1 - min(1, task.share())) ** POWER
        value = F.cross_entropy(model(images)["out"], target, ignore_index=IGNORE)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if step % 10 == 0:
            print(f"step {step}, loss {float(value):.4f}", flush=True)
        task.facts["steps"] = step
        if task.share() >= 1:
            break
    model.eval()
    task.label(lambda image: predict(model, image))


@torch.inference_mode()
def predict(model: Any, image: Pixels) -> Any:
    """At a shorter side of 520 as the reference evaluates, the scores brought back to the picture's size."""
    scaled = v2.functional.resize(as_tensor(image), [BASE], antialias=True)
    inputs = v2.functional.normalize(v2.functional.to_dtype(scaled, torch.float32, scale=True), list(MEAN), list(STD))
    scores = F.interpolate(model(inputs[None])["out"], image.shape[:2], mode="bilinear", align_corners=False)
    return scores.argmax(1)[0].numpy()


if __name__ == "__main__":
    main()
