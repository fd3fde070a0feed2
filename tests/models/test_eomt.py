"""EoMT: equal to transformers' by copied weights, its masked attention, and its annealing."""

import os
from functools import partial

import pytest
import timm
import torch
from small import small
from torch import Tensor, nn

os.environ["HF_HUB_OFFLINE"] = "1"
from intarsia.errors import ModelError, UsageError
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.encoders.vit import PlainViT
from intarsia.models.image.masks import semantic_logits
from intarsia.models.shapes import shapes_only

QUERIES, BLOCKS, LABELS = 5, 2, 4


def copy_layer(own: nn.Module, reference: nn.Module) -> None:
    """A block of timm's from a layer of transformers'; q, k and v lie in one matrix there."""
    attention = reference.attention
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    own.attn.qkv.weight.copy_(torch.cat([part.weight for part in parts]))
    if own.attn.qkv.bias is not None:
        own.attn.qkv.bias.copy_(torch.cat([part.bias for part in parts]))
    mlp = reference.mlp
    pairs = [
        (own.attn.proj, getattr(attention, "out_proj", None) or attention.o_proj),
        (own.mlp.fc1, getattr(mlp, "fc1", None) or mlp.up_proj),
        (own.mlp.fc2, getattr(mlp, "fc2", None) or mlp.down_proj),
        (own.norm1, reference.norm1),
        (own.norm2, reference.norm2),
    ]
    for module, other in pairs:
        module.load_state_dict(other.state_dict())
    if hasattr(own, "gamma_1"):
        own.gamma_1.copy_(reference.layer_scale1.lambda1), own.gamma_2.copy_(reference.layer_scale2.lambda1)


@torch.no_grad()
def copy_weights(own: nn.Module, reference: nn.Module) -> None:
    vit = own.encoder.vit
    for block, layer in zip(vit.blocks, reference.layers, strict=True):
        copy_layer(block, layer)
    vit.norm.load_state_dict(reference.layernorm.state_dict())
    own.queries.copy_(reference.query.weight)
    for mine, theirs in zip(own.enlarge, reference.upscale_block.block, strict=True):
        mine.twice.load_state_dict(theirs.conv1.state_dict())
        mine.smooth.load_state_dict(theirs.conv2.state_dict())
        mine.norm.load_state_dict(theirs.layernorm2d.state_dict())
    for layer, theirs in zip(
        (own.mask_head[0], own.mask_head[2], own.mask_head[4]), ("fc1", "fc2", "fc3"), strict=True
    ):
        layer.load_state_dict(getattr(reference.mask_head, theirs).state_dict())
    for layer, rows in ((own.head, slice(0, LABELS)), (own.nothing, slice(LABELS, None))):
        layer.weight.copy_(reference.class_predictor.weight[rows])
        layer.bias.copy_(reference.class_predictor.bias[rows])


