"""GCN: the numbers of its paper, and what its blocks amount to."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.encoders import Encoder
from intarsia.models.image.gcn import GCN
from intarsia.models.layers import BilinearDeconv, BoundaryRefinement, GlobalConvolution
from intarsia.models.shapes import shapes_only


def dense(block):
    """Kernel and bias of the one k x k convolution that the block is."""
    (column1, row1), (row2, column2) = block.column_row, block.row_column
    kernel = torch.einsum("miax,omxb->oiab", column1.weight, row1.weight)
    kernel = kernel + torch.einsum("mixb,omax->oiab", row2.weight, column2.weight)
    bias = row1.bias + torch.einsum("omxb,m->o", row1.weight, column1.bias)
    bias = bias + column2.bias + torch.einsum("omax,m->o", column2.weight, row2.bias)
    return kernel, bias


def weights(module):
    return sum(parameter.numel() for parameter in module.parameters() if parameter.ndim > 1)


@pytest.mark.parametrize("kernel", [1, 3, 7, 15])
def test_block_without_biases_is_one_dense_convolution(kernel):
    torch.manual_seed(0)
    block = GlobalConvolution(5, 3, kernel).double()
    for conv in block.modules():
        if isinstance(conv, nn.Conv2d):
            nn.init.zeros_(conv.bias)
    x = torch.randn(2, 5, 11, 9, dtype=torch.float64)
    expected = F.conv2d(x, dense(block)[0], padding=kernel // 2)
    assert (block(x) - expected).abs().max() < 1e-10


def test_biases_change_only_the_border_ring():
    torch.manual_seed(0)
    block = GlobalConvolution(5, 3, 7).double()
    x = torch.randn(1, 5, 20, 24, dtype=torch.float64)
    kernel, bias = dense(block)
    difference = (block(x) - F.conv2d(x, kernel, bias, padding=3)).abs().amax(dim=(0, 1))
    assert difference[3:-3, 3:-3].max() < 1e-10
    assert difference[:, [0, 1, 2, -3, -2, -1]][3:-3].min() > 1e-4
    assert difference[[0, 1, 2, -3, -2, -1]][:, 3:-3].min() > 1e-4


@pytest.mark.parametrize(
    ("kernel", "crosses", "full"),
    [(3, 260_694, 387_072), (5, 434_490, 1_075_200), (7, 608_286, 2_107_392), (9, 782_082, 3_483_648)],
)
def test_parameters_of_the_papers_table(kernel, crosses, full):
    with shapes_only():
        block = GlobalConvolution(2048, 21, kernel)
        assert weights(block) == crosses
        assert dense(block)[0].numel() == full


def test_parameters_of_the_whole():
    with shapes_only():
        model = build("gcn", classes=21, encoder="resnet152")
    assert sum(weights(block) for block in model.modules() if isinstance(block, GlobalConvolution)) == 2_472_120
    refinements = [block for block in model.modules() if isinstance(block, BoundaryRefinement)]
    assert len(refinements) == 9
    assert sum(parameter.numel() for block in refinements for parameter in block.parameters()) == 71_820
    assert sum(parameter.numel() for parameter in model.encoder.parameters()) == 58_143_808
    assert sum(parameter.numel() for parameter in model.parameters()) == 60_689_764


def test_options_leave_parts_out():
    with shapes_only():
        plain = build("gcn", classes=4, encoder="test_resnet", refine=False, up="bilinear")
        full = build("gcn", classes=4, encoder="test_resnet")
    assert not any(isinstance(block, BoundaryRefinement | BilinearDeconv) for block in plain.modules())
    deconvs = [block for block in full.modules() if isinstance(block, BilinearDeconv)]
    assert [tuple(deconv.weight.shape) for deconv in deconvs] == [(4, 1, 4, 4)] * 5
    assert weights(full) - weights(plain) == 9 * 2 * 4 * 4 * 9 + 5 * 4 * 4 * 4


def test_refinement_is_the_identity_when_its_last_convolution_is_zero():
    block = BoundaryRefinement(3)
    x = torch.randn(1, 3, 6, 7)
    assert not torch.equal(block(x), x)
    for parameter in block.residual[-1].parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(block(x), x)


class Averages(Encoder):
    """The mean of each cell, so that nothing but the decoder reaches beyond it."""

    def __init__(self):
        super().__init__()
        self.channels = {4: 3, 8: 3, 16: 3, 32: 3}

    def forward(self, x):
        return {stage: F.avg_pool2d(x, stage, ceil_mode=True) for stage in self.channels}


@pytest.mark.parametrize("up", ["deconv", "bilinear"])
def test_tiles_that_start_at_multiples_of_32_sample_the_same_grid(up):
    torch.manual_seed(0)
    model = GCN(Averages(), classes=2, kernel=1, refine=False, up=up).eval()
    x = torch.rand(1, 3, 171, 165)
    with torch.inference_mode():
        whole, tile = model(x), model(x[:, :, 32:, 64:])
    assert whole.shape[2:] == (171, 165)
    assert (whole[..., 32 + 64 :, 64 + 64 :] - tile[..., 64:, 64:]).abs().max() < 1e-6


def test_up_starts_bilinear():
    """Inside, the learned deconvolution starts as what it replaces."""
    torch.manual_seed(0)
    learned = GCN(Averages(), classes=2, kernel=1, refine=False, up="deconv")
    fixed = GCN(Averages(), classes=2, kernel=1, refine=False, up="bilinear")
    fixed.load_state_dict({key: value for key, value in learned.state_dict().items() if "ups" not in key})
    x = torch.rand(1, 3, 192, 192)
    with torch.inference_mode():
        difference = (learned(x) - fixed(x)).abs().amax(dim=(0, 1))
    assert difference[32:-32, 32:-32].max() < 1e-6 < difference[0].max()


def test_options_that_cannot_be_built():
    with pytest.raises(ModelError, match="kernel must be odd, so that the maps keep their sizes, not 14"):
        build("gcn", classes=2, encoder="test_resnet", kernel=14)
    with pytest.raises(ModelError, match="up must be 'deconv' or 'bilinear', not 'nearest'"):
        build("gcn", classes=2, encoder="test_resnet", up="nearest")
