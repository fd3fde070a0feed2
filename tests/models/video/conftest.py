"""A small split image model, shared by the tests of video."""

from __future__ import annotations

import pytest
import torch
from small import small

from intarsia.models import SegmentationModel


@pytest.fixture(scope="session")
def image_model() -> SegmentationModel:
    """A DeepLabv3+ over a small encoder, in evaluation mode. Do not change its weights."""
    torch.manual_seed(0)
    model = small("deeplabv3plus", encoder="test_resnet").eval()
    for parameter in model.head.parameters():
        torch.nn.init.normal_(parameter, std=1.0)  # scores far apart, as of a trained network
    return model
