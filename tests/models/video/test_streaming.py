"""The invariants of the streaming contract, for every way to segment video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from moving import KnownFlow, smooth_frames
from torch import Tensor

from intarsia.errors import DataError, ModelError, UsageError
from intarsia.models import SegmentationModel, build
from intarsia.models.video import (
    Always,
    Budget,
    Deviation,
    FixedRate,
    FlowWarp,
    Halves,
    LearnedDeviation,
    NetWarp,
    Policy,
    RecurrentHead,
    ScoreChange,
    SpatiallyVariant,
    State,
    StepResult,
    TemporalSmoother,
    Updated,
    VideoSegmenter,
    VirtualClock,
    Whole,
    Worker,
    load_state,
    on_video,
    part_gmacs,
    save_state,
    state_bytes,
    step_gmacs,
)

Make = Callable[[SegmentationModel], VideoSegmenter]


def stirred(module: torch.nn.Module) -> torch.nn.Module:
    """Weights that do something: most modules of video start as the identity."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return module.eval()


def low_latency(image: SegmentationModel, **options: object) -> VideoSegmenter:
    parts = Halves(image)
    early = parts.encoder().channels[8]
    propagation = SpatiallyVariant(early=early, channels=parts.channels, width=8, kernel=3)
    deviation = Deviation(early=early, width=8)
    stirred(propagation), stirred(deviation)
    policy = LearnedDeviation(0.05, max_gap=4)
    return VideoSegmenter(parts, propagation=propagation, deviation=deviation, policy=policy, **options)  # type: ignore[arg-type]


def accel(image: SegmentationModel) -> VideoSegmenter:
    torch.manual_seed(2)
    small = build("lraspp", classes=3, encoder="test_resnet", channels=8).eval()
    parts = Updated(image, small, classes=3)
    stirred(parts.fusion)
    return VideoSegmenter(parts, propagation=FlowWarp(), policy=FixedRate(3))


WAYS: dict[str, Make] = {
    "every frame": on_video,
    "smoothed": lambda image: on_video(image, smooth=0.5),
    "clockwork, fixed": lambda image: on_video(image, "clockwork", policy=FixedRate(3, 1)),
    "clockwork, adaptive": lambda image: on_video(image, "clockwork", policy=ScoreChange(0.02, max_gap=4)),
    "clockwork, pipeline": lambda image: on_video(image, "clockwork", clock=VirtualClock(1)),
    "feature flow": lambda image: on_video(image, "flow", policy=FixedRate(4)),
    "feature flow, budget": lambda image: on_video(image, "flow", policy=Budget(0.4, max_gap=5)),
    "feature flow, deferred": lambda image: on_video(image, "flow", policy=FixedRate(3), clock=VirtualClock(2)),
    "flow of features, smoothed": lambda image: on_video(image, "flow-features", policy=FixedRate(3), smooth=0.3),
    "accel": accel,
    "low latency": lambda image: low_latency(image, clock=VirtualClock(2)),
    "netwarp": lambda image: VideoSegmenter(Halves(image), mixer=stirred(NetWarp(16))),  # type: ignore[arg-type]
    "lstm": lambda image: VideoSegmenter(Halves(image), mixer=stirred(RecurrentHead(16, hidden=4))),  # type: ignore[arg-type]
    "gru on ticks": lambda image: VideoSegmenter(
        Halves(image), mixer=stirred(RecurrentHead(16, hidden=4, cell="gru")), policy=FixedRate(2)  # type: ignore[arg-type]
    ),
}  # fmt: skip


@pytest.fixture(params=WAYS)
def model(request: pytest.FixtureRequest, image_model: SegmentationModel) -> VideoSegmenter:
    return WAYS[request.param](image_model).eval()


@torch.inference_mode()
def run(model: VideoSegmenter, frames: list[Tensor], state: State | None = None) -> tuple[list[StepResult], State]:
    state = state or {}
    results = []
    for frame in frames:
        result, state = model.step(frame, state)
        results.append(result)
    return results, state


def equal(first: list[StepResult], second: list[StepResult]) -> bool:
    return all(
        torch.equal(a.logits, b.logits) and (a.key, a.age, a.tick, a.ran) == (b.key, b.age, b.tick, b.ran)
        for a, b in zip(first, second, strict=True)
    )


# --- what holds for every way -----------------------------------------------------------------------------------------


def test_a_clip_is_its_steps_and_a_stream_is_too(model: VideoSegmenter) -> None:
    frames = smooth_frames(7)
    steps, _ = run(model, frames)
    with torch.inference_mode():
        clip, _ = model.clip(torch.stack(frames))
    assert equal(steps, clip) and equal(steps, list(model.stream(iter(frames))))


