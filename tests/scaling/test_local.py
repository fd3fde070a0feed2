"""Jobs by processes of this machine: the same files and lines as by one."""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deadly import DEADLY, deadly, other
from jobs_made import files
from PIL import Image
from threshold import threshold

from intarsia.errors import DataError, UsageError
from intarsia.jobs import JobOptions, JobResult, plan, run_all
from intarsia.scaling import Local, run_on


def lines(out: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert len({line["id"] for line in found}) == len(found)
    return {line["id"]: {key: value for key, value in line.items() if key != "seconds"} for line in found}


def on_two(photos: Path, out: Path, make: Any = threshold, **options: Any) -> JobResult:
    return run_on(Local(2), threshold(), make, plan(photos, out), **options)


def test_two_processes_give_what_one_gives(photos: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run_all(threshold(), plan(photos, one))
    seen: list[tuple[int, int]] = []
    result = on_two(photos, two, finished=lambda done, total, record: seen.append((done, total)))
    assert (len(result.done), result.exit_code) == (12, 0) and seen == [(count, 12) for count in range(1, 13)]
    assert files(one) == files(two) and lines(one) == lines(two)  # with the checksum of each output
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files(one) if "manifest" not in name)
    (two / ".claims").mkdir()  # as a job leaves it whose disk was full at its end
    assert len(on_two(photos, two).skipped) == 12 and not (two / ".claims").exists()
    assert len(run_all(threshold(), plan(photos, two)).skipped) == 12
    with pytest.raises(UsageError, match=r"exist already, made with opacity null instead of 0\.3"):
        on_two(photos, two, options=JobOptions(opacity=0.3))
    (two / "03.mask.png").unlink()
    (two / "03.overlay.jpg").unlink()
    assert len(on_two(photos, two).done) == 1


def test_a_picture_that_ends_its_process_is_given_up(photos: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, DEADLY, 3), np.uint8)).save(photos / "05x.png")
    result = on_two(photos, tmp_path / "out", deadly)
    assert (len(result.done), result.exit_code) == (12, 1)
    assert result.failures == {
        str(photos / "05x.png"): f"{photos / '05x.png'}: it ended its process twice (the last one was ended by "
        "SIGKILL); perhaps memory was short"
    }
    assert len(files(tmp_path / "out")) == 25 and lines(tmp_path / "out")["05x"]["status"] == "error"


def test_workers_that_compute_otherwise_are_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"would give other labels .* by processor cpu of another kind instead of any"):
        on_two(photos, tmp_path / "out", other)
    assert not (tmp_path / "out").exists()


def test_one_file_is_not_shared(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="many workers need a folder"):
        on_two(photos / "01.png", tmp_path / "one.png")


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX feature")
def test_a_full_disk_ends_the_job_and_all_workers(photos: Path, tmp_path: Path) -> None:
    import resource

    out, limits = tmp_path / "out", resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_500, limits[1]))  # enough for the outputs, and for two lines
        with pytest.raises(DataError, match=r"cannot write .*manifest\.shards.* and run the job again"):
            on_two(photos, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert multiprocessing.active_children() == []
    result = on_two(photos, out)
    assert result.failures == {} and len(result.done) + len(result.skipped) == 12 and len(lines(out)) == 12
    assert len(files(out)) == 25


def test_a_stop_ends_the_job_and_all_workers(photos: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "out", list[int]()
    result = on_two(photos, out, stop=lambda: bool(seen), finished=lambda done, total, record: seen.append(done))
    assert result.stopped and result.exit_code == 130 and multiprocessing.active_children() == []
    again = on_two(photos, out)
    assert len(again.skipped) == len(result.done) >= 1 and len(again.done) == 12 - len(again.skipped)
