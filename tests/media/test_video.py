"""Reading and writing video: values for good files, messages and counts for bad ones."""

from __future__ import annotations

import resource
import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

av = pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")

from filmed import moving_squares, square_at, write_clip  # noqa: E402

from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.media import videowriter  # noqa: E402
from intarsia.media.images import write_image  # noqa: E402
from intarsia.media.newest import Newest  # noqa: E402
from intarsia.media.sequence import PictureSequence  # noqa: E402
from intarsia.media.video import VideoFile, is_video, open_video  # noqa: E402
from intarsia.media.videowriter import VideoWriter  # noqa: E402

PLAIN = {"time_base": Fraction(1, 25), "rate": Fraction(25)}


def decode(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", None),
        ("a.mkv", "libx264", "yuv444p", None),
        ("a.mov", "mpeg4", "yuv420p", {"qscale": "1"}),
        ("a.webm", "libvpx-vp9", "yuv420p", {"crf": "5", "b:v": "0", "cpu-used": "8"}),
        ("a.avi", "mjpeg", "yuvj420p", {}),
        ("a.ts", "libx264", "yuv420p", None),
        ("tenbit.mp4", "libx265", "yuv420p10le", {"crf": "5", "x265-params": "log-level=none"}),
        ("tenbit.mkv", "libx264", "yuv420p10le", None),
    ],
)
def test_containers_codecs_and_depths(tmp_path: Path, name: str, codec: str, pixels: str, options: dict | None) -> None:
    given = moving_squares(12)
    base = Fraction(1, 25)
    path = write_clip(tmp_path / name, given, codec=codec, pixels=pixels, options=options, time_base=base)
    source = open_video(path)
    assert (source.width, source.height, source.is_live, source.audio) == (64, 48, False, None)
    assert float(source.rate) == pytest.approx(25, abs=0.1)
    frames = list(source)
    told = ["its 10-bit samples are read, and drawn, with 8 bits"] if "10" in pixels else []
    assert len(frames) == 12 and source.notes == told
    assert [frame.index for frame in frames] == list(range(12))
    for expected, frame in zip(given, frames, strict=True):
        assert frame.image.dtype == np.uint8
        assert abs(square_at(frame.image) - square_at(expected)) <= 1
        assert np.abs(frame.image.astype(int) - expected).mean() < 6
    times = [float(frame.pts * source.time_base) for frame in frames]
    assert np.diff(times) == pytest.approx(np.full(11, 0.04), abs=0.0015)


def test_a_source_can_be_read_again(tmp_path: Path) -> None:
    source = open_video(write_clip(tmp_path / "a.mp4", moving_squares(5)))
    first = [frame.image for frame in source]
    assert all(np.array_equal(a, b.image) for a, b in zip(first, source, strict=True))


def test_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 40, 50, 400, 1000, 1010]
    source = open_video(write_clip(tmp_path / "vfr.mp4", moving_squares(6), times=times))
    assert [round(frame.pts * source.time_base * 1000) for frame in source] == times


