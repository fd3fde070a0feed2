"""Report and card of a real (tiny) run."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import TinyRun

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets import open_dataset
from intarsia.labels import LabelSpace
from intarsia.preprocessing import CloudPreprocessing, Preprocessing
from intarsia.recipe import Recipe
from intarsia.reports import model_card, write_report


def test_the_report_shows_the_best_bundles_own_scores(tiny_run: TinyRun) -> None:
    html = (tiny_run.run.folder / "report.html").read_text()
    scores = intarsia.evaluate(tiny_run.run.folder, tiny_run.data, split="val").scores
    assert f"<b>{scores.miou:.3f}</b><span>mean IoU</span>" in html
    assert "<h1>scenes</h1>" in html
    assert "unet on test_resnet" in html and "encoder: test_resnet" in html
    for section in ("Outcome", "Curves", "Classes", "Confusion", "Samples", "Recipe"):
        assert f"<h2>{section}</h2>" in html
    assert html.count("<polyline") >= 3


def test_the_reports_truth_picture_is_the_mask(tiny_run: TinyRun) -> None:
    html = (tiny_run.run.folder / "report.html").read_text()
    match = re.search(r'<img src="data:image/png;base64,([^"]*)" alt="truth of ([^"]*)"', html)
    assert match is not None
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(match[1]))))
    stored = np.asarray(Image.open(tiny_run.data / "masks" / f"{Path(match[2]).name}.png"))
    space = open_dataset(tiny_run.data).space
    assert np.array_equal(shown, space.colors()[stored])


def test_a_damaged_validation_picture_does_not_stop_the_report(tiny_run: TinyRun, tmp_path: Path) -> None:
    data, run = tmp_path / "scenes", tmp_path / "run"
    shutil.copytree(tiny_run.data, data)
    shutil.copytree(tiny_run.run.folder, run)
    dataset = open_dataset(data)
    val = dataset.splits["val"]
    val.items[0].input.write_bytes(b"")
    recipe = Recipe.load(run / "recipe.yaml")
    report = write_report(run, recipe, dataset, intarsia.load(run / "best.safetensors"))
    assert f"val, {len(val) - 1} picture" in report.read_text()


def test_the_card_tells_data_terms_limits_metrics_and_recipe() -> None:
    bundle = Bundle(
        architecture="unet",
        options={"encoder": "test_resnet"},
        space=LabelSpace(("sky", "road")),
        preprocessing=Preprocessing(long_side=480),
        state={"weight": torch.zeros(500, 1000)},
        recipe={"name": "street", "description": "Streets."},
        metrics={"split": "val", "val_miou": 0.73456, "val_iou/sky": 0.9, "val_iou/road": 1.0, "test_iou/road": None},
        card={"limits": "Daylight only.", "note": "Mind the gap.", "data": "CamVid."},
    )
    assert model_card(bundle) == (
        "# street\n\nStreets.\n\n"
        "- architecture: unet (encoder=test_resnet)\n"
        "- parameters: 0.5 million\n"
        "- classes (2): sky, road\n"
        "- input: longer side resized to 480 pixels, RGB\n\n"
        "## Data\n\nCamVid.\n\n## Limits\n\nDaylight only.\n\n## Note\n\nMind the gap.\n\n"
        "## Metrics\n\nsplit val, val_miou 0.7346\n\n"
        "| class | val_iou | test_iou |\n|---|---:|---:|\n| sky | 0.9 | - |\n| road | 1 | - |\n\n"
        "## Recipe\n\n```yaml\nname: street\ndescription: Streets.\n```\n"
    )
    assert model_card(bundle, name="other").startswith("# other\n")


@pytest.mark.parametrize(
    ("preprocessing", "told"),
    [
        (
            Preprocessing(slices=3, window=(-160, 240)),
            "- input: native size, 3 neighbouring axial slices of volumes, values -160 to 240",
        ),
        (Preprocessing(bands=(2, 3, 4, 5, 6, 7), mean=(0.5,) * 6, std=(0.2,) * 6), "bands 2, 3, 4, 5, 6, 7 of rasters"),
        (CloudPreprocessing(features=("height",), block=2, points=512), "- input: points with x, y, z, height"),
    ],
)
def test_the_card_says_what_the_model_sees(preprocessing: Preprocessing | CloudPreprocessing, told: str) -> None:
    space = LabelSpace(("other", "thing"))
    text = model_card(
        Bundle(architecture="unet", options={}, space=space, preprocessing=preprocessing, state={"w": torch.zeros(1)})
    )
    assert told in text
    assert "RGB" not in text


@pytest.mark.parametrize(("shape", "said"), [((49, 1017), "50 thousand"), ((100, 1000), "0.1 million")])
def test_the_card_counts_small_networks_in_thousands(shape: tuple[int, int], said: str) -> None:
    bundle = Bundle("unet", {}, LabelSpace(("sky", "road")), Preprocessing(), {"weight": torch.zeros(shape)})
    assert f"- parameters: {said}\n" in model_card(bundle, name="small")
