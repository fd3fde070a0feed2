"""Where the network computes."""

import pytest
import torch

from intarsia.errors import UsageError
from intarsia.runtimes.torch import find_device


def test_auto_takes_the_gpu_if_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find_device("auto") == torch.device("cuda")
    assert find_device("cuda:1") == torch.device("cuda", 1)
    assert find_device("cpu") == torch.device("cpu")


def test_missing_and_unknown_devices_are_explained(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="'cuda' is not available here; use auto or cpu"):
        find_device("cuda")
    with pytest.raises(UsageError, match="no device is named 'gpu'"):
        find_device("gpu")
