"""Foreign checkpoints: the original's logits, and what is said about files that do not fit."""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import segmentation as originals

from intarsia.bundle import Bundle
from intarsia.errors import ModelError, UsageError
from intarsia.labels import LabelSpace
from intarsia.models import SegmentationModel, build
from intarsia.models.cost import parameters
from intarsia.models.encoders import build_encoder
from intarsia.models.importers import import_checkpoint
from intarsia.models.importers.foreign import resnet_name
from intarsia.models.importers.smp_encoders import modern, recognise
from intarsia.models.restore import restore
from intarsia.models.shapes import shapes_only
from intarsia.preprocessing import Preprocessing

smp = pytest.importorskip("segmentation_models_pytorch")

VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


def made(builder: Any, *arguments: Any, **options: Any) -> nn.Module:
    """A foreign model with random weights and statistics, so that every tensor shows in the logits."""
    with shapes_only():
        model: nn.Module = builder(*arguments, **options)
    model.to_empty(device="cpu")
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.num_batches_tracked.fill_(7)
            nn.init.uniform_(module.weight, 0.3, 0.7)
            nn.init.uniform_(module.bias, -0.1, 0.1)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            bound = math.sqrt(6 / module.weight[0].numel())
            nn.init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
        else:
            for parameter in module.parameters(recurse=False):
                nn.init.uniform_(parameter, 0.3, 0.7)
    return model.eval()


def segmenter(name: str, **options: Any) -> nn.Module:
    return made(getattr(originals, name), weights=None, weights_backbone=None, **options)


def stored(content: Any, path: Path) -> Path:
    torch.save(content.state_dict() if isinstance(content, nn.Module) else content, path)
    return path


def ours(bundle: Bundle) -> SegmentationModel:
    """The bundle's model; unlike `restore`, without the time that random weights of a ResNet-101 take."""
    with shapes_only():
        model = build(bundle.architecture, classes=len(bundle.space), **bundle.options)
    model.load_state_dict(bundle.state, assign=True)
    return model.eval()


def assert_same(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert expected.std() > 1e-3
    assert (found - expected).abs().max() <= 1e-5 * min(1, expected.abs().max())


# --- torchvision ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("fcn_resnet50", 35_322_218),
        ("fcn_resnet101", 54_314_346),
        ("deeplabv3_resnet50", 42_004_074),
        ("deeplabv3_resnet101", 60_996_202),
        ("deeplabv3_mobilenet_v3_large", 11_029_328),
        ("lraspp_mobilenet_v3_large", 3_221_538),
    ],
)
def test_torchvision_models(name: str, count: int, tmp_path: Path) -> None:
    theirs = segmenter(name, **({} if name.startswith("lraspp") else {"aux_loss": True}))
    bundle = import_checkpoint(stored(theirs, tmp_path / "weights.pth"), "torchvision")
    model = ours(bundle)
    x = torch.randn(1, 3, 17, 613)  # 39 cells at stride 16: the widest rate, 36, reaches from one to another
    with torch.inference_mode():
        assert_same(model(x), theirs(x)["out"])
    assert parameters(model) == count
    assert bundle.space.names == VOC
    assert bundle.preprocessing == Preprocessing()
    assert bundle.card["origin"].startswith(f"torchvision's {name}, imported from weights.pth (SHA-256 ")


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_mobilenet_v3_large"])
def test_auxiliary_heads_are_kept(name: str, tmp_path: Path) -> None:
    theirs = segmenter(name, num_classes=4, aux_loss=True)
    bundle = import_checkpoint(stored(theirs, tmp_path / "weights.pth"), "torchvision")
    x = torch.randn(1, 3, 48, 40)
    with torch.inference_mode():
        main, auxiliary = ours(bundle).supervised(x)
        expected = theirs(x)
    assert_same(main.logits, expected["out"])
    assert_same(auxiliary.logits, expected["aux"])
    assert (main.weight, auxiliary.weight) == (1.0, 0.5)
    assert bundle.space.names == ("class 0", "class 1", "class 2", "class 3")


