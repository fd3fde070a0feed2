"""A data set and a recipe small enough to train in a second."""

import pytest

from intarsia.datasets import Dataset, open_dataset
from intarsia.datasets.synthetic import write_scenes
from intarsia.recipe import Recipe

TINY = """
model:
  architecture: deeplabv3plus
  options:
    {encoder: test_efficientnet, output_stride: 32, channels: 8, low_channels: 8, depthwise_norm: false, dropout: 0.2}
input: {crop: [32, 32]}
optimizer: {lr: 0.01}
training: {epochs: 3, batch_size: 4, precision: fp32, workers: 0, samples: 1, ema: 0.9}
"""


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = write_scenes(tmp_path_factory.mktemp("scenes") / "data", 16, size=(40, 56), seed=0)
    return open_dataset(folder)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe.from_text(TINY)