def test_two_interleaved_streams_do_not_touch(model: VideoSegmenter) -> None:
    first, second = smooth_frames(6), smooth_frames(6, shift=-3, seed=4)
    alone = run(model, first)[0], run(model, second)[0]
    states: list[State] = [{}, {}]
    mixed: tuple[list[StepResult], list[StepResult]] = ([], [])
    with torch.inference_mode():
        for pair in zip(first, second, strict=True):
            for index, frame in enumerate(pair):
                result, states[index] = model.step(frame, states[index])
                mixed[index].append(result)
    assert equal(alone[0], mixed[0]) and equal(alone[1], mixed[1])


def test_a_saved_state_resumes_exactly(model: VideoSegmenter, tmp_path: Path) -> None:
    frames = smooth_frames(8)
    whole, _ = run(model, frames)
    head, state = run(model, frames[:3])
    assert all(isinstance(value, Tensor | int) for value in state.values())
    save_state(tmp_path / "stream.safetensors", state)
    tail, _ = run(model, frames[3:], load_state(tmp_path / "stream.safetensors"))
    assert equal(whole, head + tail)


def test_a_step_changes_neither_its_state_nor_its_frame(model: VideoSegmenter) -> None:
    frames = smooth_frames(5)
    _, state = run(model, frames[:4])
    before = {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}
    frame = frames[4].clone()
    with torch.inference_mode():
        model.step(frames[4], state)
    assert torch.equal(frame, frames[4]) and before.keys() == state.keys()
    for name, value in before.items():
        assert torch.equal(value, state[name]) if isinstance(value, Tensor) else value == state[name]  # type: ignore[arg-type]


def test_later_frames_do_not_change_earlier_results(model: VideoSegmenter) -> None:
    frames = smooth_frames(6)
    changed = [*frames[:4], *smooth_frames(2, seed=9)]
    assert equal(run(model, frames)[0][:4], run(model, changed)[0][:4])


def test_the_state_does_not_grow(model: VideoSegmenter) -> None:
    frames = smooth_frames(16)
    state: State = {}
    sizes = []
    with torch.inference_mode():
        for frame in frames:
            _, state = model.step(frame, state)
            sizes.append(state_bytes(state))
    assert max(sizes[8:]) <= max(sizes[:8])


def test_another_picture_size_begins_anew(model: VideoSegmenter) -> None:
    other = smooth_frames(3, size=(48, 96))
    results, _ = run(model, smooth_frames(3) + other)
    assert [result.cut for result in results] == [False, False, False, True, False, False]
    assert results[3].key and results[3].age == 0
    fresh = run(model, other)[0]
    if not isinstance(model.policy, Budget):  # whose threshold lives on
        assert all(torch.equal(a.logits, b.logits) for a, b in zip(results[3:], fresh, strict=True))


def test_another_shot_begins_anew(model: VideoSegmenter) -> None:
    other = [-frame.flip(2) for frame in smooth_frames(2, seed=5)]
    results, _ = run(model, smooth_frames(3) + other)
    assert [result.cut for result in results] == [False, False, False, True, False]
    assert torch.equal(results[3].logits, run(model, other[:1])[0][0].logits)


def test_a_still_picture_keeps_its_result(model: VideoSegmenter) -> None:
    frame = smooth_frames(1)[0]
    model.flow = KnownFlow()
    results, _ = run(model, [frame] * 6)
    if model.mixer is None and not isinstance(model.parts, Updated):
        labels = [result.logits.argmax(1) for result in results if result.key or model.propagation.uses_flow]
        assert all(torch.equal(label, labels[0]) for label in labels)
    if isinstance(model.policy, ScoreChange | LearnedDeviation | Budget):
        gap = model.policy.max_gap
        assert [index for index, result in enumerate(results) if result.tick] == [0, *([gap] if gap < 6 else [])]


def test_a_batch_of_one_picture_is_the_image_model(model: VideoSegmenter, image_model: SegmentationModel) -> None:
    frame = smooth_frames(1)[0]
    first, _ = run(model, [frame])
    assert torch.equal(first[0].logits, model.logits(frame)) or model.smoother is not None
    if model.mixer is None:
        assert torch.equal(model.logits(frame), image_model.logits(frame))


def test_forced_keys(model: VideoSegmenter) -> None:
    frames = smooth_frames(4)
    with torch.inference_mode():
        state: State = {}
        for frame in frames:
            result, state = model.step(frame, state, force_key=True)
            assert result.key and result.age == 0


