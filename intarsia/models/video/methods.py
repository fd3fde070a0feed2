"""The published methods, each as a choice of parts, propagation, policy and mixer; builders by name for bundles."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from intarsia.errors import UsageError, suggest
from intarsia.models.contract import ImageModel, image_model
from intarsia.models.registry import build, register
from intarsia.models.video.clock import Clock, VirtualClock
from intarsia.models.video.flow import DISFlow, Preset
from intarsia.models.video.mixers import Cell, NetWarp, RecurrentHead
from intarsia.models.video.parts import Halves, Parts, Updated, Whole
from intarsia.models.video.policies import Policy, read_policy
from intarsia.models.video.propagation import Deviation, FlowWarp, Hold, Propagation, SpatiallyVariant
from intarsia.models.video.segmenter import VideoSegmenter
from intarsia.models.video.smoothing import TemporalSmoother

Method = Literal["every-frame", "clockwork", "flow", "flow-features"]
METHODS: tuple[Method, ...] = ("every-frame", "clockwork", "flow", "flow-features")


def on_video(
    image: ImageModel,
    method: str = "every-frame",
    *,
    stage: int = 8,
    policy: Policy | None = None,
    clock: Clock | None = None,
    smooth: float = 0.0,
    preset: Preset = "fast",
) -> VideoSegmenter:
    """An image model on video without training anything.

    Args:
        image: a trained image model.
        method: "every-frame"; "clockwork" (early layers on every frame, the last deep result held: Shelhamer et al.
            2016, arXiv:1608.03609); "flow" (key frames' scores moved along the optical flow: Zhu et al. 2017,
            arXiv:1611.07715); "flow-features" (clockwork whose deep result is moved along the flow).
        stage: the last stage that "clockwork" and "flow-features" run on every frame.
        policy: when the deep part runs; None: on every frame.
        clock: defers deep runs.
        smooth: strength of the temporal smoother; 0 is off.
        preset: of the flow.

    Raises:
        UsageError: no such method, or a number out of range.
        ModelError: the model cannot be split.
    """
    parts: Parts
    propagation: Propagation
    if method in ("every-frame", "flow"):
        parts, propagation = Whole(image), FlowWarp() if method == "flow" else Hold()
    elif method in ("clockwork", "flow-features"):
        parts, propagation = Halves(image, stage), FlowWarp() if method == "flow-features" else Hold()
    else:
        raise UsageError(f"no way to segment video is named {method!r}.{suggest(method, METHODS)}")
    return VideoSegmenter(
        parts,
        propagation=propagation,
        policy=policy,
        flow=DISFlow(preset),
        smoother=TemporalSmoother(smooth) if smooth else None,
        clock=clock,
    )


def check_schedule(options: Mapping[str, Any]) -> None:
    """Refuse what `scheduled` does not take.

    Raises:
        UsageError: no such option, or a value of the wrong kind.
    """
    known = [name for name in inspect.signature(scheduled).parameters if name != "model"]
    for name, value in options.items():
        if name not in known:
            raise UsageError(f"a schedule has no option {name!r}.{suggest(name, known)}")
        if name not in ("method", "preset") and not isinstance(value, int | float):
            raise UsageError(f"{name} is a number, not {value!r}")


def scheduled(
    model: ImageModel,
    *,
    method: str | None = None,
    stage: int = 8,
    every: int | None = None,
    threshold: float | None = None,
    ratio: float | None = None,
    learned: bool = False,
    max_gap: int = 0,
    delay: int = 0,
    smooth: float = 0.0,
    preset: Preset = "fast",
) -> VideoSegmenter:
    """A model on video as a user's options describe it.

    Args:
        model: an image model, or a video model, whose schedule is replaced if `every`, `threshold` or `ratio` is given.
        method: see `on_video`; None: a video model's own, "every-frame" for an image model without a schedule, and
            "flow" for one with a schedule.
        stage: see `on_video`.
        every: see `read_policy`, as the next four.
        threshold: of the change (or deviation) that makes the deep part run.
        ratio: share of frames on which it runs.
        learned: go by the learned deviation.
        max_gap: most frames between two deep runs.
        delay: frames after which a deep run's result is used; 0: at once.
        smooth: strength of the temporal smoother.
        preset: of the flow.

    Raises:
        UsageError: options that contradict each other.
    """
    policy = read_policy(every=every, threshold=threshold, ratio=ratio, learned=learned, max_gap=max_gap)
    clock = VirtualClock(delay) if delay else None
    has_schedule = (every, threshold, ratio) != (None, None, None)
    if isinstance(model, VideoSegmenter):
        if method is not None:
            raise UsageError(f"this model is made for video already; {method!r} is for image models")
        return VideoSegmenter(
            model.parts,
            propagation=model.propagation,
            policy=policy if has_schedule else model.policy,
            mixer=model.mixer,
            deviation=model.deviation,
            flow=model.flow,
            smoother=TemporalSmoother(smooth) if smooth else model.smoother,
            clock=clock if delay else model.clock,
            scenes=model.scenes,
        ).eval()
    if method is None:
        method = "flow" if has_schedule or delay else "every-frame"
    return on_video(model, method, stage=stage, policy=policy, clock=clock, smooth=smooth, preset=preset).eval()


def _image(architecture: str, options: Mapping[str, Any] | None, classes: int) -> ImageModel:
    return image_model(build(architecture, classes=classes, **(options or {})))


@register(
    paper="Shelhamer et al. 2016, Clockwork Convnets for Video Semantic Segmentation, arXiv:1608.03609", medium="video"
)
def clockwork(
    *,
    classes: int,
    image: str = "deeplabv3plus",
    image_options: Mapping[str, Any] | None = None,
    stage: int = 8,
    every: int | None = None,
    ratio: float | None = 0.5,
    max_gap: int = 15,
    delay: int = 0,
) -> ImageModel:
    """Clockwork: early layers on every frame, later ones when the early ones have changed.

    Args:
        classes: number of output channels.
        image: architecture of the image model.
        image_options: its options.
        stage: the last stage that runs on every frame.
        every: run the rest on every n-th frame instead of by change.
        ratio: share of frames on which the rest runs.
        max_gap: most frames between two runs.
        delay: 1 for the pipeline, in which the rest works on the frame before.
    """
    return VideoSegmenter(
        Halves(_image(image, image_options, classes), stage),
        policy=read_policy(every=every, ratio=None if every else ratio, max_gap=max_gap),
        clock=VirtualClock(delay) if delay else None,
    )


@register(paper="Zhu et al. 2017, Deep Feature Flow for Video Recognition, arXiv:1611.07715", medium="video")
def feature_flow(
    *,
    classes: int,
    image: str = "deeplabv3plus",
    image_options: Mapping[str, Any] | None = None,
    every: int = 5,
    preset: Preset = "fast",
) -> ImageModel:
    """Deep Feature Flow: scores of key frames, moved along the optical flow.

    The flow is DIS's, not a network's as in the paper, and moves scores instead of features.

    Args:
        classes: number of output channels.
        image: architecture of the image model.
        image_options: its options.
        every: frames from key frame to key frame.
        preset: of the flow, "ultrafast", "fast" or "medium".
    """
    return on_video(_image(image, image_options, classes), "flow", policy=read_policy(every=every), preset=preset)


@register(paper="Jain et al. 2019, Accel: A Corrective Fusion Network, arXiv:1807.06667", medium="video")
def accel(
    *,
    classes: int,
    image: str = "deeplabv3plus",
    image_options: Mapping[str, Any] | None = None,
    update: str = "deeplabv3plus",
    update_options: Mapping[str, Any] | None = None,
    every: int = 5,
    preset: Preset = "fast",
    train_image: bool = False,
) -> ImageModel:
    """Accel: scores of key frames moved along the flow, joined with those of a small network on every frame.

    Args:
        classes: number of output channels.
        image: architecture of the large network.
        image_options: its options.
        update: architecture of the small network.
        update_options: its options.
        every: frames from key frame to key frame.
        preset: of the flow.
        train_image: train the large network too.
    """
    small = _image(update, {"encoder": "efficientnet_lite0"} if update_options is None else update_options, classes)
    model = VideoSegmenter(
        Updated(_image(image, image_options, classes), small, classes=classes),
        propagation=FlowWarp(),
        policy=read_policy(every=every),
        flow=DISFlow(preset),
    )
    return _frozen(model, train_image)


@register(paper="Li et al. 2018, Low-Latency Video Semantic Segmentation, arXiv:1804.00389", medium="video")
def low_latency(
    *,
    classes: int,
    image: str = "deeplabv3plus",
    image_options: Mapping[str, Any] | None = None,
    stage: int = 8,
    width: int = 64,
    kernel: int = 9,
    ratio: float = 0.2,
    max_gap: int = 10,
    delay: int = 1,
    train_image: bool = False,
) -> ImageModel:
    """Low-latency: learned kernels move the deep result, a learned deviation calls for the next, which runs aside.

    Args:
        classes: number of output channels.
        image: architecture of the image model.
        image_options: its options.
        stage: the last stage that runs on every frame.
        width: channels of the predictors.
        kernel: side of the spatially variant kernels.
        ratio: share of frames on which the deep part runs.
        max_gap: most frames between two deep runs.
        delay: frames after which its result is used.
        train_image: train the image model too.
    """
    parts = Halves(_image(image, image_options, classes), stage)
    early = parts.encoder().channels[stage]
    model = VideoSegmenter(
        parts,
        propagation=SpatiallyVariant(early=early, channels=parts.channels, width=width, kernel=kernel),
        deviation=Deviation(early=early, width=width),
        policy=read_policy(ratio=ratio, learned=True, max_gap=max_gap),
        clock=VirtualClock(delay) if delay else None,
    )
    return _frozen(model, train_image)


@register(
    paper="Gadde et al. 2017, Semantic Video CNNs through Representation Warping, arXiv:1708.03088", medium="video"
)
def netwarp(
    *,
    classes: int,
    image: str = "deeplabv3plus",
    image_options: Mapping[str, Any] | None = None,
    stage: int = 8,
    preset: Preset = "fast",
    train_image: bool = False,
) -> ImageModel:
    """NetWarp: the frame before's features, moved along a corrected flow, added with a weight for each channel.

    Args:
        classes: number of output channels.
        image: architecture of the image model.
        image_options: its options.
        stage: where the image model is split; the features are those that leave its deep part.
        preset: of the flow.
        train_image: train the image model too.
    """
    parts = Halves(_image(image, image_options, classes), stage)
    return _frozen(VideoSegmenter(parts, mixer=NetWarp(parts.channels), flow=DISFlow(preset)), train_image)


@register(
    paper="Fayyaz et al. 2016, STFCN: Spatio-Temporal FCN for Semantic Video Segmentation, arXiv:1608.05971",
    medium="video",
)
def stfcn(
    *,
    classes: int,
    image: str = "deeplabv3plus",
    image_options: Mapping[str, Any] | None = None,
    stage: int = 8,
    hidden: int = 64,
    cell: Cell = "lstm",
    kernel: int = 3,
    cells: Sequence[int] | None = None,
    train_image: bool = False,
) -> ImageModel:
    """STFCN: an LSTM or GRU over time on the deepest features, through a gate that starts closed.

    Args:
        classes: number of output channels.
        image: architecture of the image model; ``fcn8s`` in the paper.
        image_options: its options.
        stage: where the image model is split; the features are those that leave its deep part.
        hidden: channels of the memory.
        cell: "lstm" or "gru".
        kernel: side of its convolutions.
        cells: rows and columns of the features for weights of their own at each cell, as in the paper.
        train_image: train the image model too.
    """
    parts = Halves(_image(image, image_options, classes), stage)
    fixed = None if cells is None else (int(cells[0]), int(cells[1]))
    head = RecurrentHead(parts.channels, hidden=hidden, cell=cell, kernel=kernel, cells=fixed)
    return _frozen(VideoSegmenter(parts, mixer=head), train_image)


def _frozen(model: VideoSegmenter, train_image: bool) -> VideoSegmenter:
    if not train_image:
        model.freeze_base()
    return model