def test_files_without_auxiliary_head_and_with_one_of_other_classes(tmp_path: Path) -> None:
    theirs = segmenter("deeplabv3_mobilenet_v3_large", num_classes=3, aux_loss=True)
    theirs.aux_classifier[4] = nn.Conv2d(10, 21, 1)  # only the main classifier was replaced for a new task
    replaced = import_checkpoint(stored(theirs, tmp_path / "replaced.pth"), "torchvision")
    theirs.aux_classifier = None
    without = import_checkpoint(stored(theirs, tmp_path / "without.pth"), "torchvision")
    assert replaced.options["auxiliary"] == without.options["auxiliary"] == 0
    assert replaced.card["left_out"] == "8 tensors of aux_classifier" and "left_out" not in without.card
    x = torch.randn(1, 3, 32, 48)
    with torch.inference_mode():
        expected = theirs(x)["out"]
        assert_same(ours(replaced)(x), expected)
        assert_same(ours(without)(x), expected)


# --- segmentation-models-pytorch ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "encoder", "size", "options"),
    [
        ("Unet", "resnet18", (45, 71), {}),
        ("Unet", "resnet50", (64, 32), {"decoder_channels": (64, 48, 32, 16, 8)}),
        ("Unet", "tu-resnet18", (64, 96), {}),
        ("Unet", "tu-efficientnet_b0", (64, 32), {}),
        ("Unet", "tu-convnext_atto", (64, 32), {}),  # has no map at stride 2
        # wide enough for the largest rate, 36
        ("DeepLabV3", "resnet18", (16, 312), {}),
        ("DeepLabV3", "resnet50", (32, 608), {"encoder_output_stride": 16, "decoder_channels": 64}),
        ("DeepLabV3", "tu-resnet18", (32, 608), {"encoder_output_stride": 16}),
        ("DeepLabV3Plus", "resnet34", (32, 608), {}),
        ("DeepLabV3Plus", "resnet18", (16, 312), {"encoder_output_stride": 8}),
        ("DeepLabV3Plus", "tu-resnet50", (32, 608), {"decoder_channels": 64}),
        ("DeepLabV3Plus", "tu-mobilenetv3_large_100", (16, 312), {"encoder_output_stride": 8}),
        ("UnetPlusPlus", "tu-test_efficientnet", (32, 64), {"decoder_channels": (32, 24, 16, 8, 8)}),
        ("UnetPlusPlus", "tu-test_convnext", (32, 64), {"decoder_channels": (32, 24, 16, 8, 8)}),
        ("MAnet", "tu-test_efficientnet", (64, 96), {"decoder_pab_channels": 8}),
        ("MAnet", "tu-test_convnext", (64, 96), {}),
        ("Linknet", "tu-test_efficientnet", (32, 64), {}),
        ("Linknet", "tu-test_convnext", (32, 64), {}),
        ("FPN", "tu-test_resnet", (64, 96), {}),
        ("FPN", "resnet18", (32, 64), {"decoder_merge_policy": "cat", "decoder_segmentation_channels": 32}),
        ("PSPNet", "tu-test_resnet", (64, 96), {}),
        ("PSPNet", "resnet18", (64, 96), {"encoder_depth": 4, "upsampling": 16, "psp_out_channels": 48}),
        ("PAN", "tu-test_resnet", (192, 128), {}),  # three times halved, 12 cells leave one
        ("PAN", "mobilenet_v2", (256, 256), {"encoder_output_stride": 32}),
    ],
)
def test_smp_models(name: str, encoder: str, size: tuple[int, int], options: dict[str, Any], tmp_path: Path) -> None:
    theirs = made(getattr(smp, name), encoder, encoder_weights=None, classes=3, **options)
    bundle = import_checkpoint(
        stored(theirs, tmp_path / "weights.pth"),
        "smp",
        encoder=encoder if encoder.startswith("tu-") else None,
        output_stride=options.get("encoder_output_stride"),
    )
    x = torch.randn(1, 3, *size)
    with torch.inference_mode():
        assert_same(ours(bundle)(x), theirs(x))
    assert bundle.card["origin"].startswith(f"smp's {name} with encoder {encoder}, ")
    assert ("encoder_output_stride" in bundle.card.get("assumed", "")) == (
        name in ("DeepLabV3", "DeepLabV3Plus", "PAN") and not options.get("encoder_output_stride")
    )


