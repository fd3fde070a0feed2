"""Reading, computing and writing at once: order, claims, memory and errors are those of one after the other."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs_made import files, job
from PIL import Image
from threshold import threshold

from intarsia.inference import Predictor
from intarsia.media.images import open_image, read_image
from intarsia.media.medium import MEDIA
from intarsia.media.source import ArraySource


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for index in range(20):
        Image.fromarray(np.full((8, 8 + index, 3), 12 * index, np.uint8)).save(tmp_path / "photos" / f"{index:02d}.png")
    return tmp_path / "photos"


def claims(out: Path) -> list[str]:
    return sorted(json.loads(claim.read_text() or "{}").get("id", "?") for claim in (out / ".claims").glob("*.json"))


def test_results_are_those_of_single_pictures_in_their_order(photos: Path, tmp_path: Path) -> None:
    predictor, out = threshold(), tmp_path / "out"
    threads = threading.active_count()
    result = job(predictor, photos, out)
    assert [record["id"] for record in result.records] == [f"{index:02d}" for index in range(20)]
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert lines == result.records and threading.active_count() == threads
    for path in sorted(photos.iterdir()):
        mask = np.asarray(Image.open(out / f"{path.stem}.mask.png"))
        assert np.array_equal(mask, predictor.segment(path).labels)
    assert sum(record["seconds"] for record in lines) > 0 and not (out / ".claims").exists()


def test_a_bad_picture_fails_at_its_turn(photos: Path, tmp_path: Path) -> None:
    for name in ("03.png", "04.png", "19.png"):
        (photos / name).write_bytes((photos / name).read_bytes()[:45])
    told: list[tuple[str, str]] = []
    result = job(
        threshold(), photos, tmp_path / "out",
        finished=lambda done, total, record: told.append((record["id"], record["status"])),
    )  # fmt: skip
    assert [name for name, _ in told] == [f"{index:02d}" for index in range(20)]
    assert [name for name, status in told if status == "error"] == ["03", "04", "19"]
    assert all(source in reason for source, reason in result.failures.items()) and len(result.done) == 17


class Refusing(Predictor):
    """Its network fails at pictures that are 13 wide."""

    def rows(self, reader: Any, **options: Any) -> Any:
        for rows in super().rows(reader, **options):
            if reader.width == 13:
                raise MemoryError("13 is too wide")
            yield rows


def test_a_network_that_fails_at_one_picture(photos: Path, tmp_path: Path) -> None:
    given = threshold()
    result = job(Refusing(given.bundle, runtime=given.runtime), photos, tmp_path / "out")
    assert result.failures == {str(photos / "05.png"): "13 is too wide"} and len(result.done) == 19
    assert [name for name in files(tmp_path / "out") if name.startswith("05")] == []


def test_a_few_small_pictures_are_taken_ahead(photos: Path, tmp_path: Path) -> None:
    seen: list[list[str]] = []
    job(threshold(), photos, tmp_path / "out", finished=lambda *_: seen.append(claims(tmp_path / "out")))
    for done, names in enumerate(seen):
        assert len(names) <= 6 and all(name == "?" or int(name) >= done for name in names)


def test_of_what_is_not_held_one_is_taken_at_a_time(photos: Path, tmp_path: Path) -> None:
    (picture,) = (medium for medium in MEDIA if medium.name == "picture")
    unheld = replace(picture, open=lambda source, *_: ArraySource(read_image(source), str(source), "picture"))
    out = tmp_path / "out"
    seen: list[list[str]] = []
    result = job(threshold(), photos, out, media=(unheld,), tell=lambda *_: seen.append(claims(out)))
    assert len(result.done) == 20 and [names for names in seen if len(names) != 1] == []


def test_small_pictures_are_held() -> None:
    small, large = (
        open_image(np.full((4, 6, 3), 9, np.uint8)),
        open_image(np.broadcast_to(np.uint8(9), (6001, 5000, 3))),
    )
    assert small.hold() and not large.hold()
    assert small.read()[0, 0].tolist() == [9, 9, 9] and [len(band) for band in small.bands([(0, 3), (2, 4)])] == [3, 2]


@pytest.mark.parametrize("after", [1, 7])
def test_stopping_lets_everything_go(after: int, photos: Path, tmp_path: Path) -> None:
    out, done = tmp_path / "out", list[str]()
    threads = threading.active_count()
    finished: Callable[..., None] = lambda n, total, record: done.append(record["id"])  # noqa: E731
    result = job(threshold(), photos, out, stop=lambda: len(done) == after, finished=finished)
    assert result.stopped and len(result.records) == after and threading.active_count() == threads
    assert len(files(out)) == 2 * after + 1 and not (out / ".claims").exists()
    assert len(job(threshold(), photos, out).done) == 20 - after


@pytest.mark.usefixtures("tiled")
def test_a_wide_picture_is_stopped_within_its_row_of_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 4000, 3), dtype=np.uint8)).save(tmp_path / "w.png")
    plain = threshold()
    predictor = Predictor(plain.bundle, runtime=plain.runtime, tile=64, overlap=0)
    tiles: list[int] = []
    compute = predictor.runtime.logits
    monkeypatch.setattr(predictor.runtime, "logits", lambda *given: tiles.append(1) or compute(*given), raising=False)
    result = job(predictor, tmp_path / "w.png", tmp_path / "out", stop=lambda: len(tiles) >= 5)
    assert result.stopped and len(tiles) == 5 and not list((tmp_path / "out").glob("w.*"))
    assert job(predictor, tmp_path / "w.png", tmp_path / "out").done and len(tiles) == 5 + 63
