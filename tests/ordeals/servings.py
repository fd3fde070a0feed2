"""A server with jobs, and the studio's project, which are killed; what they said yes to must be there afterwards."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ordeals.kills import Work
from ordeals.targets import digest
from PIL import Image

_JOBS, _SAVES = 3, 12
_LOST, _AGAIN = 7, 8
_PATIENCE = 240.0


@contextmanager
def _client(folder: Path) -> Iterator[Any]:
    from starlette.testclient import TestClient

    from intarsia.serving.app import create_app
    from intarsia.serving.settings import Settings

    data = folder / "photos"
    settings = Settings(
        models=(str(folder / "net.onnx"),), state=folder / "state", data=data if data.is_dir() else None
    )
    with TestClient(create_app(settings)) as client:
        yield client


def _note(folder: Path, text: str) -> None:
    """Remember what the server said yes to, as somebody who is not killed."""
    with (folder / "said.txt").open("a") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def _refused(answer: Any) -> int:
    """End as a command does, with what a server's problem says; one without a reason raises."""
    problem = answer.json()
    if answer.status_code == 500:
        answer.raise_for_status()
    print(f"Error: {answer.status_code} {problem['detail']}", file=sys.stderr)
    return int(problem.get("exit_code") or 3)


def _noted(folder: Path) -> list[str]:
    return (folder / "said.txt").read_text().splitlines() if (folder / "said.txt").exists() else []


def _step(number: int) -> bytes:
    """A photo whose bright part tells its number."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, 4 * number :] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def served() -> Work:
    """Jobs of a server: each that was accepted is done in the end, whatever happens in between."""

    def prepare(folder: Path) -> None:
        from onnx_made import write_onnx

        write_onnx(folder / "net.onnx", stride=1)

    def run(folder: Path) -> int:
        while (code := once(folder)) == _AGAIN:
            pass
        return code

    def once(folder: Path) -> int:
        with _client(folder) as client:
            for number in range(len(_noted(folder)), _JOBS):
                files = [("files", (f"{index}.png", _step(number + index))) for index in range(3)]
                answer = client.post("/v1/jobs?write=labels", files=files)
                if answer.status_code >= 400:
                    return _refused(answer)
                _note(folder, answer.json()["id"])
            until = time.monotonic() + _PATIENCE
            for job in _noted(folder):
                while (told := client.get(f"/v1/jobs/{job}")).json().get("state") != "done":
                    if told.status_code != 200 or time.monotonic() > until:
                        return _LOST
                    if told.json()["state"] == "failed":  # it says why; whoever sent it sends it again
                        (folder / "said.txt").unlink()
                        if "times at the same part" in told.json()["error"]:
                            return _AGAIN
                        print(f"Error: {told.json()['error']}", file=sys.stderr)
                        return int(told.json()["exit_code"])
                    time.sleep(0.005)
        return 0

    def found(folder: Path) -> str:
        jobs = [folder / "state" / "jobs" / job for job in _noted(folder)]
        out = [{path.name: digest(path.read_bytes()) for path in sorted((job / "out").glob("*.png"))} for job in jobs]
        strange = [path.name for job in jobs for path in (job / "out").rglob("*.tmp*")]
        return json.dumps([out, strange])

    return Work("serve-jobs", prepare, run, found, heavy=True)


def studied() -> Work:
    """Labels that are saved in the studio: the last that was accepted, or a later one, is there, and whole."""

    def prepare(folder: Path) -> None:
        from onnx_made import write_onnx

        write_onnx(folder / "net.onnx", stride=1)
        (folder / "photos").mkdir()
        (folder / "photos" / "a.png").write_bytes(_step(3))

    def run(folder: Path) -> int:
        with _client(folder) as client:
            project = client.get("/v1/project")
            if project.status_code >= 400:
                return _refused(project)
            (item,) = [one["id"] for one in project.json()["items"]]
            place = f"/v1/project/items/{item}/labels"
            there = client.get(place)
            revision = 0 if there.status_code == 404 else int(there.headers["etag"].strip('"'))
            if revision < len(_noted(folder)) or (revision and there.content != _mask(revision)):
                return _LOST
            for number in range(revision + 1, _SAVES + 1):
                answer = client.put(place, content=_mask(number), headers={"if-match": f'"{number - 1}"', **_PNG})
                if answer.status_code >= 400:
                    return _refused(answer)
                while len(_noted(folder)) < number:  # of one that was killed between the saving and the answer, too
                    _note(folder, str(number))
        return 0

    def found(folder: Path) -> str:
        masks = sorted(path for path in (folder / "photos").rglob("*.png") if path.name != "a.png")
        left = sorted(path.name for path in (folder / "state").rglob("*.tmp*"))
        return json.dumps([[digest(path.read_bytes()) for path in masks], left])

    return Work("studio-labels", prepare, run, found, heavy=True)


_PNG = {"content-type": "image/png"}


def _mask(number: int) -> bytes:
    """Labels whose border tells the number of the revision."""
    from intarsia.labels import LabelSpace
    from intarsia.media.png import encode_mask

    labels = np.zeros((40, 60), np.uint8)
    labels[:, 4 * number :] = 1
    return encode_mask(labels, LabelSpace(("dark", "bright")))
