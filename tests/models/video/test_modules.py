"""Propagations, mixers, the smoother and the calibration: what each computes, by values."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from moving import KnownFlow, smooth_frames
from torch import Tensor

from intarsia.errors import DataError, ModelError, UsageError
from intarsia.models import SegmentationModel, architecture, architectures_by_medium, build
from intarsia.models.video import (
    Deviation,
    FixedRate,
    Halves,
    LearnedDeviation,
    NetWarp,
    RecurrentHead,
    ScoreChange,
    SpatiallyVariant,
    TemporalSmoother,
    Updated,
    VideoSegmenter,
    calibrate,
    on_video,
    scheduled,
    spatially_variant,
    tick_ratio,
)
from intarsia.models.video.propagation import feature_change

# --- spatially variant kernels ----------------------------------------------------------------------------------------


def delta(index: int, side: int, height: int, width: int) -> Tensor:
    kernels = torch.zeros(1, side * side, height, width)
    kernels[:, index] = 1
    return kernels


def test_a_delta_kernel_is_the_identity_and_a_shifted_one_a_shift() -> None:
    x = torch.rand(1, 3, 6, 7)
    assert torch.equal(spatially_variant(x, delta(4, 3, 6, 7)), x)
    right_below = spatially_variant(x, delta(8, 3, 6, 7))  # row + 1, column + 1
    assert torch.equal(right_below[:, :, :-1, :-1], x[:, :, 1:, 1:])
    assert float(right_below[:, :, -1].abs().max()) == float(right_below[..., -1].abs().max()) == 0


@given(st.sampled_from([1, 3, 5]), st.integers(1, 7), st.integers(1, 7), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_shifts_sum_to_what_unfolding_gives(side: int, height: int, width: int, seed: int) -> None:
    torch.manual_seed(seed)
    x, kernels = torch.rand(2, 3, height, width), torch.rand(2, side * side, height, width)
    windows = torch.nn.functional.unfold(x, side, padding=side // 2).view(2, 3, side * side, height, width)
    expected = (windows * kernels[:, None]).sum(2)
    assert torch.allclose(spatially_variant(x, kernels), expected, atol=1e-5)


def test_spatially_variant_has_the_right_gradients() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    kernels = torch.rand(1, 9, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(spatially_variant, (x, kernels))


def test_a_new_propagation_leaves_the_deep_result_almost_as_it_is() -> None:
    module = SpatiallyVariant(early=5, channels=3, width=4).eval()
    low = {0: torch.rand(1, 3, 32, 32), 8: torch.rand(1, 5, 4, 4)}
    flat = torch.full((1, 3, 9, 9), 2.0)
    with torch.no_grad():
        carried = module.carry(flat, {"early": torch.rand(1, 5, 4, 4)}, low)
    assert carried[0, 0, 4, 4] == pytest.approx(2.0)
    assert torch.allclose(carried, flat, atol=2 * 0.03)


def test_no_difference_means_no_deviation() -> None:
    torch.manual_seed(0)
    module = Deviation(early=4, width=8)
    maps = torch.rand(2, 4, 5, 6)
    assert torch.equal(module(maps, maps), torch.zeros(2))
    assert module(maps, torch.rand(2, 4, 5, 6)).abs().min() > 0


def test_changes_of_features_and_of_labels() -> None:
    assert feature_change(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1, 2], [0, 0]])) == 0.5
    right, up = torch.tensor([1.0, 0])[None, :, None, None], torch.tensor([0, 2.0])[None, :, None, None]
    assert feature_change(right, up) == pytest.approx(1) and feature_change(right, -right) == pytest.approx(2)
    assert feature_change(right, right) == 0


# --- mixers -----------------------------------------------------------------------------------------------------------


def test_netwarp_starts_as_the_image_model(image_model: SegmentationModel) -> None:
    model = VideoSegmenter(Halves(image_model), mixer=NetWarp(16)).eval()
    frames = smooth_frames(4)
    results, _ = model.clip(torch.stack(frames))
    for frame, result in zip(frames, results, strict=True):
        assert torch.equal(result.logits, image_model.logits(frame))
    assert isinstance(model.mixer, NetWarp) and model.mixer.contribution == 0


def test_netwarp_adds_the_raw_result_of_the_frame_before_where_the_flow_points() -> None:
    mixer = NetWarp(1).eval()
    with torch.no_grad():
        mixer.w1.fill_(0.25), mixer.w2.fill_(0.5)
    low = {0: torch.rand(1, 3, 16, 32)}
    flow = torch.tensor([8.0, 0])[None, :, None, None].expand(1, 2, 16, 32)  # 8 pixels of 32: one cell of 4
    first, memory = mixer(torch.tensor([[[[1.0, 2, 4, 8]]]]), {}, low, lambda: flow)
    assert first[0, 0, 0].tolist() == [1, 2, 4, 8]
    second, memory = mixer(torch.tensor([[[[16.0, 16, 16, 16]]]]), memory, low, lambda: flow)
    assert second[0, 0, 0].tolist() == [4 + 1, 4 + 2, 4 + 4, 4 + 4]
    third, _ = mixer(torch.zeros(1, 1, 1, 4), memory, low, lambda: flow)
    assert third[0, 0, 0].tolist() == [8, 8, 8, 8], "the raw result, 16, not the mixed one"


@pytest.mark.parametrize("cells", [None, (8, 10)])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_recurrent_head_starts_as_the_image_model_and_learns(
    image_model: SegmentationModel, cell: str, cells: tuple[int, int] | None
) -> None:
    torch.manual_seed(0)
    image_model = copy.deepcopy(image_model)  # it is frozen below
    parts = Halves(image_model)
    channels = parts.channels
    height, width = parts.deep(parts.cheap(smooth_frames(1)[0])).shape[2:]
    head = RecurrentHead(channels, hidden=4, cell=cell, cells=None if cells is None else (height, width))  # type: ignore[arg-type]
    model = VideoSegmenter(parts, mixer=head)
    model.freeze_base()
    clip = torch.stack(smooth_frames(3))
    results, _ = model.clip(clip)
    assert torch.equal(results[2].logits, image_model.logits(smooth_frames(3)[2]))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 0.02)
    target = torch.zeros(1, *results[2].logits.shape[2:], dtype=torch.long)
    losses = []
    for _ in range(6):
        loss = torch.nn.functional.cross_entropy(model.clip(clip)[0][2].logits, target)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] and all(p.grad is not None for p in head.parameters())
    assert all(parameter.grad is None for parameter in image_model.parameters())


def reference_lstm(x: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    gates = weight @ torch.cat([x, hidden]) + bias
    i, f, o, g = gates.chunk(4)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def test_per_cell_weights_are_an_lstm_of_its_own_at_each_cell() -> None:
    torch.manual_seed(0)
    head = RecurrentHead(3, hidden=2, cells=(2, 2))
    with torch.no_grad():
        head.gate.fill_(1.0)
        torch.nn.init.normal_(head.gates.bias)  # type: ignore[arg-type]
    xs = [torch.randn(1, 3, 2, 2) for _ in range(3)]
    memory: dict[str, Tensor] = {}
    hidden, cell = torch.zeros(2), torch.zeros(2)
    weight, bias = head.gates.weight[1, 0], head.gates.bias[:, 1, 0]  # type: ignore[index]
    for x in xs:
        _, memory = head(x, memory, {}, lambda: torch.empty(0))
        hidden, cell = reference_lstm(x[0, :, 1, 0], hidden, cell, weight, bias)  # type: ignore[arg-type]
    assert torch.allclose(memory["hidden"][0, :, 1, 0], hidden, atol=1e-6)
    with pytest.raises(ModelError, match="has weights for 2x2 cells, and the picture gives 3x3"):
        head(torch.rand(1, 3, 3, 3), {}, {}, lambda: torch.empty(0))


def test_a_gru_of_one_cell_is_torchs() -> None:
    torch.manual_seed(0)
    head = RecurrentHead(3, hidden=2, cell="gru", kernel=1)
    memory: dict[str, Tensor] = {}
    hidden = torch.zeros(2)
    gates, new = head.gates, head.candidate
    for _ in range(4):
        x = torch.randn(3)
        _, memory = head(x[None, :, None, None], memory, {}, lambda: torch.empty(0))
        pair = torch.cat([x, hidden])
        reset, update = (gates.weight[:, :, 0, 0] @ pair + gates.bias).sigmoid().chunk(2)  # type: ignore[index, operator]
        candidate = (new.weight[:, :, 0, 0] @ torch.cat([x, reset * hidden]) + new.bias).tanh()  # type: ignore[index, operator]
        hidden = (1 - update) * hidden + update * candidate
    assert torch.allclose(memory["hidden"][0, :, 0, 0], hidden, atol=1e-6)


def test_accel_starts_as_feature_flow_and_keys_are_the_large_networks(image_model: SegmentationModel) -> None:
    torch.manual_seed(0)
    update = build("lraspp", classes=3, encoder="test_resnet", channels=8).eval()
    from intarsia.models.video import FlowWarp

    model = VideoSegmenter(Updated(image_model, update, classes=3), propagation=FlowWarp(), policy=FixedRate(2)).eval()
    plain = on_video(image_model, "flow", policy=FixedRate(2))
    frames = torch.stack(smooth_frames(4))
    with torch.inference_mode():
        for ours, theirs in zip(model.clip(frames)[0], plain.clip(frames)[0], strict=True):
            assert torch.allclose(ours.logits, theirs.logits, atol=1e-4)


# --- smoothing --------------------------------------------------------------------------------------------------------


def test_the_smoother_averages_along_the_motion_and_lets_go_where_it_fails() -> None:
    smoother = TemporalSmoother(0.5, tolerance=0.1)
    frame = torch.zeros(1, 3, 1, 4)
    before = torch.tensor([[[[0.8, 0.8, 0.2, 0.2]], [[0.2, 0.2, 0.8, 0.8]]]])
    now = torch.full((1, 2, 1, 4), 0.5)
    _, memory = smoother(before.log(), {}, frame, lambda: torch.empty(0))
    changed = frame.clone()
    changed[..., 3] = 100.0  # something new appears here
    flow = torch.tensor([1.0, 0])[None, :, None, None].expand(1, 2, 1, 4)
    logits, _ = smoother(now.log(), memory, changed, lambda: flow)
    probabilities = logits.softmax(1)[0, 0, 0].tolist()
    assert probabilities == pytest.approx([(0.5 + 0.8) / 2, (0.5 + 0.2) / 2, (0.5 + 0.2) / 2, 0.5], abs=1e-5)


def test_no_smoothing_leaves_the_labels() -> None:
    logits = torch.randn(1, 4, 5, 6)
    smoother = TemporalSmoother(0.0)
    _, memory = smoother(torch.randn(1, 4, 5, 6), {}, torch.rand(1, 3, 10, 12), lambda: torch.empty(0))
    out, _ = smoother(logits, memory, torch.rand(1, 3, 10, 12), lambda: torch.rand(1, 2, 10, 12))
    assert torch.equal(out.argmax(1), logits.argmax(1))


# --- calibration ------------------------------------------------------------------------------------------------------


def uneven_frames() -> list[Tensor]:
    """Motion that speeds up and slows down, so that thresholds matter."""
    places = torch.cumsum(1.5 + torch.sin(torch.arange(24) / 3.0) * 1.4, 0)
    long = smooth_frames(1, size=(64, 220))[0]
    return [long[..., int(place) : int(place) + 80] for place in places]


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("method", ["clockwork", "flow"])
def test_calibration_reaches_the_wanted_share(image_model: SegmentationModel, method: str, ratio: float) -> None:
    frames = uneven_frames()
    model = on_video(image_model, method, policy=ScoreChange(1.0))
    model.flow = KnownFlow()  # so that whatever moves counts as change
    threshold = calibrate(model, frames, ratio)
    assert model.policy == ScoreChange(threshold)
    assert tick_ratio(model, frames) == pytest.approx(ratio, abs=0.1)


def test_what_cannot_be_calibrated(image_model: SegmentationModel) -> None:
    with pytest.raises(DataError, match="FixedRate has no threshold"):
        calibrate(on_video(image_model, policy=FixedRate(2)), smooth_frames(4), 0.5)
    with pytest.raises(DataError, match="2 frames is too short"):
        calibrate(on_video(image_model, policy=ScoreChange(1)), smooth_frames(2), 0.5)


# --- builders ---------------------------------------------------------------------------------------------------------

SMALL_IMAGE = {"encoder": "test_resnet", "channels": 16}


@pytest.mark.parametrize("name", sorted(architectures_by_medium()["video"]))
def test_every_video_architecture_builds_segments_and_restores(name: str) -> None:
    options = {"image_options": SMALL_IMAGE} | ({"update_options": SMALL_IMAGE} if name == "accel" else {})
    torch.manual_seed(0)
    model = build(name, classes=4, **options).eval()
    assert isinstance(model, VideoSegmenter) and "arXiv" in architecture(name).paper
    frames = torch.stack(smooth_frames(3))
    with torch.inference_mode():
        assert [tuple(result.logits.shape[:2]) for result in model.clip(frames)[0]] == [(1, 4)] * 3
        assert model(frames[0]).shape == (1, 4, 64, 80)
    again = build(name, classes=4, **options)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval().logits(frames[0]), model.logits(frames[0]))


def test_methods_of_a_user(image_model: SegmentationModel) -> None:
    assert isinstance(scheduled(image_model, every=3).policy, FixedRate)
    assert scheduled(image_model, every=3).propagation.uses_flow
    assert not scheduled(image_model, method="clockwork", every=3).propagation.uses_flow
    trained = build("netwarp", classes=3, image_options=SMALL_IMAGE)
    with pytest.raises(UsageError, match="made for video already"):
        scheduled(trained, method="flow")
    latency = build("low_latency", classes=3, image_options=SMALL_IMAGE)
    assert isinstance(scheduled(latency, threshold=0.1, learned=True).policy, LearnedDeviation)
    assert scheduled(latency).policy == latency.policy  # type: ignore[union-attr]
