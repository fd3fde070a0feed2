"""MaskFormer: equal to transformers' by copied weights, and its sizes."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small import small
from torch import nn

os.environ["HF_HUB_OFFLINE"] = "1"
from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.image.maskformer import sine_positions
from intarsia.models.shapes import shapes_only

CHANNELS, QUERIES, LABELS = 64, 5, 4


def pairs_of(own: nn.Module, reference: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """The parts of both that hold the same weights."""
    pyramid, transformer = reference.model.pixel_level_module.decoder, reference.model.transformer_module
    pairs = [
        (own.stem[0], pyramid.fpn.stem.layers[0]),
        (own.stem[1], pyramid.fpn.stem.layers[1]),
        (own.features, pyramid.mask_projection),
        (own.project, transformer.input_projection),
        (own.norm, transformer.decoder.layernorm),
    ]
    for lateral, smooth, theirs in zip(own.laterals, own.smooths, pyramid.fpn.layers, strict=True):
        pairs += [(lateral, theirs.proj), *zip(smooth[:2], theirs.block.layers[:2], strict=True)]
    for mine, theirs in zip(own.layers, transformer.decoder.layers, strict=True):
        for attention, other in ((mine.among, theirs.self_attn), (mine.across, theirs.encoder_attn)):
            pairs += [(attention.q, other.q_proj), (attention.k, other.k_proj)]
            pairs += [(attention.v, other.v_proj), (attention.proj, other.o_proj)]
        norms = (theirs.self_attn_layer_norm, theirs.encoder_attn_layer_norm, theirs.final_layer_norm)
        pairs += [(mine.ffn[0], theirs.mlp.fc1), (mine.ffn[3], theirs.mlp.fc2), *zip(mine.norms, norms, strict=True)]
    layers = (own.mask_head[0], own.mask_head[2], own.mask_head[4])
    return [*pairs, *zip(layers, (block.layers[0] for block in reference.mask_embedder.layers), strict=True)]


def test_answers_equal_the_reference() -> None:
    """Of the same encoder's maps."""
    from transformers import MaskFormerConfig, MaskFormerForInstanceSegmentation, ResNetConfig
    from transformers.models.maskformer.configuration_maskformer import MaskFormerDetrConfig

    torch.manual_seed(0)
    own = build(
        "maskformer", classes=LABELS, encoder="test_resnet", channels=CHANNELS, queries=QUERIES, layers=3
    ).double()
    widths = [own.encoder.channels[stage] for stage in (4, 8, 16, 32)]
    decoder = MaskFormerDetrConfig(
        d_model=CHANNELS, decoder_layers=3, decoder_ffn_dim=8 * CHANNELS, num_queries=QUERIES,
        backbone_config=ResNetConfig(depths=[1, 1, 1, 1], hidden_sizes=widths, layer_type="basic"),
    )  # fmt: skip
    config = MaskFormerConfig(
        backbone_config=ResNetConfig(
            depths=[1, 1, 1, 1], hidden_sizes=widths, embedding_size=8, layer_type="basic",
            out_features=["stage1", "stage2", "stage3", "stage4"],
        ),
        decoder_config=decoder, fpn_feature_size=CHANNELS, mask_feature_size=CHANNELS, num_labels=LABELS,
    )  # fmt: skip
    reference = MaskFormerForInstanceSegmentation(config).double().eval()
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for mine, theirs in pairs_of(own, reference):
            mine.load_state_dict(theirs.state_dict())
        own.queries.copy_(reference.model.transformer_module.queries_embedder.weight)
        for layer, rows in ((own.head, slice(0, LABELS)), (own.nothing, slice(LABELS, None))):
            layer.weight.copy_(reference.class_predictor.weight[rows])
            layer.bias.copy_(reference.class_predictor.bias[rows])

    class Shared(nn.Module):
        def forward(self, x: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(feature_maps=tuple(own.encoder(x)[stage] for stage in (4, 8, 16, 32)))

    reference.model.pixel_level_module.encoder = Shared()
    own.eval()
    x = torch.randn(2, 3, 75, 133, dtype=torch.float64)
    with torch.inference_mode():
        expected, (found,) = reference(x), own.answers(x)
        scores = torch.einsum(
            "nqc,nqhw->nchw",
            expected.class_queries_logits.softmax(2)[..., :-1],
            expected.masks_queries_logits.sigmoid(),
        )
        assert torch.allclose(own.logits(x).exp(), scores + 1e-6, atol=1e-9)
    assert (found.classes - expected.class_queries_logits).abs().max() < 1e-9
    assert (found.masks - expected.masks_queries_logits).abs().max() < 1e-9 < found.masks.abs().max()


def test_published_size_and_cost() -> None:
    """41M parameters (Table 1, R50); its 53 GFLOPs at 512 x 512 are of another counter."""
    with shapes_only():
        model = build("maskformer", classes=150)
    assert round(parameters(model) / 1e6) == 41
    assert gmacs(model, (512, 512)) == pytest.approx(48.79, abs=0.01)


def test_positions() -> None:
    """Of the last row and column, whose turn is complete, and of channel pairs that turn ever more slowly."""
    found = sine_positions(torch.zeros(2, 8, 4, 5))
    assert found.shape == (1, 8, 4, 5)
    quarter = torch.tensor([1.0, 0.0, -1.0, 0.0])
    torch.testing.assert_close(found[0, 0, :, 2], quarter, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[0, 1, :, 2], torch.tensor([0.0, -1.0, 0.0, 1.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[0, 4, 1, -1], torch.tensor(0.0), atol=1e-5, rtol=0)
    angle = 2 * np.pi / 5 / 100  # the second pair of four channels turns 10000 ** (1 / 2) times more slowly
    assert found[0, 6, 3, 0].item() == pytest.approx(np.sin(angle), rel=1e-4)
    assert found[0, 7, 0, 0].item() == pytest.approx(np.cos(angle), rel=1e-4)


def test_every_layer_is_supervised_and_prediction_asks_the_last_alone() -> None:
    torch.manual_seed(0)
    model, x = small("maskformer", dropout=0.0), torch.rand(1, 3, 40, 56)
    outputs = model.train().supervised(x)
    assert [tuple(output.queries.classes.shape) for output in outputs] == [(1, 6, 4)] * 2
    assert [tuple(output.logits.shape) for output in outputs] == [(1, 3, 10, 14)] * 2
    assert not torch.equal(outputs[0].logits, outputs[1].logits)
    assert len(model.eval().answers(x)) == 1


def test_an_encoder_without_a_stage_is_refused() -> None:
    with pytest.raises(ModelError, match="no features at stride 32"):
        small("maskformer", encoder="efficientnet_lite0_short")
