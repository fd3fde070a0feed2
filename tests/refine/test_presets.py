"""The numbers of the presets are the literature's."""

from __future__ import annotations

import pytest

from intarsia.errors import UsageError
from intarsia.refine import PRESETS, Preset
from intarsia.refine.crf.presets import DEFAULT, find


@pytest.mark.parametrize(
    ("name", "spatial", "bilateral", "iterations"),
    [
        ("deeplabv1-largefov", (3, 3), (4, 49, 5), 10),
        ("deeplabv2-vgg16", (2, 2), (4, 65, 3), 10),
        ("deeplabv2-resnet101", (3, 1), (4, 67, 3), 10),
        ("kraehenbuehl-demo", (3, 3), (10, 80, 13), 5),
        ("crf-as-rnn", (3, 3), (5, 160, 3), 10),
    ],
)
def test_numbers(name, spatial, bilateral, iterations):
    preset = PRESETS[name]
    assert (preset.spatial_weight, preset.spatial_xy) == spatial
    assert (preset.bilateral_weight, preset.bilateral_xy, preset.bilateral_rgb) == bilateral
    assert preset.iterations == iterations
    assert any(venue in preset.source for venue in ("ICLR 2015", "TPAMI 2018", "NIPS 2011", "ICCV 2015"))


def test_every_preset_is_listed_above():
    assert len(PRESETS) == 5 and DEFAULT in PRESETS


def test_find_changes_numbers_and_suggests_names():
    assert find("crf-as-rnn", iterations=5, bilateral_xy=20).bilateral_xy == 20
    assert find(Preset(1, 2, 3, 4, 5), spatial_xy=7) == Preset(1, 7, 3, 4, 5)
    with pytest.raises(UsageError, match="Did you mean 'crf-as-rnn'"):
        find("crfasrnn")
    with pytest.raises(UsageError, match="Did you mean 'bilateral_rgb'"):
        find(DEFAULT, bilateral_rbg=3)
    with pytest.raises(UsageError, match="no setting 'source'"):
        find(DEFAULT, source="me")