def shaken(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return module.double()


@pytest.fixture(scope="module")
def plain() -> tuple[nn.Module, nn.Module]:
    """With learned positions, of which the class token has one of its own in timm."""
    from transformers import EomtConfig, EomtForUniversalSegmentation

    torch.manual_seed(0)
    config = EomtConfig(
        hidden_size=64, num_hidden_layers=6, num_attention_heads=2, mlp_ratio=3, image_size=160, num_queries=QUERIES,
        num_blocks=BLOCKS, num_register_tokens=0, num_labels=LABELS,
    )  # fmt: skip
    reference = shaken(EomtForUniversalSegmentation(config))
    own = build("eomt", classes=LABELS, encoder="test_vit", queries=QUERIES, blocks=BLOCKS).double()
    copy_weights(own, reference)
    with torch.no_grad():
        for layer in reference.layers:
            nn.init.ones_(layer.layer_scale1.lambda1), nn.init.ones_(layer.layer_scale2.lambda1)
        embeddings, vit = reference.embeddings, own.encoder.vit
        vit.patch_embed.proj.load_state_dict(embeddings.patch_embeddings.projection.state_dict())
        vit.pos_embed[:, 1:] = embeddings.position_embeddings.weight
        vit.cls_token.copy_(embeddings.cls_token - vit.pos_embed[:, :1])
    return own, reference


def assert_equal_answers(own: nn.Module, reference: nn.Module, x: Tensor, within: float = 1e-9) -> None:
    with torch.inference_mode():
        expected, found = reference(x), own.answers(x)[0]
    assert (found.classes - expected.class_queries_logits).abs().max() < within
    assert (found.masks - expected.masks_queries_logits).abs().max() < within < found.masks.abs().max()


def test_answers_equal_the_reference(plain: tuple[nn.Module, nn.Module]) -> None:
    own, reference = (model.eval() for model in plain)
    reference.attn_mask_probs.zero_()
    x = torch.randn(2, 3, 160, 160, dtype=torch.float64)
    assert_equal_answers(own, reference, x)
    with torch.inference_mode():
        expected = reference(x)
        scores = torch.einsum(
            "nqc,nqhw->nchw",
            expected.class_queries_logits.softmax(2)[..., :-1],
            expected.masks_queries_logits.sigmoid(),
        )
        assert torch.allclose(own.logits(x).exp(), scores + 1e-6, atol=1e-9)


def test_masked_attention_equals_the_reference(
    plain: tuple[nn.Module, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, reference = (model.train() for model in plain)
    reference.attn_mask_probs.fill_(1)
    # Its mask is float32, which torch's fused attention misreads beside float64; its own takes a float32 softmax.
    monkeypatch.setattr(reference.config, "_attn_implementation", "eager")
    own.anneal(0.0)
    x = torch.randn(2, 3, 160, 160, dtype=torch.float64)
    assert_equal_answers(own, reference, x, within=1e-4)
    with torch.inference_mode():
        masked = own.logits(x)
        own.anneal(1.0)
        assert not torch.allclose(own.logits(x), masked), "the masks matter"


def test_rotary_positions_equal_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """DINOv3, of which queries, class and registers have no position."""
    from transformers import EomtDinov3Config, EomtDinov3ForUniversalSegmentation

    torch.manual_seed(0)
    config = EomtDinov3Config(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=2, intermediate_size=256, image_size=64,
        num_queries=QUERIES, num_blocks=BLOCKS, num_labels=LABELS, query_bias=False, value_bias=False,
        layer_norm_eps=1e-5,
    )  # fmt: skip
    reference = shaken(EomtDinov3ForUniversalSegmentation(config)).eval()
    reference.attn_mask_probs.zero_()
    small_one = partial(timm.create_model, depth=3, embed_dim=64, num_heads=2)
    monkeypatch.setattr(timm, "create_model", small_one)
    own = build("eomt", classes=LABELS, encoder="vit_small_patch16_dinov3", queries=QUERIES, blocks=BLOCKS).double()
    copy_weights(own.eval(), reference)
    vit, embeddings = own.encoder.vit, reference.embeddings
    with torch.no_grad():
        vit.patch_embed.proj.load_state_dict(embeddings.patch_embeddings.state_dict())
        vit.cls_token.copy_(embeddings.cls_token), vit.reg_token.copy_(embeddings.register_tokens)
    assert_equal_answers(own, reference, torch.randn(1, 3, 64, 64, dtype=torch.float64))


def test_queries_look_at_their_masks_and_at_each_other() -> None:
    model = small("eomt").train()
    masks = torch.full((1, 6, 12, 16), -1.0)
    masks[0, 0, :4, :4] = 1.0  # the first patch of 3 x 4
    allowed = model._allowed(masks, 6 + 1 + 12, (3, 4), 1.0)[0, 0]
    assert allowed[0].tolist() == [True] * 8 + [False] * 11
    assert allowed[1].tolist() == [True] * 7 + [False] * 12, "a query without a mask is left with tokens to look at"
    assert allowed[6:].all(), "patches look at everything"
    torch.manual_seed(0)
    half = model._allowed(masks.expand(40, -1, -1, -1), 19, (3, 4), 0.5)[:, 0, 1, 7:]
    assert 8 < half.all(1).sum() < 32 and half.any(1).eq(half.all(1)).all()


def test_masks_are_annealed_block_by_block() -> None:
    model = small("eomt")
    assert [model.masked_share(block) for block in range(2)] == [0, 0], "a model that nobody trains"
    shares = []
    for progress in (0.0, 0.25, 0.375, 0.5, 0.625, 0.75, 1.0):
        model.anneal(progress)
        shares.append([round(model.masked_share(block), 3) for block in range(2)])
    assert shares == [[1, 1], [1, 1], [0.536, 1], [0, 1], [0, 0.536], [0, 0], [0, 0]]
    off = small("eomt", masked=False)
    off.anneal(0.0)
    assert off.masked_share(0) == 0


def test_every_joined_block_is_supervised_and_prediction_asks_the_last_alone() -> None:
    torch.manual_seed(0)
    model, x = small("eomt"), torch.rand(1, 3, 40, 56)
    outputs = model.train().supervised(x)
    assert [tuple(output.queries.masks.shape) for output in outputs] == [(1, 6, 10, 14)] * 3
    assert all(torch.equal(output.logits, semantic_logits(output.queries)) for output in outputs)
    model.eval()
    (last,) = model.answers(x)
    assert torch.allclose(last.masks, outputs[0].queries.masks, atol=1e-5)


def test_weights_with_other_patches_and_norms_are_taken() -> None:
    encoder = PlainViT("test_vit", in_channels=1)
    state = timm.create_model("test_vit", patch_size=8, img_size=64, fc_norm=True).state_dict()
    assert "fc_norm.weight" in state and state["pos_embed"].shape[1] == 65
    state["fc_norm.weight"].fill_(3.0)
    encoder.load_pretrained(state)
    assert torch.equal(encoder.norm.weight, torch.full((64,), 3.0))
    assert torch.equal(encoder.blocks[2].mlp.fc1.weight, state["blocks.2.mlp.fc1.weight"])
    with torch.inference_mode():
        assert encoder.eval()(torch.rand(1, 1, 33, 40))[16].shape == (1, 64, 3, 3)


def test_sizes() -> None:
    """Those of the vision transformer, the queries, and four layers of head: by hand, for DINOv2's ViT-S."""
    with shapes_only():
        model = build("eomt", classes=150)
    width = 384
    vit = parameters(timm.create_model("vit_small_patch14_reg4_dinov2", num_classes=0, patch_size=16))
    heads = 151 * (width + 1) + 3 * width * (width + 1) + 100 * width
    enlarging = 2 * (4 * width * width + width + 9 * width + 2 * width)
    assert parameters(model) == vit + heads + enlarging
    assert gmacs(model, (512, 512)) == pytest.approx(36.95, abs=0.01)


def test_what_is_no_plain_transformer_is_refused() -> None:
    for name in ("resnet18", "swin_tiny_patch4_window7_224"):
        with pytest.raises(ModelError, match=rf"'{name}' is no plain vision transformer.*'vit_small_patch16_dinov3'"):
            build("eomt", classes=2, encoder=name)
    with pytest.raises(UsageError, match=r"no backbone named 'vit_smal_patch16_dinov3'. Did you mean"):
        build("eomt", classes=2, encoder="vit_smal_patch16_dinov3")
    with pytest.raises(ModelError, match="blocks is 1 to 6, the depth of 'test_vit', not 7"):
        small("eomt", blocks=7)
