"""Video in, labels out: the predictor on frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")

from filmed import moving_squares, write_clip  # noqa: E402
from tiny import TinyRun  # noqa: E402

import intarsia  # noqa: E402
from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.inference import Predictor, VideoPredictor  # noqa: E402
from intarsia.media.video import open_video  # noqa: E402


@pytest.fixture(scope="module")
def predictor(tiny_run: TinyRun) -> Predictor:
    return intarsia.load(tiny_run.run.best)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "drive.mp4", moving_squares(12), sound=True)


def test_every_frame_is_segmented_as_a_picture(predictor: Predictor, clip: Path) -> None:
    results = list(VideoPredictor(predictor).stream(open_video(clip)))
    assert len(results) == 12 and all(result.key and result.age == 0 for result in results)
    for result in results[::5]:
        alone = predictor.segment(result.frame.image)
        assert np.array_equal(result.segmentation.labels, alone.labels)
        assert result.segmentation.image is result.frame.image


def test_a_video_is_a_source_like_any_other(predictor: Predictor, clip: Path) -> None:
    found = predictor.segment(clip)
    first = next(found)
    assert (first.height, first.width) == (48, 64)
    assert len(list(found)) == 11
    with pytest.raises(DataError, match=r"nowhere\.mp4: no such file"):
        predictor.segment("nowhere.mp4")


def test_frames_that_depend_on_others_are_not_shared(predictor: Predictor, clip: Path) -> None:
    source = open_video(clip)
    assert VideoPredictor(predictor).extent(source) == source.span is not None  # type: ignore[arg-type, attr-defined]
    for schedule in ({"every": 4}, {"smooth": 0.5}, {"every": 1, "delay": 2}):
        assert VideoPredictor(predictor, **schedule).extent(source) is None  # type: ignore[arg-type]


def test_many_streams_on_one_model(predictor: Predictor) -> None:
    model = VideoPredictor(predictor, method="flow", every=3)
    clips = moving_squares(5), [frame[:, ::-1] for frame in moving_squares(5)]
    alone = [[result.segmentation.labels for result in model.stream(frames)] for frames in clips]
    states: list[dict] = [{}, {}]
    for step, pair in enumerate(zip(*clips, strict=True)):
        for index, frame in enumerate(pair):
            result, states[index] = model.step(np.ascontiguousarray(frame), states[index])
            assert np.array_equal(result.segmentation.labels, alone[index][step])


@pytest.mark.parametrize(
    ("option", "value"),
    [("tta", True), ("refine", "guided"), ("confidence", True), ("tile", 256), ("window", (0.0, 1.0))],
)
def test_options_that_mean_nothing_to_video_are_refused(
    predictor: Predictor, clip: Path, option: str, value: object
) -> None:
    """As the shell does; no option is ignored without a word."""
    chosen = Predictor(predictor.bundle, **{option: value})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=rf"{option} is for .*, not for videos"):
        chosen.segment(clip)
    with pytest.raises(UsageError, match=rf"{option} is for"):
        VideoPredictor(chosen)