# --- schedules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["every-frame", "clockwork", "flow", "flow-features"])
def test_every_frame_is_the_image_model_bit_for_bit(image_model: SegmentationModel, method: str) -> None:
    frames = smooth_frames(4)
    results, _ = run(on_video(image_model, method, policy=Always()), frames)
    for frame, result in zip(frames, results, strict=True):
        assert torch.equal(result.logits, image_model.logits(frame))
        assert result.key and result.age == 0 and "flow" not in result.ran


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (FixedRate(3), [0, 1, 2, 0, 1, 2, 0]),
        (FixedRate(3, 2), [0, 1, 0, 1, 2, 0, 1]),
        (FixedRate(1), [0, 0, 0, 0, 0, 0, 0]),
        (ScoreChange(9.0, max_gap=2), [0, 1, 0, 1, 0, 1, 0]),
        (ScoreChange(0.0), [0, 0, 0, 0, 0, 0, 0]),
        (FixedRate(5, max_gap=3), [0, 1, 2, 0, 1, 2, 0]),
        (Budget(1.0), [0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_ages(image_model: SegmentationModel, policy: Policy, expected: list[int]) -> None:
    results, _ = run(on_video(image_model, "clockwork", policy=policy), smooth_frames(7))
    assert [result.age for result in results] == expected
    assert [result.key for result in results] == [age == 0 for age in expected]


def test_a_pipeline_joins_the_last_frames_depth_with_this_frames_detail(image_model: SegmentationModel) -> None:
    frames = smooth_frames(4)
    parts = Halves(image_model)
    results, _ = run(on_video(image_model, "clockwork", clock=VirtualClock(1)), frames)
    with torch.inference_mode():
        lows = [parts.cheap(frame) for frame in frames]
        for index in range(1, 4):
            expected = parts.join(lows[index], parts.deep(lows[index - 1]), fresh=False)
            assert torch.equal(results[index].logits, expected)
    assert [result.age for result in results] == [0, 1, 1, 1]


def test_a_deferred_result_is_moved_along_to_the_frame_where_it_is_used(image_model: SegmentationModel) -> None:
    model = on_video(image_model, "flow", policy=FixedRate(4), clock=VirtualClock(2))
    model.flow = KnownFlow(x=4.0)
    frames = smooth_frames(8)
    results, _ = run(model, frames)
    assert [result.age for result in results] == [0, 1, 2, 3, 4, 5, 2, 3]
    assert [result.tick for result in results] == [True, False, False, False, True, False, False, False]
    assert [index for index, result in enumerate(results) if "deep" in result.ran] == [0, 6]
    scores = image_model.logits(frames[4])
    stride = frames[0].shape[3] // scores.shape[3]
    shift = 2 * 4 // stride  # two frames of four pixels each
    assert torch.allclose(results[6].logits[..., :-shift], scores[..., shift:], atol=1e-4)


def test_a_worker_gives_what_the_image_model_gives_and_leaks_nothing(image_model: SegmentationModel) -> None:
    worker = Worker()
    model = on_video(image_model, "clockwork", policy=Always(), clock=worker)
    state: State = {}
    results = []
    with torch.inference_mode():
        for frame in smooth_frames(20):
            result, state = model.step(frame, state)
            results.append(result)
            if worker._jobs:
                next(iter(worker._jobs.values())).result()
    assert [result.age for result in results] == [0] + [1] * 19  # as a pipeline, because it was waited for
    assert len(worker._jobs) == 1
    expected, _ = run(on_video(image_model, "clockwork", clock=VirtualClock(1)), smooth_frames(20))
    assert all(torch.equal(a.logits, b.logits) for a, b in zip(results, expected, strict=True))
    elsewhere = on_video(image_model, "clockwork", policy=Always(), clock=Worker())
    with torch.inference_mode():
        resumed, _ = elsewhere.step(smooth_frames(20)[-1], state)
    assert resumed.age == 1, "a state from elsewhere: its job is done again"
    with torch.inference_mode():
        model.step(smooth_frames(1, size=(48, 96))[0], state)
    assert not worker._jobs, "a stream that begins anew drops its job"
    worker.close()


def test_a_training_clip_is_one_shot_with_one_key_frame_and_leaves_the_schedule(image_model: SegmentationModel) -> None:
    model = low_latency(image_model, clock=VirtualClock(1))
    schedule = model.policy, model.clock, model.scenes
    clip = torch.stack([*smooth_frames(2), smooth_frames(1, seed=7)[0]])  # a cut, were it not for training
    (output,) = model.supervised(clip)
    assert output.logits.shape == (3, 3, 64, 80)
    assert (model.policy, model.clock, model.scenes) == schedule
    key = image_model(clip[0])
    assert torch.allclose(output.logits[:1], key, atol=1e-5)
    assert not torch.allclose(output.logits[2:], image_model(clip[2]), atol=1e-2), "carried, not computed anew"


# --- parts and methods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "stages"),
    [
        ("deeplabv3plus", {"encoder": "test_efficientnet", "channels": 16}, (4, 8, 16)),
        ("deeplabv3", {"encoder": "test_resnet", "channels": 16, "output_stride": 8}, (2, 4, 8, 16)),
        ("ksac", {"encoder": "test_resnet", "channels": 16}, (4, 8)),
        ("fcn", {"encoder": "test_resnet"}, (2, 4, 8, 16)),
        ("lraspp", {"channels": 16}, (8, 16)),
        ("fcn8s", {"base": 4, "width": 32, "padding": 1}, (16,)),
        ("fcn8s", {"base": 4, "width": 32, "padding": 100}, (16,)),
        ("fcn32s", {"base": 4, "width": 32, "padding": 1}, (2, 8, 16)),
    ],
)
def test_two_parts_are_the_whole_bit_for_bit(name: str, options: dict[str, object], stages: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    image = build(name, classes=3, **options).eval()
    for size in [(64, 64), (65, 43)]:
        frame = torch.rand(2, 3, *size).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            for stage in stages:
                parts = Halves(image, stage)
                low = parts.cheap(frame)
                assert torch.equal(parts.join(low, parts.deep(low), fresh=True), image.logits(frame))


def test_models_that_cannot_be_split_say_so() -> None:
    with pytest.raises(ModelError, match="UNet does not expose its stages"):
        Halves(build("unet", classes=3, encoder="test_resnet"))
    with pytest.raises(ModelError, match="has no features at stride 5"):
        Halves(build("deeplabv3plus", classes=3, encoder="test_resnet"), 5)
    with pytest.raises(ModelError, match="stage 32 is the whole encoder"):
        Halves(build("deeplabv3plus", classes=3, encoder="test_resnet"), 32)
    with pytest.raises(ModelError, match="also need stage 4"):
        Halves(build("deeplabv3plus", classes=3, encoder="test_resnet"), 2)
    with pytest.raises(UsageError, match="Did you mean 'clockwork'"):
        on_video(build("deeplabv3plus", classes=3, encoder="test_resnet"), "clockwrok")


def test_early_labels_of_fcn_are_those_of_its_pool4_scores() -> None:
    torch.manual_seed(0)
    image = build("fcn8s", classes=3, base=4, width=32, padding=1).eval()
    for parameter in image.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    parts = Halves(image, 16)
    low = parts.cheap(torch.rand(1, 3, 64, 64))
    early = parts.early(low)
    assert early.dtype == torch.int64 and early.shape == (1, 4, 4)
    assert torch.equal(early, image.score["16"](low[16]).argmax(1))  # type: ignore[index, operator]


def test_macs_of_the_parts_add_up_to_the_profilers(image_model: SegmentationModel) -> None:
    from intarsia.models.cost import gmacs

    size = (64, 96)
    for model in (on_video(image_model), on_video(image_model, "clockwork")):
        parts = part_gmacs(model, size)
        assert step_gmacs(("cheap", "deep", "join"), parts) == pytest.approx(gmacs(image_model, size))
    held = on_video(image_model, "clockwork", policy=FixedRate(2))
    parts = part_gmacs(held, size)
    assert 0 < step_gmacs(("cheap", "carry", "join"), parts) < gmacs(image_model, size)
    assert part_gmacs(low_latency(image_model), size)["deviation"] > 0
    assert part_gmacs(accel(image_model), size)["cheap"] > 0


def test_contradictions_are_refused(image_model: SegmentationModel) -> None:
    with pytest.raises(UsageError, match="NetWarp joins each frame with the one before it"):
        VideoSegmenter(Whole(image_model), mixer=NetWarp(3), policy=FixedRate(2))
    model = on_video(image_model, "flow", policy=LearnedDeviation(0.1))
    with pytest.raises(UsageError, match="no learned deviation"):
        run(model, smooth_frames(2))
    with pytest.raises(UsageError, match="delay is a number of frames"):
        VirtualClock(0)
    for wrong in ({"strength": 1.0}, {"tolerance": 0.0}):
        with pytest.raises(UsageError, match="strength is from 0 to below 1"):
            TemporalSmoother(**wrong)


def test_a_file_that_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"junk")
    with pytest.raises(DataError, match="not a stream's saved state"):
        load_state(tmp_path / "state")