@pytest.mark.parametrize(
    ("name", "encoder", "options"),
    [
        ("PAN", "efficientnet-b0", {}),  # dilated: smp takes blocks of another stage with it
        ("Unet", "efficientnet-b1", {}),  # pads otherwise than TensorFlow at this size
        ("Linknet", "timm-efficientnet-b0", {}),
        ("PSPNet", "timm-tf_efficientnet_lite0", {}),
        ("FPN", "se_resnet50", {}),
        ("DeepLabV3", "mobilenet_v2", {"encoder_output_stride": 8}),
        ("FPN", "vgg11", {}),
        ("Linknet", "vgg11_bn", {}),
        ("PSPNet", "densenet121", {}),  # ends in the midst of it
        ("Unet", "xception", {}),
        ("Unet", "vgg11_bn", {}),  # with a block of its own in the middle
        ("UnetPlusPlus", "vgg11", {}),  # with a block in the middle that never runs
        ("MAnet", "vgg11_bn", {}),
        ("PSPNet", "vgg11", {}),
        ("FPN", "mobileone_s1", {}),
        ("Unet", "timm-skresnet18", {}),
        ("Linknet", "timm-skresnext50_32x4d", {}),
    ],
)
def test_encoders_that_are_smp_s_own(name: str, encoder: str, options: dict[str, Any], tmp_path: Path) -> None:
    theirs = made(getattr(smp, name), encoder, encoder_weights=None, classes=3, **options)
    path = stored(theirs, tmp_path / "weights.pth")
    bundle = import_checkpoint(path, "smp", output_stride=options.get("encoder_output_stride"))
    x = torch.randn(1, 3, *((128, 128) if name == "PAN" else (32, 64)), dtype=torch.float64)
    with torch.inference_mode():
        found, expected = ours(bundle).double()(x), theirs.double()(x)
    assert (found - expected).abs().max() < 1e-10 < expected.std()
    assert bundle.card["origin"].startswith(f"smp's {name} with encoder {encoder}, ")


def test_a_resnext_that_timm_lacks_is_recognised() -> None:
    with shapes_only():
        state = smp.Unet("resnext101_32x48d", encoder_weights=None).state_dict()
    found = recognise(state)
    assert found is not None and found.ours == "resnext101_32x48d"
    with shapes_only():
        encoder = build_encoder(found.ours)
    assert encoder.channels == {2: 64, 4: 256, 8: 512, 16: 1024, 32: 2048} and encoder.pretrained == ""
    assert encoder.backbone.state_dict()["layer1.0.conv2.weight"].shape == (1536, 48, 3, 3)


def test_mix_transformers_are_imported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = smp.FPN("mit_b0", encoder_weights=None, classes=3).double().eval()  # cannot be made without memory
    bundle = import_checkpoint(stored(theirs, tmp_path / "weights.pth"), "smp")
    x = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    with torch.inference_mode():
        assert_same(ours(bundle).double()(x), theirs(x))


def test_pspnet_leaves_out_what_lies_behind_its_map(tmp_path: Path) -> None:
    theirs = made(smp.PSPNet, "resnet18", encoder_weights=None, classes=3)
    bundle = import_checkpoint(stored(theirs, tmp_path / "weights.pth"), "smp")
    assert bundle.card["left_out"] == "60 tensors of encoder"
    assert bundle.options["deepest"] == 8
    assert not any("layer3" in name or "layer4" in name for name in bundle.state)


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("timm-regnety_002", "tu-regnety_002"),
        ("timm-mobilenetv3_large_100", "tu-tf_mobilenetv3_large_100"),
        ("timm-efficientnet-b0", "timm-efficientnet-b0"),
        ("resnet18", "resnet18"),
    ],
)
def test_encoders_that_smp_renamed(old: str, today: str) -> None:
    assert modern(old) == today


def test_the_convention_of_dilation_is_that_of_the_encoder(tmp_path: Path) -> None:
    """The same tensors mean two networks: smp dilates whole stages of its own encoders, timm spares first blocks."""
    options = {"encoder_weights": None, "classes": 2}
    native = made(smp.DeepLabV3, "resnet18", **options)
    path = stored(native, tmp_path / "weights.pth")
    timm = {name.replace("encoder.", "encoder.model."): tensor for name, tensor in native.state_dict().items()}
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        one = ours(import_checkpoint(path, "smp"))(x)
        other = ours(import_checkpoint(stored(timm, tmp_path / "timm.pth"), "smp", encoder="tu-resnet18"))(x)
    assert (one - other).abs().max() > 0.01 * one.abs().max()


