"""One 480x360 picture, pixels to labels: our predictor against the smp model, eager, float32, with the same encoder."""

from __future__ import annotations

import time

import numpy as np
import torch
from common import Row, alternate, arguments, compare, report
from torch.nn import functional as F

import intarsia
from intarsia.bundle import Bundle, Preprocessing
from intarsia.datasets.synthetic import draw_scene
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.models.restore import restore
from intarsia.transforms.preprocess import prepare

ENCODER, CLASSES, HEIGHT, WIDTH = "efficientnet_lite0", 11, 360, 480


def bundle_of(channels: int, low_channels: int) -> Bundle:
    options = {"encoder": ENCODER, "channels": channels, "low_channels": low_channels}
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
def agreement(predictor: Predictor, pictures: list[np.ndarray]) -> float:
    """Share of pixels on which the fast path and the plain float32 model of the same bundle agree."""
    model, same = restore(predictor.bundle), []
    for picture in pictures:
        logits = model(prepare(picture, predictor.preprocessing))
        expected = F.interpolate(logits, size=picture.shape[:2], mode="bilinear").argmax(1)[0].numpy()
        same.append(float((predictor.segment(picture).labels == expected).mean()))
    return float(np.mean(same))


def main() -> None:
    import segmentation_models_pytorch as smp

    options = arguments(__doc__ or "").parse_args()
    rounds = 10 if options.quick else 40
    random = np.random.default_rng(0)
    pictures = [draw_scene((HEIGHT, WIDTH), random)[0] for _ in range(4 if options.quick else 12)]
    reference = smp.DeepLabV3Plus(f"tu-{ENCODER}", encoder_weights=None, classes=CLASSES).eval()
    cases = {
        "decoder as smp (256)": Predictor(bundle_of(256, 48)),
        "decoder of street (128)": Predictor(bundle_of(128, 32)),
        "bundled street model": intarsia.load("street"),
    }
    rows = []
    for case, predictor in cases.items():
        times = alternate(
            rounds,
            lambda predictor=predictor: milliseconds(predictor.segment, pictures[0]),
            lambda: milliseconds(plain, reference, pictures[0]),
        )
        rows.append(compare(case, "pixels to labels", "ms/image", *times, "smp DeepLabV3Plus, eager fp32"))
    rows.append(
        Row(
            "bundled street model",
            "labels equal to its plain fp32 path",
            "",
            agreement(cases["bundled street model"], pictures),
            None,
            "",
            None,
        )
    )
    report(f"Inference, {WIDTH}x{HEIGHT}, batch 1", rows, options.json, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
