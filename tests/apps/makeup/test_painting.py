"""Jobs of make-up: photos and clips in, the same with a make-up out, and a record of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faces_drawn import DrawnFace, drawn_face, drawn_points
from jobs_made import files, job
from numpy.typing import NDArray
from PIL import Image

from intarsia.apps.makeup.look import Look
from intarsia.apps.makeup.painting import MADE_UP, MEDIA, MakeUp
from intarsia.bundle import Description
from intarsia.errors import NothingFound
from intarsia.jobs import JobResult
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing

LIPS = Look(lips="#b0123b", strength=1)


class Known:
    """Finds the faces that were drawn where the picture is no plain ground."""

    def __init__(self, *faces: DrawnFace) -> None:
        self.faces, self.calls = list(faces) or [drawn_points()], [""]

    def find(self, image: NDArray[np.uint8]) -> list[DrawnFace]:
        self.calls.append("find")
        return self.faces if image.std() > 10 else []

    def track(self, image: NDArray[np.uint8], before: Any) -> list[DrawnFace]:
        self.calls.append("track")
        return self.faces if image.std() > 10 else []


def makeup(look: Look = LIPS, *faces: DrawnFace) -> MakeUp:
    model = Description(
        space=LabelSpace(("rest", "face")), preprocessing=Preprocessing(), architecture="mesh", options={}
    )
    hair = (lambda image, face: np.zeros(image.shape[:2], np.float32)) if look.hair else None
    return MakeUp(look, Known(*faces), hair, [model])


def run(sources: Any, out: Any, made: MakeUp | None = None, **options: Any) -> JobResult:
    return job(made or makeup(), sources, out, outputs=(MADE_UP,), media=MEDIA, **options)


def photo(path: Path, picture: NDArray[np.uint8] | None = None, **said: Any) -> Path:
    Image.fromarray(drawn_face() if picture is None else picture).save(path, **said)
    return path


def test_a_png_keeps_what_is_not_painted_to_the_bit(tmp_path: Path) -> None:
    result = run(photo(tmp_path / "a.png"), tmp_path / "out")
    assert result.exit_code == 0
    assert files(tmp_path / "out") == ["a.makeup.png", "manifest.jsonl"]
    written = np.asarray(Image.open(tmp_path / "out" / "a.makeup.png"))
    changed = (written != drawn_face()).any(axis=2)
    rows, columns = np.nonzero(changed)
    lips = drawn_points().points[[61, 291, 0, 17], :2]
    assert columns.min() >= lips[:, 0].min() - 4
    assert columns.max() <= lips[:, 0].max() + 4
    assert rows.min() >= lips[:, 1].min() - 4
    (record,) = result.records
    assert record["details"] == {"faces": 1}
    assert set(record["areas"]) == {"untouched", "lips"}
    assert record["settings"] == {"lips": "#b0123b", "strength": 1}
    assert record["size"] == [320, 400]


def test_names_follow_the_source_or_what_was_said(tmp_path: Path) -> None:
    run(photo(tmp_path / "a.jpg"), tmp_path / "out")
    assert (tmp_path / "out" / "a.makeup.jpg").exists()
    run(tmp_path / "a.jpg", tmp_path / "mine.png")
    assert Image.open(tmp_path / "mine.png").size == (320, 400)


def test_no_face_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    photo(tmp_path / "blank.png", np.full((60, 80, 3), 128, dtype=np.uint8))
    result = run(tmp_path / "blank.png", tmp_path / "out")
    assert result.exit_code == 1
    (reason,) = result.failures.values()
    assert "no face was found" in reason
    assert files(tmp_path / "out") == ["manifest.jsonl"]
    photo(tmp_path / "a.png")
    both = run([tmp_path / "blank.png", tmp_path / "a.png"], tmp_path / "both")
    assert both.exit_code == 1
    assert len(both.done) == 1


def test_a_file_that_is_no_picture_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    assert run(tmp_path / "a.png", tmp_path / "out").exit_code == 3


def test_a_profile_is_said_and_left_alone_beside_others(tmp_path: Path) -> None:
    side = drawn_points((120, 150), 40).points.copy()
    side[234] = side[168] - np.array([3, 0, 0])
    photo(tmp_path / "a.png")
    alone = run(tmp_path / "a.png", tmp_path / "alone", makeup(LIPS, DrawnFace(side)))
    assert "seen from the side" in next(iter(alone.failures.values()))
    assert alone.exit_code == 1
    beside = run(tmp_path / "a.png", tmp_path / "both", makeup(LIPS, drawn_points(), DrawnFace(side)))
    assert beside.records[0]["notes"] == ["1 face left as it is: it is seen from the side"]


def test_what_is_not_found_is_said_and_never_a_silent_copy(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    bald = run(tmp_path / "a.png", tmp_path / "bald", makeup(Look(hair="red")))
    assert bald.exit_code == 1
    assert "not found on its face: hair" in next(iter(bald.failures.values()))
    both = run(tmp_path / "a.png", tmp_path / "both", makeup(Look(hair="red", lips="red")))
    assert both.records[0]["notes"] == ["not found on a face: hair"]


def test_jobs_continue_and_other_looks_are_told_apart(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "out")
    assert len(run(tmp_path / "a.png", tmp_path / "out").skipped) == 1
    with pytest.raises(Exception, match="made with lips #b0123b instead of blue"):
        run(tmp_path / "a.png", tmp_path / "out", makeup(Look(lips="blue", strength=1)))


def test_no_strength_writes_the_very_pixels(tmp_path: Path) -> None:
    everything = Look(lips="red", skin="smooth", eyes="blue", brows="black", hair="green", strength=0)
    run(photo(tmp_path / "a.png"), tmp_path / "out", makeup(everything))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a.makeup.png")), drawn_face())


def test_transparency_and_exif_are_kept(tmp_path: Path) -> None:
    said = Image.Exif()
    said[0x0112], said[0x010F] = 1, "A camera"
    rgba = np.dstack([drawn_face(), np.full((400, 320), 77, dtype=np.uint8)])
    run(photo(tmp_path / "a.png", rgba, exif=said.tobytes()), tmp_path / "out")
    written = Image.open(tmp_path / "out" / "a.makeup.png")
    assert written.mode == "RGBA"
    assert (np.asarray(written)[..., 3] == 77).all()
    assert written.getexif()[0x010F] == "A camera"


def test_python_paints_arrays() -> None:
    before = drawn_face()
    after, layers = makeup().paint(before)
    assert np.array_equal(before, drawn_face())
    assert not np.array_equal(after, before)
    assert [layer.name for layer in layers[0]] == ["lips"]
    with pytest.raises(NothingFound, match="no face"):
        makeup().paint(np.zeros((40, 40, 3), dtype=np.uint8))


def test_clips_keep_their_times_and_sound(tmp_path: Path) -> None:
    pytest.importorskip("av")
    import av
    from filmed import write_clip

    from intarsia.media.video import open_video

    blank = np.full((400, 320, 3), 128, dtype=np.uint8)
    times = [0, 40, 90, 200, 240]
    write_clip(tmp_path / "a.mp4", [drawn_face()] * 3 + [blank] * 2, times=times, sound=True)
    result = run(tmp_path / "a.mp4", tmp_path / "out")
    (record,) = result.records
    assert record["status"] == "done"
    assert record["details"]["frames"] == 5
    assert any(
        note.startswith("left as it is: no face was found") and "2 of 5 frames" in note for note in record["notes"]
    )
    written = open_video(tmp_path / "out" / "a.makeup.mp4")
    assert [round(float(frame.pts * written.time_base) * 1000) for frame in written] == times
    frame = next(iter(written)).image
    x, y = drawn_points().points[17, :2].astype(int)
    assert int(frame[y - 8, x, 0]) - int(frame[y - 8, x, 1]) > 100
    with av.open(str(tmp_path / "out" / "a.makeup.mp4")) as container:
        assert len(container.streams.audio) == 1


def test_a_clip_without_a_face_is_said(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from filmed import write_clip

    write_clip(tmp_path / "a.mp4", [np.full((64, 64, 3), 128, dtype=np.uint8)] * 3)
    result = run(tmp_path / "a.mp4", tmp_path / "out")
    assert result.exit_code == 1
    assert files(tmp_path / "out") == ["manifest.jsonl"]


def test_faces_of_clips_are_followed_and_new_ones_looked_for() -> None:
    made = makeup()
    list(made.filming().stream([drawn_face()] * 17))
    assert made.finder.calls[1:] == ["find", *["track"] * 14, "find", "track"]  # type: ignore[attr-defined]
