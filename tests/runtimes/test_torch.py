from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from intarsia.errors import UsageError
from intarsia.models import ImageModel, build
from intarsia.runtimes.torch import FusedConv2d, TorchRuntime, accelerate, has_bf16


def trained(model: ImageModel) -> ImageModel:
    """Statistics as after training, so that a wrongly folded norm shows."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return model.eval()


def image() -> Tensor:
    return torch.randn(1, 3, 70, 90, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("encoder", ["test_resnet", "test_efficientnet", "efficientnet_lite0", "tf_efficientnet_lite0"])
@pytest.mark.parametrize("name", ["unet", "deeplabv3plus"])
def test_logits_stay_and_norms_go(name: str, encoder: str) -> None:
    options = {"channels": [8] * 4} if name == "unet" else {"channels": 8, "low_channels": 4}
    if encoder.endswith("lite0") and name == "unet":
        options = {"channels": [8] * 4}
    model = trained(build(name, classes=3, encoder=encoder, **options))
    before = copy.deepcopy(model.state_dict())
    fast = accelerate(model, "fp32")
    with torch.inference_mode():
        wanted, found = model.logits(image()), fast.logits(image())
    assert (wanted - found).abs().max() < 1e-4 * wanted.abs().max()
    kinds = [type(module) for module in fast.modules()]
    assert nn.BatchNorm2d not in kinds and FusedConv2d in kinds
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


class Awkward(ImageModel):
    """Convolutions whose results are also used before the norm or activation, or changed in place."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.first, self.norm, self.act = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.head = nn.Conv2d(4, 2, 1)

    def logits(self, x: Tensor) -> Tensor:
        out = self.first(x)
        if self.kind == "skip before norm":
            out = self.act(self.norm(out)) + out
        elif self.kind == "in place":
            out += 1
            out = self.act(self.norm(out))
        elif self.kind == "norm twice":
            out = self.norm(self.act(self.norm(out)))
        elif self.kind == "added before activation":
            out = self.norm(out)
            out += x[:, :1]
            out = self.act(out)
        found: Tensor = self.head(out)
        return found


@pytest.mark.parametrize("kind", ["skip before norm", "in place", "norm twice", "added before activation"])
def test_networks_that_cannot_be_folded_are_not(kind: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = trained(Awkward(kind))
    fast = accelerate(model, "fp32")
    with torch.inference_mode():
        wanted, found = model.logits(image()), fast.logits(image())
    assert (wanted - found).abs().max() < 1e-4 * wanted.abs().max()


def test_bfloat16_labels_agree() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = trained(build("unet", classes=3, encoder="test_resnet", channels=(8, 8, 8, 8)))
    fast = accelerate(model, "bf16")
    assert {parameter.dtype for parameter in fast.parameters()} == {torch.bfloat16}
    with torch.inference_mode():
        wanted = model.logits(image())
        found = fast.logits(image().to(torch.bfloat16)).float()
    assert (wanted - found).abs().max() < 0.03 * wanted.abs().max()


# Networks that no other test tries: what was measured once in a process is kept.
@pytest.mark.parametrize(("seconds", "dtype"), [((1.0, 2.0), torch.bfloat16), ((2.0, 1.0), torch.float32)])
def test_auto_takes_the_faster_and_remembers_it(
    seconds: tuple[float, float], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {torch.bfloat16: seconds[0], torch.float32: seconds[1]}
    channels = (24, 8, 8, 8 * int(seconds[0]))
    monkeypatch.setattr("intarsia.runtimes.torch.has_bf16", lambda: True)
    monkeypatch.setattr("intarsia.runtimes.torch._seconds", lambda model: measured[next(model.parameters()).dtype])
    fast = accelerate(build("unet", classes=3, encoder="test_resnet", channels=channels).eval())
    assert next(fast.parameters()).dtype == dtype
    measured.clear()  # a second trial would fail
    again = accelerate(build("unet", classes=3, encoder="test_resnet", channels=channels).eval())
    assert next(again.parameters()).dtype == dtype


def test_a_processor_without_bfloat16_is_never_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("unet", classes=3, encoder="test_resnet", channels=(8, 8, 8, 8)).eval()
    monkeypatch.setattr("intarsia.runtimes.torch.has_bf16", lambda device="cpu": False)
    monkeypatch.setattr("intarsia.runtimes.torch._is_faster", lambda rounded, folded: True)
    assert TorchRuntime(model).precision == "fp32"
    with pytest.raises(UsageError, match=r"bfloat16 here .* use auto or fp32"):
        TorchRuntime(model, precision="bf16")


def test_bfloat16_needs_the_processor_and_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ONEDNN_MAX_CPU_ISA=AVX2 its convolutions refuse, whatever the processor has."""
    found = {"avx512_bf16": True}
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: found, raising=False)
    for allowed in (True, False):
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda allowed=allowed: allowed)
        assert has_bf16.__wrapped__() is allowed
    with monkeypatch.context() as without:
        without.setattr("torch.backends.mkldnn.is_available", lambda: False)
        without.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)  # builds without oneDNN have no such name
        assert has_bf16.__wrapped__() is True
    found.clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert has_bf16.__wrapped__() is False


@pytest.mark.parametrize("channels", [1, 4])
def test_other_numbers_of_channels_are_folded_too(channels: int) -> None:
    options = {"encoder": "test_resnet", "channels": [8] * 4, "in_channels": channels}
    fast = accelerate(trained(build("unet", classes=3, **options)))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