def test_a_saved_folder_tells_what_weights_do_not(tmp_path: Path) -> None:
    theirs = made(
        smp.DeepLabV3Plus, "tu-resnet18", encoder_weights=None, classes=2, encoder_output_stride=8,
        decoder_atrous_rates=(4, 8, 10), decoder_aspp_dropout=0.2, aux_params={"classes": 7},
    )  # fmt: skip
    theirs.save_pretrained(tmp_path / "saved")
    bundle = import_checkpoint(tmp_path / "saved", "smp")
    assert (bundle.options["output_stride"], bundle.options["rates"]) == (8, [2, 4, 5])
    assert bundle.options["dropout"] == 0.2
    assert "assumed" not in bundle.card
    assert bundle.card["left_out"] == "2 tensors of classification_head"
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert_same(ours(bundle)(x), theirs(x)[0])
    # the file in it means the same
    assert import_checkpoint(tmp_path / "saved" / "model.safetensors", "smp").checksum() == bundle.checksum()


def test_saved_options_without_a_counterpart_are_refused(tmp_path: Path) -> None:
    theirs = made(smp.Unet, "resnet18", encoder_weights=None, classes=2, decoder_interpolation="bilinear")
    theirs.save_pretrained(tmp_path)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert_same(ours(import_checkpoint(tmp_path, "smp"))(x), theirs(x))
    config = json.loads((tmp_path / "config.json").read_text())
    for key, value in (("decoder_interpolation", "bicubic"), ("encoder_depth", "x"), ("img_size", 64)):
        (tmp_path / "config.json").write_text(json.dumps(config | {key: value}))
        with pytest.raises(ModelError, match=f"has {key}={value!r}, which has no counterpart here"):
            import_checkpoint(tmp_path, "smp")
    (tmp_path / "config.json").write_text(json.dumps(config | {"_model_class": "DPT"}))
    with pytest.raises(ModelError, match="is that of smp's DPT, not of Unet"):
        import_checkpoint(tmp_path, "smp")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json: cannot be read"):
        import_checkpoint(tmp_path, "smp")


def test_decoders_of_old_smp(tmp_path: Path) -> None:
    theirs = made(smp.DeepLabV3, "resnet18", encoder_weights=None, classes=2)
    old = {
        name.replace("decoder.aspp.", "decoder.0.")
        .replace("decoder.conv.", "decoder.1.")
        .replace("decoder.bn.", "decoder.2."): tensor
        for name, tensor in theirs.state_dict().items()
    }
    assert "decoder.2.running_var" in old
    bundle = import_checkpoint(stored(old, tmp_path / "old.pth"), "smp")
    x = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        assert_same(ours(bundle)(x), theirs(x))


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_resnets_are_told_apart(name: str) -> None:
    with shapes_only():
        state = getattr(torchvision.models, name)().state_dict()
        assert resnet_name({f"encoder.{key}": tensor for key, tensor in state.items()}, "encoder.") == name
    assert resnet_name(state, "encoder.") == ""


def test_relatives_of_resnets_are_not_taken_for_them() -> None:
    timm = pytest.importorskip("timm")
    with shapes_only():
        for name in ("resnext50_32x4d", "wide_resnet50_2", "seresnet50", "resnet50d"):
            assert resnet_name(timm.create_model(name).state_dict(), "") == "", name


# --- classes, channels, containers ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lraspp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(segmenter("lraspp_mobilenet_v3_large", num_classes=3), tmp_path_factory.mktemp("lraspp") / "w.pth")


def test_a_single_output_becomes_two_classes_of_the_same_probability(tmp_path: Path) -> None:
    theirs = segmenter("lraspp_mobilenet_v3_large", num_classes=1)
    path = stored(theirs, tmp_path / "weights.pth")
    bundle = import_checkpoint(path, "torchvision")
    assert bundle.space.names == ("background", "foreground")
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        found = ours(bundle)(x).softmax(1)[:, 1:]
        assert_same(found, theirs(x)["out"].sigmoid())
    space = LabelSpace(("ground", "tree"))
    assert import_checkpoint(path, "torchvision", space=space).space == space
    with pytest.raises(
        ModelError, match="predicts one class and, first, its background, but the names given are 1: tree"
    ):
        import_checkpoint(path, "torchvision", space=LabelSpace(("tree",)))


