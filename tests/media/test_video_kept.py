"""What pictures alone do not hold: the shape of pixels, colour matrices and HDR, and the times of sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

av = pytest.importorskip("av", reason="video needs intarsia[video]")

import numpy as np  # noqa: E402
from filmed import moving_squares, write_clip  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from intarsia.media.video import open_video  # noqa: E402
from intarsia.media.videowriter import VideoWriter, _Sound  # noqa: E402

RATE = {"time_base": Fraction(1, 25), "rate": Fraction(25)}
PAL = Fraction(64, 45)


def film(
    path: Path,
    picture: NDArray[Any],
    *,
    pixels: str = "yuv420p",
    colours: tuple[int, int, int] | None = None,
    aspect: Fraction | None = None,
    rotation: int = 0,
) -> Path:
    """Three frames of one picture, (H, W, 3) of 8 or 16 bits; colours are matrix, primaries and curve (H.273)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixels
        context = stream.codec_context
        if colours is not None:
            context.colorspace, context.color_primaries, context.color_trc = colours
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for pts in range(3):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24" if picture.dtype == np.uint8 else "rgb48le")
            if colours is not None:
                frame = frame.reformat(format=pixels, dst_colorspace=colours[0], dst_color_range=1)
                frame.colorspace, frame.color_primaries, frame.color_trc = colours
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def plain(color: tuple[int, int, int], height: int = 48, width: int = 64, kind: type = np.uint8) -> NDArray[Any]:
    return np.full((height, width, 3), color, dtype=kind)


# --- the shape of pixels ----------------------------------------------------------------------------------------------


def test_the_shape_of_pixels_is_read(tmp_path: Path) -> None:
    grey = plain((90, 90, 90))
    assert open_video(film(tmp_path / "a.mp4", grey)).aspect == 1
    assert open_video(film(tmp_path / "b.mp4", grey, aspect=PAL)).aspect == PAL
    turned = open_video(film(tmp_path / "c.mp4", grey, aspect=PAL, rotation=90))
    assert (turned.width, turned.height, turned.aspect) == (48, 64, 1 / PAL)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_shape_of_pixels_is_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with VideoWriter(path, kind="colour", width=64, height=48, aspect=PAL, **RATE) as writer:
        writer.write(plain((90, 90, 90)), 0)
    written = open_video(path)
    assert (written.width, written.height, written.aspect, writer.notes) == (64, 48, PAL, [])


def test_where_it_cannot_be_kept_it_is_told(tmp_path: Path) -> None:
    for aspect, size in ((Fraction(3, 2), (96, 48)), (Fraction(2, 3), (64, 72))):
        with VideoWriter(tmp_path / "out.webm", kind="colour", width=64, height=48, aspect=aspect, **RATE) as writer:
            writer.write(plain((90, 90, 90)), 0)
        assert (open_video(tmp_path / "out.webm").width, open_video(tmp_path / "out.webm").height) == size
        told = f"cannot say that pixels are {aspect.numerator}:{aspect.denominator}: it was stretched to square ones"
        assert writer.notes == [f".webm {told} ({size[0]}x{size[1]})"]
    labels = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    with VideoWriter(tmp_path / "out.mkv", kind="labels", width=64, height=48, aspect=PAL, **RATE) as writer:
        writer.write(labels, 0)
    assert "labels are stored pixel by pixel" in writer.notes[0]
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert np.array_equal(next(container.decode(video=0)).to_ndarray(), labels)


