"""SegNeXt: the paper's sizes, an encoder written once more with the released names, and the factorisation."""

import pytest
import torch
from small import small
from torch import nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.encoders import build_encoder
from intarsia.models.image.segnext import Factorisation
from intarsia.models.shapes import shapes_only

# encoder, decoder width, millions of parameters for 150 classes (Guo et al. 2022, Table 5)
PUBLISHED = [("mscan_t", 256, 4.3), ("mscan_s", 256, 13.9), ("mscan_b", 512, 27.6), ("mscan_l", 1024, 48.9)]


@pytest.mark.parametrize(("encoder", "channels", "millions"), PUBLISHED)
def test_published_sizes(encoder: str, channels: int, millions: float) -> None:
    with shapes_only():
        model = build("segnext", classes=150, encoder=encoder, channels=channels)
    assert round(parameters(model) / 1e6, 1) == millions
    if encoder == "mscan_t":  # the paper's 6.6 are of another counter
        assert gmacs(model, (512, 512)) == pytest.approx(6.40, abs=0.01)


class Gate(nn.Module):
    """The spatial gating unit, as the paper draws it (Figure 2b)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        for number, length in enumerate((7, 11, 21)):
            half = length // 2
            setattr(self, f"conv{number}_1", nn.Conv2d(dim, dim, (1, length), padding=(0, half), groups=dim))
            setattr(self, f"conv{number}_2", nn.Conv2d(dim, dim, (length, 1), padding=(half, 0), groups=dim))
        self.conv3 = nn.Conv2d(dim, dim, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        near = self.conv0(x)
        far = [self.conv0_2(self.conv0_1(near)), self.conv1_2(self.conv1_1(near)), self.conv2_2(self.conv2_1(near))]
        return self.conv3(near + far[0] + far[1] + far[2]) * x


class Block(nn.Module):
    def __init__(self, dim: int, ratio: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(dim), nn.BatchNorm2d(dim)
        self.attn = nn.ModuleDict(
            {"proj_1": nn.Conv2d(dim, dim, 1), "spatial_gating_unit": Gate(dim), "proj_2": nn.Conv2d(dim, dim, 1)}
        )
        hidden = ratio * dim
        wide = nn.ModuleDict({"dwconv": nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)})
        self.mlp = nn.ModuleDict({"fc1": nn.Conv2d(dim, hidden, 1), "dwconv": wide, "fc2": nn.Conv2d(hidden, dim, 1)})
        self.layer_scale_1, self.layer_scale_2 = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.ones(dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.norm1(x)
        attended = self.attn["proj_2"](self.attn["spatial_gating_unit"](F.gelu(self.attn["proj_1"](normed)))) + normed
        x = x + self.layer_scale_1.view(1, -1, 1, 1) * attended
        inner = F.gelu(self.mlp["dwconv"]["dwconv"](self.mlp["fc1"](self.norm2(x))))
        return x + self.layer_scale_2.view(1, -1, 1, 1) * self.mlp["fc2"](inner)


class Released(nn.Module):
    """MSCAN-T with the names of the released checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        before = 3
        for stage, (dim, depth, ratio) in enumerate(((32, 3, 8), (64, 3, 8), (160, 5, 4), (256, 2, 4)), 1):
            if stage == 1:
                stem = (nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.GELU(), nn.Conv2d(16, 32, 3, 2, 1))
                embed = {"proj": nn.Sequential(*stem, nn.BatchNorm2d(32))}
            else:
                embed = {"proj": nn.Conv2d(before, dim, 3, 2, 1), "norm": nn.BatchNorm2d(dim)}
            setattr(self, f"patch_embed{stage}", nn.ModuleDict(embed))
            setattr(self, f"block{stage}", nn.ModuleList(Block(dim, ratio) for _ in range(depth)))
            setattr(self, f"norm{stage}", nn.LayerNorm(dim))
            before = dim

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for stage in range(1, 5):
            for part in (*getattr(self, f"patch_embed{stage}").values(), *getattr(self, f"block{stage}")):
                x = part(x)
            x = getattr(self, f"norm{stage}")(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            maps.append(x)
        return maps


@pytest.mark.parametrize("size", [(64, 96), (75, 133)])
def test_encoder_equals_one_with_the_released_names(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    reference = Released()
    for name, tensor in reference.state_dict().items():
        if "running" in name:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
        elif tensor.is_floating_point():
            tensor.add_(0.03 * torch.randn_like(tensor))
    own = build_encoder("mscan_t").double().eval()
    own.load_pretrained(reference.double().eval().state_dict())
    assert len(own.state_dict()) == len(reference.state_dict())
    x = torch.randn(1, 3, *size, dtype=torch.float64)
    with torch.inference_mode():
        expected, maps = reference(x), own(x)
    assert list(maps) == [4, 8, 16, 32]
    for features, found in zip(expected, maps.values(), strict=True):
        assert (found - features).abs().max() < 1e-10 < features.abs().max()


def test_a_map_of_low_rank_is_kept_and_another_comes_nearer_with_the_rank() -> None:
    torch.manual_seed(0)
    of_two = (torch.rand(12, 2) @ torch.rand(2, 35)).view(1, 12, 5, 7)
    kept = Factorisation(12, 4).eval()(of_two)
    assert (kept - of_two).abs().max() < 0.1 * of_two.max()
    any_map = torch.rand(1, 12, 5, 7)
    lost = [float((Factorisation(12, rank).eval()(any_map) - any_map).square().mean()) for rank in (1, 3, 12)]
    assert lost[0] > lost[1] > lost[2] > 0
    rank = torch.linalg.matrix_rank(Factorisation(12, 3).eval()(any_map)[0].flatten(1), rtol=1e-4)
    assert rank == 3


def test_one_update_of_the_factorisation_by_hand() -> None:
    """Lee and Seung's rule on numbers of one digit: rank one, two channels, one cell."""
    ham = Factorisation(2, 1).eval().double()
    b = F.normalize(ham.bases[0, :, 0], dim=0)
    x = torch.tensor([3.0, 1.0], dtype=torch.float64)
    c = torch.ones((), dtype=torch.float64)  # the softmax over a single basis
    for _ in range(7):
        c = c * (x @ b) / (c * (b @ b) + 1e-6)
        b = b * (x * c) / (b * (c * c) + 1e-6)
    c = c * (x @ b) / (c * (b @ b) + 1e-6)
    torch.testing.assert_close(ham(x.view(1, 2, 1, 1)).flatten(), c * b)


def test_bases_are_drawn_anew_in_training_alone() -> None:
    ham, x = Factorisation(8, 3), torch.rand(2, 8, 4, 6)
    twice = []
    for _ in range(2):
        torch.manual_seed(5)
        twice.append(ham.train()(x))
    assert torch.equal(*twice), "whoever seeds the generator repeats a step bit for bit"
    assert not torch.equal(ham(x), twice[0])
    alone = ham.eval()(x[1:])
    torch.manual_seed(6)
    assert torch.equal(ham(x[1:]), alone) and torch.allclose(ham(x)[1:], alone, atol=1e-6)
    assert torch.equal(Factorisation(8, 3).bases, ham.bases), "the same in every model"
    with shapes_only():
        assert Factorisation(8, 3).bases.device.type == "cpu", "and known without its weights"
    assert "hamburger.ham.bases" in small("segnext").state_dict()


def test_the_factorisation_keeps_its_precision_under_autocast() -> None:
    ham, x = Factorisation(8, 3).eval(), torch.rand(1, 8, 4, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(ham(x), ham(x).float()) and torch.allclose(ham(x), ham(x.double()).float(), atol=1e-5)
    assert ham(x.bfloat16()).dtype == torch.bfloat16


def test_what_cannot_be_built_says_why() -> None:
    with pytest.raises(ModelError, match=r"'mscan_t' is not dilated; use output_stride=32"):
        build_encoder("mscan_t", output_stride=16)
    with pytest.raises(ModelError, match=r"'mscan_t' has no features at stride 2 \(it has 4, 8, 16, 32\)"):
        build_encoder("mscan_t", deepest=2)
    with pytest.raises(ModelError, match=r"segnext cannot be built with channels=80: num_channels .*divisible"):
        build("segnext", classes=2, channels=80)


def test_others_take_the_encoder_and_segnext_takes_others() -> None:
    model = build("unet", classes=2, encoder="mscan_t", channels=(16, 8, 8)).eval()
    other = build("segnext", classes=2, encoder="test_convnext", channels=32).eval()
    with torch.inference_mode():
        for one in (model, other):
            assert one(torch.rand(1, 3, 40, 56)).shape == (1, 2, 40, 56)