@pytest.mark.parametrize("channels", [1, 4])
def test_input_channels_are_read_from_the_file(channels: int, tmp_path: Path) -> None:
    theirs = made(smp.Unet, "tu-mobilenetv3_large_100", encoder_weights=None, classes=2, in_channels=channels)
    bundle = import_checkpoint(stored(theirs, tmp_path / "weights.pth"), "smp", encoder="mobilenetv3_large_100")
    assert bundle.options["in_channels"] == channels
    x = torch.randn(1, channels, 32, 32)
    with torch.inference_mode():
        assert_same(ours(bundle)(x), theirs(x))
    if channels == 1:
        assert bundle.preprocessing.mean == pytest.approx([0.449], abs=1e-6)


def test_names_and_working_size_are_kept_in_the_bundle(lraspp: Path, tmp_path: Path) -> None:
    space = LabelSpace(("sky", "road", "tree"), ((1, 2, 3), (4, 5, 6), (7, 8, 9)))
    bundle = import_checkpoint(lraspp, "torchvision", space=space, long_side=700)
    bundle.save(tmp_path / "b.safetensors")
    loaded = Bundle.load(tmp_path / "b.safetensors")
    assert loaded.space == space and loaded.preprocessing.long_side == 700
    x = torch.randn(1, 3, 40, 40)
    with torch.inference_mode():
        assert torch.equal(restore(loaded)(x), ours(bundle)(x))
    with pytest.raises(ModelError, match=r"its head predicts 3 classes, but the names given are 2: sky, road"):
        import_checkpoint(lraspp, "torchvision", space=LabelSpace(("sky", "road")))


