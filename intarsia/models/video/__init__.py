"""Video: any image model on a stream of frames; see `VideoSegmenter` for the contract and `methods` for the papers."""

from intarsia.models.video.calibration import calibrate, tick_ratio
from intarsia.models.video.clock import Clock, VirtualClock, Worker
from intarsia.models.video.cost import part_gmacs, step_gmacs
from intarsia.models.video.flow import DISFlow, Flow, RAFTFlow, compose, flip_flow, resize_flow, warp
from intarsia.models.video.methods import METHODS, check_schedule, on_video, scheduled
from intarsia.models.video.mixers import Mixer, NetWarp, RecurrentHead
from intarsia.models.video.parts import Halves, Parts, Updated, Whole
from intarsia.models.video.policies import (
    Always,
    Budget,
    Decision,
    FixedRate,
    LearnedDeviation,
    Moment,
    Policy,
    ScoreChange,
    alternating,
    read_policy,
)
from intarsia.models.video.propagation import (
    Deviation,
    FlowWarp,
    Hold,
    Propagation,
    SpatiallyVariant,
    spatially_variant,
)
from intarsia.models.video.scenes import SceneCut
from intarsia.models.video.segmenter import StepResult, VideoSegmenter
from intarsia.models.video.smoothing import TemporalSmoother
from intarsia.models.video.state import State, load_state, save_state, state_bytes

__all__ = [
    "METHODS",
    "Always",
    "Budget",
    "Clock",
    "DISFlow",
    "Decision",
    "Deviation",
    "FixedRate",
    "Flow",
    "FlowWarp",
    "Halves",
    "Hold",
    "LearnedDeviation",
    "Mixer",
    "Moment",
    "NetWarp",
    "Parts",
    "Policy",
    "Propagation",
    "RAFTFlow",
    "RecurrentHead",
    "SceneCut",
    "ScoreChange",
    "SpatiallyVariant",
    "State",
    "StepResult",
    "TemporalSmoother",
    "Updated",
    "VideoSegmenter",
    "VirtualClock",
    "Whole",
    "Worker",
    "alternating",
    "calibrate",
    "check_schedule",
    "compose",
    "flip_flow",
    "load_state",
    "on_video",
    "part_gmacs",
    "read_policy",
    "resize_flow",
    "save_state",
    "scheduled",
    "spatially_variant",
    "state_bytes",
    "step_gmacs",
    "tick_ratio",
    "warp",
]