# --- colours ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "standard"), [((720, 96), 1), ((64, 1280), 1), ((576, 96), 6), ((48, 64), 6), ((719, 64), 1)]
)
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_high_definition_is_bt709_and_says_so(
    tmp_path: Path, suffix: str, size: tuple[int, int], standard: int
) -> None:
    height, width = size
    path, green = tmp_path / f"out{suffix}", (20, 200, 20)
    with VideoWriter(path, kind="colour", width=width, height=height, **RATE) as writer:
        writer.write(plain(green, height, width), 0)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        assert tuple(map(int, tags)) == (standard, standard, standard, 1)
        # By hand, from the samples and the matrix's own weights (BT.709, BT.601): the green of a limited range.
        red, blue = (0.2126, 0.0722) if standard == 1 else (0.299, 0.114)
        luma = red * green[0] + (1 - red - blue) * green[1] + blue * green[2]
        assert abs(int(frame.to_ndarray()[height // 2, width // 2]) - (16 + 219 * luma / 255)) <= 2
    shown = next(iter(open_video(path))).image[height // 2, width // 2].astype(int)
    assert np.abs(shown - green).max() <= 5


PQ_203 = 0.5807  # the signal of 203 cd/m2 (ITU-R BT.2408, table 1)
HLG_203 = 0.75


@pytest.mark.parametrize(("curve", "signal", "name"), [(16, PQ_203, "PQ"), (18, HLG_203, "HLG")])
def test_hdr_becomes_ordinary_and_is_told(tmp_path: Path, curve: int, signal: float, name: str) -> None:
    grey = plain((round(65535 * signal),) * 3, kind=np.uint16)
    source = open_video(film(tmp_path / "a.mkv", grey, pixels="yuv420p10le", colours=(9, 9, curve)))
    assert source.notes[0].startswith(f"its colours are HDR ({name}, BT.2020); they were converted to ordinary ones")
    shown = next(iter(source)).image[24, 32].astype(int)
    # White of graphics (1) is rolled off to (1 + 1 / w^2) / 2 with w = 1000 / 203, and encoded with 1 / 2.4.
    expected = 255 * ((1 + (203 / 1000) ** 2) / 2) ** (1 / 2.4)
    assert np.abs(shown - expected).max() <= 4
    bright, dark = (
        next(iter(open_video(film(tmp_path / f"{level}.mkv", plain((level,) * 3, kind=np.uint16),
                                  pixels="yuv420p10le", colours=(9, 9, curve))))).image[24, 32]
        for level in (60000, 9000)
    )  # fmt: skip
    assert dark.max() < 60 < expected < bright.min()


def test_wide_gamut_becomes_ordinary_and_is_told(tmp_path: Path) -> None:
    for color, expected in (((128, 128, 128), (128, 128, 128)), ((255, 0, 0), (255, 0, 0))):
        wide = plain(tuple(257 * one for one in color), kind=np.uint16)  # type: ignore[arg-type]
        source = open_video(film(tmp_path / "a.mkv", wide, pixels="yuv444p10le", colours=(9, 9, 14)))
        assert source.notes[0].startswith("its colours are wide gamut (BT.2020); they were converted")
        assert np.abs(next(iter(source)).image[24, 32].astype(int) - expected).max() <= 3
    orange = plain((65535, 40000, 20000), kind=np.uint16)
    source = open_video(film(tmp_path / "b.mkv", orange, pixels="yuv444p10le", colours=(9, 9, 14)))
    linear = (np.array([1, 40000 / 65535, 20000 / 65535])) ** 2.4
    # The matrix of ITU-R BT.2087, annex.
    matrix = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    expected = 255 * np.clip(np.array(matrix) @ linear, 0, 1) ** (1 / 2.4)
    assert np.abs(next(iter(source)).image[24, 32] - expected).max() <= 4


# --- sound ------------------------------------------------------------------------------------------------------------


def test_the_sound_of_joined_files_goes_on(tmp_path: Path) -> None:
    part = write_clip(tmp_path / "part.ts", moving_squares(10), rate=10, sound=True)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part.read_bytes() * 2)
    source = open_video(joined)
    with VideoWriter(
        tmp_path / "out.mp4", kind="colour", width=64, height=48, time_base=source.time_base, rate=source.rate,
        audio=source.audio,
    ) as writer:  # fmt: skip
        for frame in source:
            writer.write(frame.image, frame.pts)
    assert writer.notes == ["1 sound packet had a time that repeats or goes back; it was moved on"]

    def times(path: Path) -> list[Fraction]:
        with av.open(str(path)) as container:
            return [packet.dts * packet.time_base for packet in container.demux(audio=0) if packet.size]

    kept, given = times(tmp_path / "out.mp4"), times(joined)
    assert len(kept) == len(given) and kept == sorted(set(kept))
    assert kept[-1] - kept[0] == pytest.approx(2 * (given[-1] - given[0]), abs=0.2)


def packets(times: list[int | None], duration: int = 10) -> Any:
    """A file (in place of PyAV) whose sound has these times."""
    made = [SimpleNamespace(size=4, dts=t, pts=t, duration=duration, time_base=Fraction(1, 100)) for t in times]
    container = SimpleNamespace(streams=SimpleNamespace(audio=[None]), demux=lambda _: iter(made), close=lambda: None)
    return SimpleNamespace(open=lambda *_, **__: container, FFmpegError=av.FFmpegError)


@pytest.mark.parametrize(
    ("given", "repaired"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30]),
        ([0, 10, 10, 20, 30], [0, 10, 11, 20, 30]),  # one repeats
        ([0, 10, 20, 15, 30], [0, 10, 20, 21, 30]),  # one slips back
        ([500, 510, 520, 0, 10, 20], [500, 510, 520, 530, 540, 550]),  # another part begins
        ([0, 10, None, 30], [0, 10, 20, 30]),  # one has none
        ([0, 10, 500, 510], [0, 10, 500, 510]),  # a gap is a gap
    ],
)
def test_times_of_sound_always_rise(given: list[int | None], repaired: list[int]) -> None:
    sound = _Sound(packets(given), Path("a.mkv"))
    seen = [*sound.until(Fraction(11, 100)), *sound.until(None)]
    assert [packet.dts for packet in seen] == repaired
    assert all(packet.pts >= packet.dts for packet in seen)
    wrong = sum(a != b for a, b in zip(given, repaired, strict=True))
    assert bool(sound.notes) == (wrong > 0 and None not in given)


def test_sound_that_the_file_refuses_ends_and_the_pictures_go_on() -> None:
    sound = _Sound(packets([0, 10, 20]), Path("a.mkv"))
    next(iter(sound.until(None)))
    sound.end("the sound could not be copied to its end (Invalid argument)")
    assert list(sound.until(None)) == [] and sound.notes[-1].startswith("the sound could not")


def film_with_sound(path: Path, codec: str, sound: str, layout: str = "mono", tracks: int = 1) -> Path:
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(codec, rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        streams = [container.add_stream(sound, rate=8000, layout=layout) for _ in range(tracks)]
        frame = av.VideoFrame.from_ndarray(plain((90, 90, 90)), format="rgb24").reformat(format="yuv420p")
        frame.pts = 0
        container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
        for stream in streams:
            samples = np.zeros((1, 320 * stream.channels), np.int16)
            silence = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            silence.sample_rate, silence.pts = 8000, 0
            container.mux(stream.encode(silence))
            container.mux(stream.encode(None))
    return path


def test_further_tracks_are_told(tmp_path: Path) -> None:
    source = film_with_sound(tmp_path / "two.mkv", "ffv1", "pcm_s16le", tracks=2)
    with VideoWriter(tmp_path / "out.mkv", kind="colour", width=64, height=48, audio=source, **RATE) as writer:
        writer.write(plain((90, 90, 90)), 0)
    assert writer.notes == ["only the first sound track is copied; left out: 1 sound track"]


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_plain_samples_of_an_avi_are_kept(tmp_path: Path, layout: str, suffix: str) -> None:
    source = film_with_sound(tmp_path / "a.avi", "mpeg4", "pcm_s16le", layout)
    path = tmp_path / f"out{suffix}"
    with VideoWriter(path, kind="colour", width=64, height=48, audio=source, **RATE) as writer:
        writer.write(plain((90, 90, 90)), 0)
    assert writer.notes == []
    with av.open(str(path)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == 320
        assert container.streams.audio[0].channels == {"mono": 1, "stereo": 2, "5.1": 6}[layout]
