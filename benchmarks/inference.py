"""One picture, pixels to labels: our predictor against the same networks of smp and torchvision, eager, float32."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import AS_SMP, STREET, Row, alternate, arguments, compare, report
from inference_peers import CLASSES, LARGE, LITE, SMALL, plain

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets import ReadOptions, Split, open_dataset
from intarsia.datasets.synthetic import draw_scene
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.models.layers import resize
from intarsia.models.restore import restore
from intarsia.preprocessing import Preprocessing
from intarsia.transforms.preprocess import prepare, resize_image

# torchvision's deeplabv3_resnet50; its rates 12, 24, 36 are those of output stride 8.
AS_TORCHVISION: dict[str, Any] = {"encoder": "resnet50", "output_stride": 8, "post_conv": True, "dropout": 0.5}


def random_predictor(architecture: str, **options: Any) -> Predictor:
    torch.manual_seed(0)
    model = build(architecture, classes=CLASSES, **options)
    space = LabelSpace(tuple(f"class {index}" for index in range(CLASSES)))
    half = (0.5, 0.5, 0.5)
    return Predictor(Bundle(architecture, options, space, Preprocessing(mean=half, std=half), model.state_dict()))


def milliseconds(call: object, *values: object) -> float:
    start = time.perf_counter()
    call(*values)  # type: ignore[operator]
    return 1000 * (time.perf_counter() - start)


@torch.inference_mode()
def agreement(predictor: Predictor, split: Split, size: tuple[int, int]) -> float:
    """Share of pixels on which the fast path and the plain float32 model of the same bundle agree."""
    model, same = restore(Bundle.of(predictor.bundle)), []
    for index in range(0, len(split), 5):
        picture = resize_image(split.read(index)[0], *size)
        logits = resize(
            model.logits(torch.from_numpy(prepare(picture, predictor.preprocessing))),
            size,
            align_corners=model.align_corners,
        )
        same.append(float((predictor.segment(picture).labels == logits.argmax(1)[0].numpy()).mean()))
    return float(np.mean(same))


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--resnet50", metavar="BUNDLE", help="a trained deeplabv3plus over resnet50, for its agreement")
    options = parser.parse_args()
    import segmentation_models_pytorch as smp
    from torchvision.models import segmentation as torchvision

    random = np.random.default_rng(0)
    lite = smp.DeepLabV3Plus(f"tu-{LITE}", encoder_weights=None, classes=CLASSES).eval()
    plus = smp.DeepLabV3Plus("resnet50", encoder_weights=None, classes=CLASSES).eval()
    v3 = torchvision.deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES).eval()
    streets = {name: intarsia.load("street", runtime=name) for name in ("torch", "onnx", "openvino")}
    peers = {
        lite: "smp DeepLabV3Plus, lite0",
        plus: "smp DeepLabV3Plus, ResNet-50",
        v3: "torchvision, deeplabv3_resnet50",
    }
    cases = [
        ("the same network", random_predictor("deeplabv3plus", encoder=LITE, **AS_SMP), lite, SMALL, 40),
        ("decoder of street (128)", random_predictor("deeplabv3plus", encoder=LITE, **STREET), lite, SMALL, 40),
        *((f"bundled street model by {name}", one, lite, SMALL, 40) for name, one in streets.items()),
        (
            "DeepLabv3+, the same network",
            random_predictor("deeplabv3plus", encoder="resnet50", dilate_first_block=True, **AS_SMP),
            plus,
            LARGE,
            8,
        ),
        ("DeepLabv3, the same network", random_predictor("deeplabv3", **AS_TORCHVISION), v3, LARGE, 3),
    ]
    known = [(f"bundled street model by {name}", one, SMALL) for name, one in streets.items()]
    if options.resnet50:
        trained = intarsia.load(options.resnet50, long_side=0)
        cases.append(("DeepLabv3+ ResNet-50, trained", trained, plus, LARGE, 8))
        known.append(("DeepLabv3+ ResNet-50, trained", trained, LARGE))
    rows = []
    for case, predictor, peer, size, rounds in cases:
        picture, _ = draw_scene(size, random)
        times = alternate(
            min(rounds, 5) if options.quick else rounds,
            lambda predictor=predictor, picture=picture: milliseconds(predictor.segment, picture),
            lambda peer=peer, picture=picture: milliseconds(plain, peer, picture),
        )
        where = f"{size[1]}x{size[0]}: {case}"
        rows.append(compare(where, "pixels to labels", "ms/image", *times, f"{peers[peer]}, eager fp32"))
    camvid = Path(os.environ.get("INTARSIA_DATA", "../shared/data")) / "camvid"
    if camvid.is_dir():
        split = open_dataset(camvid, ReadOptions(layout="camvid")).split("val")
        for case, predictor, size in known:
            share = agreement(predictor, split, size)
            where = f"{size[1]}x{size[0]}: {case}, CamVid val"
            rows.append(Row(where, "labels as its plain fp32 path", "", share, None, "", None))
    else:
        print(f"no CamVid at {camvid} (set INTARSIA_DATA): label agreement is not measured")
    report("Inference, batch 1", rows, options.json, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