@pytest.mark.parametrize("rotation", [90, 180, 270, -90])
def test_rotation_is_applied(tmp_path: Path, rotation: int) -> None:
    stored = moving_squares(3)
    source = open_video(write_clip(tmp_path / "turned.mp4", stored, rotation=rotation))
    expected = np.rot90(stored[0], rotation // 90)  # both count counter-clockwise
    assert (source.height, source.width) == expected.shape[:2]
    assert np.abs(next(iter(source)).image.astype(int) - expected).mean() < 6


def test_odd_sizes(tmp_path: Path) -> None:
    source = open_video(write_clip(tmp_path / "odd.mkv", moving_squares(4, 33, 47), pixels="yuv444p"))
    assert [frame.image.shape for frame in source] == [(33, 47, 3)] * 4


def test_sound_and_covers(tmp_path: Path) -> None:
    with_sound = write_clip(tmp_path / "loud.mp4", moving_squares(5), sound=True)
    assert open_video(with_sound).audio == with_sound
    only = tmp_path / "only.m4a"
    with av.open(str(with_sound)) as source, av.open(str(only), "w", format="ipod") as target:
        track = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = track
                target.mux(packet)
    with pytest.raises(DataError, match=r"only\.m4a: it holds no moving picture \(it holds audio\)"):
        open_video(only)


def test_what_is_a_video() -> None:
    for name in ("a.mp4", "B.MOV", Path("x/y.webm"), "camera:0", "camera:12"):
        assert is_video(name)
    for other in ("a.jpg", "camera", "camera:x", "folder/", b"a.mp4", None, np.zeros(3)):
        assert not is_video(other)


# --- bad files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"the file is empty \(0 bytes\)"),
        (b"hello " * 100, "truncated, corrupt or not a video"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\n/etc/passwd\n", "truncated, corrupt or not a video"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "truncated, corrupt or not a video"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2", "truncated, corrupt or not a video"),
        (np.random.default_rng(0).bytes(5000), "cannot read"),
    ],
)
def test_files_that_are_no_videos(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(DataError, match=rf"clip\.mp4: .*{message}|{message}.*clip\.mp4"):
        open_video(tmp_path / "clip.mp4")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.mp4: no such file"):
        open_video(tmp_path / "nowhere.mp4")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(DataError, match="it is a folder, not a video"):
        open_video(tmp_path / "folder.mp4")
    with pytest.raises(DataError, match=r"cannot open /dev/video99: .* is it there"):
        open_video("camera:99")


def test_truncated_files(tmp_path: Path) -> None:
    """MP4 keeps its index at the end, so that nothing can be read; Matroska reads up to the cut and says so."""
    frames = [np.random.default_rng(index).integers(0, 255, (48, 64, 3), dtype=np.uint8) for index in range(50)]
    whole = write_clip(tmp_path / "whole.mp4", frames).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.mp4: the file is truncated"):
        open_video(tmp_path / "cut.mp4")
    whole = write_clip(tmp_path / "whole.mkv", frames).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    source = open_video(tmp_path / "cut.mkv")
    count = len(list(source))
    assert 15 < count < 35
    assert any(
        note.startswith("the file ends after") and "of 2.0 seconds; it is truncated" in note for note in source.notes
    )
    next(iter(source))
    assert not source.notes  # nothing is known of an end that has not been reached


def test_no_frames(tmp_path: Path) -> None:
    (tmp_path / "none.y4m").write_bytes(b"YUV4MPEG2 W64 H48 F25:1 Ip C420jpeg\n")
    with pytest.raises(DataError, match=r"none\.y4m: it holds no frame that can be decoded"):
        open_video(tmp_path / "none.y4m")


def test_a_corrupt_packet_in_the_middle_is_counted_and_the_rest_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", moving_squares(30), codec="mjpeg", pixels="yuvj420p", options={})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for position, size in packets[14:16]:
        data[position + 8 : position + 8 + size] = np.random.default_rng(size).bytes(
            size
        )  # behind the chunk's name and length
    (tmp_path / "bad.avi").write_bytes(data)
    source = VideoFile(tmp_path / "bad.avi")
    frames = list(source)
    assert source.skipped == 2 and len(frames) == 28
    assert source.notes == ["2 packets could not be decoded and were left out"]
    assert square_at(frames[-1].image) == pytest.approx(square_at(moving_squares(30)[-1]), abs=1)
    assert [frame.pts for frame in frames] == sorted({frame.pts for frame in frames})


def test_damaged_h264_is_read_to_the_end(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", moving_squares(60))
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    random = np.random.default_rng(0)
    for position, size in packets[20:26]:
        data[position + 4 : position + size] = random.bytes(size - 4)
    (tmp_path / "bad.mp4").write_bytes(data)
    source = VideoFile(tmp_path / "bad.mp4")
    frames = list(source)
    assert 40 <= len(frames) <= 60 and source.skipped + source.damaged >= 1
    assert square_at(frames[-1].image) == pytest.approx(square_at(moving_squares(60)[-1]), abs=2)


def test_another_size_in_mid_stream(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.h264", moving_squares(6, 48, 64)).read_bytes()
    second = write_clip(tmp_path / "b.h264", moving_squares(6, 96, 80)).read_bytes()
    (tmp_path / "both.h264").write_bytes(first + second)
    source = VideoFile(tmp_path / "both.h264")
    shapes = [frame.image.shape[:2] for frame in source]
    assert shapes == [(48, 64)] * 6 + [(96, 80)] * 6
    assert (source.height, source.width) == (48, 64)
    assert "6 frames have another size than the first" in source.notes


def ivf(frames: int, width: int, height: int, body: bytes = b"") -> bytes:
    return struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"VP80", width, height, 25, 1, frames, 0) + body


def test_headers_that_promise_too_much(tmp_path: Path) -> None:
    (tmp_path / "huge.y4m").write_bytes(b"YUV4MPEG2 W12000 H12000 F25:1 Ip C420jpeg\nFRAME\n" + bytes(1000))
    with pytest.raises(DataError, match="frames of 12000x12000 are 144 megapixels, the limit is 100"):
        open_video(tmp_path / "huge.y4m")
    (tmp_path / "empty.ivf").write_bytes(ivf(1_000_000, 64, 48))
    with pytest.raises(DataError, match=r"no frame that can be decoded|truncated, corrupt"):
        open_video(tmp_path / "empty.ivf")
    small = write_clip(
        tmp_path / "a.ivf", moving_squares(4), codec="libvpx-vp9", options={"crf": "10", "b:v": "0", "cpu-used": "8"}
    )
    data = bytearray(small.read_bytes())
    data[24:28] = struct.pack("<I", 1_000_000)  # frames, as the header counts them
    (tmp_path / "many.ivf").write_bytes(data)
    source = open_video(tmp_path / "many.ivf")
    assert len(list(source)) == 4


def test_frames_larger_than_the_limit(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", moving_squares(2))
    with pytest.raises(DataError, match=r"refused .*a\.mp4: frames of 64x48"):
        open_video(path, max_pixels=64 * 48 - 1)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_random_damage_never_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "fuzz.mp4"
    if not path.exists():
        write_clip(path, moving_squares(6), sound=True)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = folder / "damaged.mp4"
    damaged.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        source = open_video(damaged, max_pixels=1_000_000)
        times = [frame.pts for frame, _ in zip(source, range(50), strict=False)]
    except DataError as error:
        assert "damaged.mp4" in str(error)
    else:
        assert times == sorted(set(times)) and all(isinstance(note, str) for note in source.notes)


# --- sequences of pictures and live sources ---------------------------------------------------------------------------


def test_pictures_as_a_video(tmp_path: Path) -> None:
    pictures = moving_squares(4)
    for index, picture in enumerate(pictures):
        write_image(tmp_path / f"{index}.png", picture)
    (tmp_path / "2.png").write_bytes(b"broken")
    source = PictureSequence(sorted(tmp_path.glob("*.png")), rate=12.5)
    assert (source.width, source.height, source.count, source.time_base) == (64, 48, 4, Fraction(2, 25))
    frames = list(source)
    assert [(frame.pts, frame.index) for frame in frames] == [(0, 0), (1, 1), (3, 2)]
    assert np.array_equal(frames[2].image, pictures[3])
    assert source.notes == ["1 pictures could not be read and were left out"]
    with pytest.raises(UsageError, match="rate is a number of frames a second"):
        PictureSequence([tmp_path / "0.png"], rate=0)
    with pytest.raises(DataError, match="at least one picture"):
        PictureSequence([])


def test_a_device_is_live(tmp_path: Path) -> None:
    if "lavfi" not in av.formats_available:
        pytest.skip("this FFmpeg has no virtual devices")
    source = VideoFile("testsrc=size=64x48:rate=50:duration=0.2", device="lavfi")
    assert source.is_live and (source.width, source.height) == (64, 48)
    assert len(list(source)) == 10


def test_the_newest_frame_is_taken_and_errors_arrive() -> None:
    taken, rushed = Event(), Event()

    def world() -> Iterator[int]:
        yield 0
        taken.wait()
        yield from range(1, 30)
        rushed.set()

    newest = Newest(world())
    seen = []
    for number in newest:
        seen.append(number)
        taken.set()
        rushed.wait()
    assert seen == [0, 29]
    assert newest.dropped == 28

    def failing() -> object:
        yield 1
        raise DataError("unplugged")

    with pytest.raises(DataError, match="unplugged"):
        list(Newest(failing()))  # type: ignore[arg-type]
    stopped = Newest(count())
    assert next(iter(stopped)) >= 0
    assert not stopped._thread.is_alive()


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("size", [(48, 64), (33, 47)])
def test_colour_video(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    path, frames = tmp_path / f"out{suffix}", moving_squares(8, *size)
    with VideoWriter(path, kind="colour", width=size[1], height=size[0], **PLAIN) as writer:
        for pts, frame in enumerate(frames):
            writer.write(frame, pts)
    source = open_video(path)
    even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert (source.height, source.width) == even
    for expected, frame in zip(frames, source, strict=True):
        assert np.abs(frame.image[: size[0], : size[1]].astype(int) - expected).mean() < 8
    assert list(tmp_path.iterdir()) == [path]


@given(st.integers(4, 40), st.integers(4, 40), st.booleans(), st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_labels_are_stored_without_loss(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, wide: bool, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.mkv"
    random = np.random.default_rng(seed)
    kind = np.uint16 if wide else np.uint8
    frames = [random.integers(0, np.iinfo(kind).max, (height, width), dtype=kind, endpoint=True) for _ in range(3)]
    with VideoWriter(path, kind="labels", width=width, height=height, **PLAIN) as writer:
        for pts, frame in enumerate(frames):
            writer.write(frame, pts)
    assert all(np.array_equal(a, b) for a, b in zip(frames, decode(path), strict=True))


def test_alpha_video(tmp_path: Path) -> None:
    frame = np.dstack([moving_squares(1)[0], np.zeros((48, 64), np.uint8)])
    frame[:, :32, 3] = 255
    with VideoWriter(tmp_path / "out.mov", kind="alpha", width=64, height=48, **PLAIN) as writer:
        writer.write(frame, 0)
    with av.open(str(tmp_path / "out.mov")) as container:
        alpha = next(container.decode(video=0)).to_ndarray(format="rgba")[..., 3]
    assert alpha[:, :30].min() > 250 and alpha[:, 34:].max() < 5
    with VideoWriter(tmp_path / "out.webm", kind="alpha", width=64, height=48, **PLAIN) as writer:
        writer.write(frame, 0)
    with av.open(str(tmp_path / "out.webm")) as container:
        assert container.streams.video[0].metadata["alpha_mode"] == "1"


def test_times_and_sound_are_those_of_the_source(tmp_path: Path) -> None:
    times = [0, 40, 90, 400, 440, 1000]
    given = write_clip(tmp_path / "in.mp4", moving_squares(6), times=times, sound=True, rate=6)
    source = open_video(given)
    with VideoWriter(
        tmp_path / "out.mp4", kind="colour", width=64, height=48, time_base=source.time_base, rate=source.rate,
        audio=source.audio,
    ) as writer:  # fmt: skip
        for frame in source:
            writer.write(frame.image, frame.pts)
    written = open_video(tmp_path / "out.mp4")
    assert [round(frame.pts * written.time_base * 1000) for frame in written] == times

    def sound(path: Path) -> list[tuple[Fraction, bytes]]:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]

    assert sound(tmp_path / "out.mp4") == sound(given)


def test_sound_that_the_container_cannot_hold_is_left_out_and_said(tmp_path: Path) -> None:
    given = write_clip(tmp_path / "in.mp4", moving_squares(3), sound=True)
    with VideoWriter(tmp_path / "out.webm", kind="colour", width=64, height=48, audio=given, **PLAIN) as writer:
        writer.write(moving_squares(1)[0], 0)
    assert writer.notes == [".webm cannot hold the sound's format (aac); it was left out; write .mkv to keep it"]
    assert open_video(tmp_path / "out.webm").audio is None


def test_frames_of_another_size_are_stretched(tmp_path: Path) -> None:
    labels = np.array([[1, 9], [3, 4]], dtype=np.uint8)
    with VideoWriter(tmp_path / "out.mkv", kind="labels", width=4, height=4, **PLAIN) as writer:
        writer.write(labels, 0)
    assert decode(tmp_path / "out.mkv")[0].tolist() == [[1, 1, 9, 9], [1, 1, 9, 9], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_without_frames_there_is_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", kind="colour", width=64, height=48, **PLAIN):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="stop"),
        VideoWriter(tmp_path / "out.mp4", kind="colour", width=64, height=48, **PLAIN) as writer,
    ):
        writer.write(moving_squares(1)[0], 0)
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    random = np.random.default_rng(0)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        with (
            pytest.raises(DataError, match=r"cannot write .*out\.mkv: the file is larger than this system"),
            VideoWriter(tmp_path / "out.mkv", kind="labels", width=256, height=256, **PLAIN) as writer,
        ):
            for pts in range(20):
                writer.write(random.integers(0, 255, (256, 256), dtype=np.uint8), pts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_missing_encoders_and_wrong_suffixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def writer(name: str, kind: str) -> VideoWriter:
        return VideoWriter(tmp_path / name, kind=kind, width=64, height=48, **PLAIN)

    with pytest.raises(UsageError, match=r"labels video is written as \.mkv"):
        writer("out.mp4", "labels")
    with pytest.raises(UsageError, match=r"alpha video is written as \.webm, \.mov"):
        writer("out.mp4", "alpha")
    missing = {"libx264", "libopenh264", "mpeg4"}
    monkeypatch.setattr(videowriter, "_has_encoder", lambda _, name: name not in missing)
    with pytest.raises(
        UsageError,
        match=r"no encoder libx264 or libopenh264 or mpeg4; write \.webm instead, or pip install 'intarsia\[video\]'",
    ):
        writer("out.mp4", "colour")
    missing.discard("mpeg4")
    with writer("out.mp4", "colour") as fallback:
        fallback.write(moving_squares(1)[0], 0)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"


def test_readers_of_stretches_see_what_one_reader_sees(tmp_path: Path) -> None:
    """Frames look ahead to key frames, and the first of a stretch is none."""
    clip = write_clip(tmp_path / "a.mp4", moving_squares(30), options={"crf": "5", "g": "12", "bf": "3"})
    video = open_video(clip)
    assert isinstance(video, VideoFile) and video.span == (0, 30 * 640)
    whole = {frame.pts: frame.image for frame in video}
    for start, end in ((0, 640 * 7), (640 * 7, 640 * 19 + 1), (640 * 19 + 1, 640 * 30)):
        found = {frame.pts: frame.image for frame in video.between(start, end)}
        assert list(found) == [pts for pts in whole if start <= pts < end]
        assert all(np.array_equal(image, whole[pts]) for pts, image in found.items())
    assert list(video.between(640 * 30, 640 * 40)) == []
