"""One 480x360 picture, pixels to labels: our predictor against the smp model, eager, float32, with the same encoder."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import AS_SMP, STREET, Row, alternate, arguments, compare, report
from torch.nn import functional as F

import intarsia
from intarsia.bundle import Bundle, Preprocessing
from intarsia.datasets import Split, open_dataset
from intarsia.datasets.synthetic import draw_scene
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.models.layers import resize
from intarsia.models.restore import restore
from intarsia.transforms.preprocess import prepare

ENCODER, CLASSES, HEIGHT, WIDTH = "efficientnet_lite0", 11, 360, 480


def bundle_of(decoder: dict[str, Any]) -> Bundle:
    options = {"encoder": ENCODER, **decoder}
    torch.manual_seed(0)
    model = build("deeplabv3plus", classes=CLASSES, **options)
    space = LabelSpace(tuple(f"class {index}" for index in range(CLASSES)))
    half = (0.5, 0.5, 0.5)
    return Bundle("deeplabv3plus", options, space, Preprocessing(mean=half, std=half), model.state_dict())


@torch.inference_mode()
def plain(model: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    """What a plain script does: normalise, pad to the multiple of 16 that smp asks for, forward, argmax."""
    height, width = image.shape[:2]
    x = (torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
    x = F.pad(x, (0, -width % 16, 0, -height % 16))
    return model(x)[..., :height, :width].argmax(1)[0].to(torch.uint8).numpy()


def milliseconds(call: object, *values: object) -> float:
    start = time.perf_counter()
    call(*values)  # type: ignore[operator]
    return 1000 * (time.perf_counter() - start)


@torch.inference_mode()
def agreement(predictor: Predictor, split: Split) -> float:
    """Share of pixels on which the fast path and the plain float32 model of the same bundle agree."""
    model, same = restore(predictor.bundle), []
    for index in range(0, len(split), 5):
        picture, _ = split.read(index)
        logits = resize(model.logits(prepare(picture, predictor.preprocessing)), picture.shape[:2])
        same.append(float((predictor.segment(picture).labels == logits.argmax(1)[0].numpy()).mean()))
    return float(np.mean(same))


def main() -> None:
    import segmentation_models_pytorch as smp

    options = arguments(__doc__ or "").parse_args()
    rounds = 10 if options.quick else 40
    random = np.random.default_rng(0)
    picture, _ = draw_scene((HEIGHT, WIDTH), random)
    reference = smp.DeepLabV3Plus(f"tu-{ENCODER}", encoder_weights=None, classes=CLASSES).eval()
    cases = {
        "the same network": Predictor(bundle_of(AS_SMP)),
        "decoder of street (128)": Predictor(bundle_of(STREET)),
        "bundled street model": intarsia.load("street"),
    }
    rows = []
    for case, predictor in cases.items():
        times = alternate(
            rounds,
            lambda predictor=predictor: milliseconds(predictor.segment, picture),
            lambda: milliseconds(plain, reference, picture),
        )
        rows.append(compare(case, "pixels to labels", "ms/image", *times, "smp DeepLabV3Plus, eager fp32"))
    streets = Path(os.environ.get("INTARSIA_DATA", "../shared/data")) / "camvid"
    if streets.is_dir():
        split = open_dataset(streets, layout="camvid").split("val")
        share = agreement(cases["bundled street model"], split)
        rows.append(Row("bundled street model, CamVid val", "labels as its plain fp32 path", "", share, None, "", None))
    else:
        print(f"no CamVid at {streets} (set INTARSIA_DATA): label agreement is not measured")
    report(f"Inference, {WIDTH}x{HEIGHT}, batch 1", rows, options.json, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
