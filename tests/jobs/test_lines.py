"""Lines found again: the last of each id, from the manifest and the shards, and gathered exactly once."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from threshold import threshold

from intarsia.errors import DataError
from intarsia.jobs import log, plan, run_all
from intarsia.jobs.lines import MANIFEST, SHARDS, Lines, require_own, shards, written
from intarsia.jobs.log import Shard, SharedLog, gather


def record(name: str, **more: Any) -> dict[str, Any]:
    line = {"id": name, "source": f"{name}.png", "status": "done", "error": None, "input": None}
    return line | {"outputs": {"labels": f"{name}.mask.png"}} | more


def ids(folder: Path) -> list[str]:
    return [json.loads(line)["id"] for line in (folder / MANIFEST).read_text().splitlines()]


def test_the_last_line_of_an_id_counts(tmp_path: Path) -> None:
    lines, shared = Lines(tmp_path), SharedLog(tmp_path)
    assert lines.find("a") is None and list(lines.records()) == []
    for name in ("a", "b", "a"):
        shared.add(record(name, seconds=len(shards(tmp_path))))
    shared.add(record("a", status="error"))
    assert lines.find("a") == record("a", status="error") and lines.find("c", "b") == record("b", seconds=0)
    assert [one["id"] for one in lines.records()] == ["a", "b"]
    shared.add(record("a", seconds=9))  # after they were read
    assert lines.find("a") == record("a", seconds=9)


@pytest.mark.parametrize(
    ("content", "is_own"),
    [
        (b"", True),
        (b"\0\0\0\0\n", True),  # as some file systems leave after a crash
        (b'{"id": "a", "sou', True),
        (b'{"i', True),
        (b'nonsense\n{"id": "a", "source": ', True),  # one damaged line of several
        (b"hello\n", False),
        (b'{"image": "a.png", "mask": "b.png"}\n', False),
        (b'{"id": "a", "image": "a.png"}\n', False),
        (b'[{"image": "a.png"}]\n', False),
    ],
)
def test_a_manifest_of_something_else_is_not_written_into(tmp_path: Path, content: bytes, is_own: bool) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    if is_own:
        require_own(tmp_path)
        return
    with pytest.raises(DataError, match=r"manifest\.jsonl is no record of a job, .*move it away, or choose another"):
        require_own(tmp_path)


def test_a_job_leaves_the_manifest_of_a_data_set_alone(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"image": "a.png", "mask": "b.png"}\n')
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="is no record of a job"):
        run_all(threshold(), plan(tmp_path / "a.png", tmp_path))
    assert (tmp_path / MANIFEST).read_text() == '{"image": "a.png", "mask": "b.png"}\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", MANIFEST]


def test_shards_are_read_where_they_are_and_gathered_when_their_workers_have_ended(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    SharedLog(tmp_path).add(record("a", status="error"))
    living, ended = Shard(tmp_path, "living"), Shard(tmp_path, "ended")
    living.add(record("a"))
    ended.add(record("b"))
    assert lines.find("a") == record("a") and lines.find("b") == record("b")
    ended.close()
    gather(tmp_path, lines)
    assert ids(tmp_path) == ["a", "b"] and shards(tmp_path) == [tmp_path / SHARDS / living.name]
    living.add(record("c"))
    living.close()
    gather(tmp_path, Lines(tmp_path))
    assert ids(tmp_path) == ["a", "b", "a", "c"] and not (tmp_path / SHARDS).exists()
    assert {one["id"]: one["status"] for one in lines.records()} == {"a": "done", "b": "done", "c": "done"}
    assert lines.find("b") == record("b")  # whose shard is gone since it was read


@pytest.mark.parametrize("first", ["gave", "made"])
def test_what_one_job_gave_up_and_another_made_is_done(tmp_path: Path, first: str) -> None:
    """Whichever line is read, or gathered, first; but a line of another model hides none."""
    gave, made, *_ = shards_of = [Shard(tmp_path, name) for name in ("gave", "made", "other")]
    gave.add(record("a", status="error"))
    made.add(record("a"))
    made.add(record("b", model="old"))
    shards_of[2].add(record("b", status="error", model="new"))
    lines = Lines(tmp_path)
    assert lines.find("a") == record("a")
    for shard in (gave, made) if first == "gave" else (made, gave):
        shard.close()
        gather(tmp_path, lines)
    assert lines.find("a") == record("a") == Lines(tmp_path).find("a")
    assert lines.find("b") == record("b", status="error", model="new")
    shards_of[2].close()
    gather(tmp_path, lines)
    assert ids(tmp_path) == (["a", "a", "b", "b"] if first == "gave" else ["a", "b", "b"])
    assert Lines(tmp_path).find("b") == record("b", status="error", model="new")


def test_a_crash_while_shards_are_gathered_doubles_nothing(tmp_path: Path) -> None:
    shard = Shard(tmp_path, "worker")
    for index in range(6):
        shard.add(record(str(index)))
    shard.close()
    half = b"".join(written(record(str(index))) for index in range(3)) + written(record("3"))[:20]
    (tmp_path / MANIFEST).write_bytes(half)  # torn in the fourth line
    gather(tmp_path, Lines(tmp_path))
    whole = [line for line in (tmp_path / MANIFEST).read_bytes().split(b"\n") if line.endswith(b"}")]
    assert [json.loads(line)["id"] for line in whole] == ["0", "1", "2", "3", "4", "5"]
    assert [one["id"] for one in Lines(tmp_path).records()] == ["0", "1", "2", "3", "4", "5"]


def test_what_is_torn_in_a_shard_is_no_line(tmp_path: Path) -> None:
    shard = Shard(tmp_path, "worker")
    shard.add(record("a"))
    shard.close()
    with (tmp_path / SHARDS / shard.name).open("ab") as stream:
        stream.write(written(record("b"))[:-5])
    lines = Lines(tmp_path)
    assert lines.find("b") is None and lines.is_torn("b") and not lines.is_torn("a")
    gather(tmp_path, lines)
    assert ids(tmp_path) == ["a"]


def test_many_lines_take_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a line stays in Python, and the data base lies on disk but for its cache."""
    monkeypatch.setattr("intarsia.jobs.lines._BATCH", 100)
    (tmp_path / MANIFEST).write_bytes(b"".join(written(record(f"deep/{index}")) for index in range(1000)))
    lines = Lines(tmp_path)
    assert lines.find("deep/999") == record("deep/999") and lines.find("deep/1000") is None
    assert all(len(value) <= 1 for value in vars(lines).values() if hasattr(value, "__len__"))
    assert isinstance(lines._base, sqlite3.Connection)
    assert lines._base.execute("PRAGMA cache_size").fetchone() == (-16_000,)
    assert lines._base.execute("PRAGMA database_list").fetchone()[2] == ""  # a file that nobody else sees


def test_a_shard_is_its_workers_from_the_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gathered between its making and its lock by somebody else, it is made anew."""
    lock, taken = log.lock, []

    def late(stream: Any, *, wait: bool = False) -> bool:
        if not taken:
            taken.append(stream.name)
            Path(stream.name).unlink()
        return lock(stream, wait=wait)

    monkeypatch.setattr(log, "lock", late)
    shard = Shard(tmp_path, "worker")
    shard.add(record("a"))
    assert Path(taken[0]).name != shard.name and Lines(tmp_path).find("a") == record("a")