def test_containers_wrappers_and_half_precision(lraspp: Path, tmp_path: Path) -> None:
    state = torch.load(lraspp, weights_only=True)
    expected = import_checkpoint(lraspp, "torchvision").checksum()
    without_counters = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}

    def prefixed(prefix: str) -> dict[str, Tensor]:
        return {f"{prefix}{name}": tensor for name, tensor in state.items()}

    contents: list[Any] = [
        {"model": state, "epoch": 3, "args": argparse.Namespace(lr=0.1)},  # torchvision's own training script
        {"state_dict": prefixed("model."), "pytorch-lightning_version": "2"},
        {"model": {"model_state_dict": prefixed("module.")}},
        prefixed("_orig_mod.module."),
        # Lightning: attributes of any name, and what stands beside them
        {"state_dict": prefixed("net."), "hparams": {"lr": np.float64(0.1), "path": Path("runs")}},
        {"state_dict": {**prefixed("model."), "criterion.weight": torch.ones(2), "step": 3}},
        {**prefixed("segmenter.core."), "mean": torch.zeros(1, 3, 1, 1), "std": torch.ones(1, 3, 1, 1)},
        {**state, "loss.weight": torch.ones(2)},
        {"epoch": 3, "weights": state, "optimizer": {"state": {0: {"exp_avg": torch.zeros(1)}}, "param_groups": []}},
        {"net_g": state, "net_d": {"0.weight": torch.zeros(2, 2)}},
    ]
    for content in contents:
        assert import_checkpoint(stored(content, tmp_path / "w.pth"), "torchvision").checksum() == expected
    beside = import_checkpoint(stored(contents[6], tmp_path / "w.pth"), "torchvision")
    assert beside.card["beside"] == "2 tensors beside the model: mean, std"
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "w.safetensors")
    assert import_checkpoint(tmp_path / "w.safetensors", "torchvision").checksum() == expected
    torch.save(state, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    assert import_checkpoint(tmp_path / "legacy.pth", "torchvision").checksum() == expected
    bundle = import_checkpoint(stored(without_counters, tmp_path / "w.pth"), "torchvision")
    assert all(
        torch.equal(bundle.state[name], tensor)
        for name, tensor in import_checkpoint(lraspp, "torchvision").state.items()
        if tensor.is_floating_point()
    )
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    bundle = import_checkpoint(stored(half, tmp_path / "w.pth"), "torchvision")
    assert {tensor.dtype for tensor in bundle.state.values()} == {torch.float32, torch.int64}


def test_of_several_models_the_user_says_which(lraspp: Path, tmp_path: Path) -> None:
    state = torch.load(lraspp, weights_only=True)
    content = {f"student.{name}": tensor for name, tensor in state.items()}
    content |= {f"teacher.net.{name}": torch.zeros_like(tensor) for name, tensor in state.items()}
    path = stored({"state_dict": content}, tmp_path / "w.pth")
    with pytest.raises(ModelError) as caught:
        import_checkpoint(path, "torchvision")
    assert str(caught.value) == (
        f"{path}: it holds 2 models, their names begin with 'student', 'teacher.net'; which one is meant? Name its "
        "prefix (--prefix student; Python: prefix=...)"
    )
    chosen = import_checkpoint(path, "torchvision", prefix="student")
    assert chosen.checksum() == import_checkpoint(lraspp, "torchvision").checksum()
    assert chosen.card["beside"].startswith(f"{len(state)} tensors beside the model: teacher.net.backbone.0.0.weight")
    zeros = import_checkpoint(path, "torchvision", prefix="teacher.net.")
    assert not any(tensor.any() for tensor in zeros.state.values())
    with pytest.raises(ModelError, match="no such model behind the prefix 'ema'; their names begin with 'student'"):
        import_checkpoint(path, "torchvision", prefix="ema")
    with pytest.raises(ModelError, match=r"it looks like torchvision's lraspp_mobilenet_v3_large"):
        import_checkpoint(stored({f"net.{n}": t for n, t in state.items()}, path), "smp")


# --- files that do not fit ------------------------------------------------------------------------------------------


class Malicious:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_never_runs(zipped: bool, tmp_path: Path) -> None:
    path, victim = tmp_path / "bad.pth", tmp_path / "victim"
    torch.save({"state_dict": {}, "x": Malicious(victim)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match=r"bad\.pth: besides weights it holds Python objects \(\w+\.mkdir\)") as caught:
        import_checkpoint(path, "torchvision")
    assert "torch.save(model.state_dict(), 'weights.pth')" in str(caught.value)
    assert not victim.exists()


def test_files_that_hold_no_state_dict(lraspp: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(nn.Linear(2, 3), path)
    with pytest.raises(ModelError, match=r"holds Python objects \(torch\.nn\.modules\.linear\.Linear\)"):
        import_checkpoint(path, "smp")
    recursive: dict[str, Any] = {"epoch": 3, "optimizer": {}}
    recursive["model"] = recursive
    with pytest.raises(ModelError, match="there is no state dict in it, its entries are epoch, optimizer, model"):
        import_checkpoint(stored(recursive, path), "smp")
    for empty in ({}, [torch.zeros(1)]):
        with pytest.raises(ModelError, match="there is no state dict in it, or an empty one"):
            import_checkpoint(stored(empty, path), "smp")
    content = lraspp.read_bytes()
    for size, reason in ((len(content) // 2, "truncated, damaged"), (0, "the file is empty")):
        path.write_bytes(content[:size])
        with pytest.raises(ModelError, match=rf"w\.pth: {reason}"):
            import_checkpoint(path, "smp")
    path.write_bytes(b"<!DOCTYPE html><title>404</title>")
    with pytest.raises(ModelError, match="neither a PyTorch checkpoint nor a whole safetensors file"):
        import_checkpoint(path, "smp")
    with pytest.raises(ModelError, match="no such file"):
        import_checkpoint(tmp_path / "nope.pth", "smp")
    with pytest.raises(ModelError, match=r"a folder without model\.safetensors"):
        import_checkpoint(tmp_path, "smp")
    bundle = import_checkpoint(lraspp, "torchvision")
    bundle.save(tmp_path / "b.safetensors")
    with pytest.raises(ModelError, match="an Intarsia bundle already; use it: intarsia segment"):
        import_checkpoint(tmp_path / "b.safetensors", "torchvision")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_programs_are_refused(tmp_path: Path) -> None:
    torch.jit.script(nn.ReLU()).save(tmp_path / "w.pt")
    with pytest.raises(ModelError, match="a TorchScript program"):
        import_checkpoint(tmp_path / "w.pt", "smp")


def test_what_another_model_looks_like(lraspp: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    with pytest.raises(ModelError, match=r"none of smp's models .* torchvision's lraspp_mobilenet_v3_large \(--from t"):
        import_checkpoint(lraspp, "smp")
    with shapes_only():
        states = {
            r"smp's Unet with encoder resnet34 \(--from smp\)": smp.Unet(encoder_weights=None).state_dict(),
            r"one of smp's other models \(those that can": smp.UPerNet(encoder_weights=None).state_dict(),
            r"a classification checkpoint of resnet50 with 1000 classes": torchvision.models.resnet50().state_dict(),
            r"a classification checkpoint with 7 classes": torchvision.models.vgg11(num_classes=7).state_dict(),
        }
    states[r"nothing that is known here \(its first tensors: weight, bias\)"] = nn.Linear(1, 1).state_dict()
    for message, state in states.items():
        # an expanded zero keeps the files small
        stored({name: torch.zeros(()).expand(tensor.shape) for name, tensor in state.items()}, path)
        with pytest.raises(ModelError, match=rf"none of torchvision's models .* it looks like {message}"):
            import_checkpoint(path, "torchvision")


def test_tensors_that_differ_are_named_and_counted(lraspp: Path, tmp_path: Path) -> None:
    state = torch.load(lraspp, weights_only=True)
    del state["backbone.0.0.weight"], state["backbone.3.block.1.1.bias"]
    state["ema"] = torch.zeros(1)
    state["classifier.high_classifier.weight"] = torch.zeros(5, 128, 1, 1)
    path = stored(state, tmp_path / "w.pth")
    with pytest.raises(ModelError) as caught:
        import_checkpoint(path, "torchvision")
    assert str(caught.value) == (
        f"{path}: read as torchvision's lraspp_mobilenet_v3_large, it does not fit: "
        "2 missing (backbone.0.0.weight, backbone.3.block.1.1.bias); 1 not part of the model (ema); "
        "1 of another shape (classifier.high_classifier.weight is (5, 128, 1, 1), not (3, 128, 1, 1))"
    )
    with pytest.raises(ModelError, match=r"read as torchvision's fcn_resnet50.*looks like torchvision's lraspp_mobile"):
        import_checkpoint(lraspp, "torchvision", model="fcn_resnet50")


def test_encoders_that_cannot_be_or_are_not(tmp_path: Path) -> None:
    def path(encoder: str) -> Path:
        with shapes_only():
            state = smp.Unet(encoder, encoder_weights=None).state_dict()
        return stored(
            {name: torch.zeros(()).expand(tensor.shape) for name, tensor in state.items()}, tmp_path / encoder
        )

    timm = path("tu-resnet18")
    with pytest.raises(ModelError, match=r"one of timm's, whose name is not in the file; .* \(--encoder tu-\.\.\.\)"):
        import_checkpoint(timm, "smp")
    with pytest.raises(ModelError, match=r"read as smp's Unet with encoder tu-resnet34, it does not fit: \d+ missing"):
        import_checkpoint(timm, "smp", encoder="tu-resnet34")
    with pytest.raises(UsageError, match=r"timm has no backbone named 'resnet1B'\. Did you mean 'resnet18'"):
        import_checkpoint(timm, "smp", encoder="tu-resnet1B")
    with pytest.raises(ModelError, match=r"with encoder tu-vit_tiny_patch16_224 cannot be built here: "):
        import_checkpoint(timm, "smp", encoder="tu-vit_tiny_patch16_224")
    with pytest.raises(ModelError, match=r"its encoder is smp's resnet18, not resnet34"):
        import_checkpoint(path("resnet18"), "smp", encoder="resnet34")
    state = torch.load(path("resnet18"), weights_only=True)
    odd = {name.replace("encoder.conv1", "encoder.first"): tensor for name, tensor in state.items()}
    unknown = stored(odd, tmp_path / "odd")
    with pytest.raises(ModelError, match=r"its encoder mobilone_s0 cannot be imported; timm's .* Did you mean"):
        import_checkpoint(unknown, "smp", encoder="mobilone_s0")
    with pytest.raises(ModelError, match=r"its encoder resnext101_32x47d cannot .* Did you mean 'resnext101_32x4d'\?"):
        import_checkpoint(unknown, "smp", encoder="resnext101_32x47d")
    with pytest.raises(ModelError, match=r"its encoder is smp's vgg11, not vgg13"):
        import_checkpoint(path("vgg11"), "smp", encoder="vgg13")


def test_wrong_calls(lraspp: Path) -> None:
    with pytest.raises(UsageError, match=r"of 'torchvison' cannot be imported\. Did you mean 'torchvision'"):
        import_checkpoint(lraspp, "torchvison")
    with pytest.raises(UsageError, match=r"is named 'fcn_resnet5'\. Did you mean 'fcn_resnet50'"):
        import_checkpoint(lraspp, "torchvision", model="fcn_resnet5")
    with pytest.raises(UsageError, match=r"is named 'UNet'\. Did you mean 'Unet'"):
        import_checkpoint(lraspp, "smp", model="UNet")
    with pytest.raises(UsageError, match="encoder and output_stride are for smp's models"):
        import_checkpoint(lraspp, "torchvision", output_stride=8)
