"""What jobs keep loaded from one to the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from intarsia.serving.app import create_app
from intarsia.serving.engine import Engine
from intarsia.serving.jobs import apps, searching
from intarsia.serving.jobs.loaded import IDLE, Loaded
from intarsia.serving.settings import Settings
from intarsia.serving.warming import SAMPLE


def done(client: TestClient, asked: str) -> dict[str, Any]:
    """What the sample's job says when it is over."""
    job = client.post(f"/v1/jobs?{asked}&name=face.jpg", content=SAMPLE.read_bytes()).json()["id"]
    with client.stream("GET", f"/v1/jobs/{job}/events") as events:
        last = "".join(events.iter_text()).strip().splitlines()[-1]
    found: dict[str, Any] = json.loads(last.removeprefix("data: "))
    return found


def test_networks_of_a_use_are_opened_once(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def counted(name: str, make: Any) -> Any:
        def open_it(*args: Any, **options: Any) -> Any:
            opened.append(name)
            return make(*args, **options)

        return open_it

    monkeypatch.setattr(apps, "open_makeup", counted("makeup", apps.open_makeup))
    monkeypatch.setattr(searching, "Embedder", counted("search", searching.Embedder))
    asked = ["makeup&lips=red", "makeup&lips=%230000ff&strength=0.5", "search&whole=true", "search&whole=true"]
    with TestClient(create_app(settings.model_copy(update={"state": tmp_path}))) as client:
        over = [done(client, f"kind={one}") for one in asked]
        made = [client.get(f"/v1/jobs/{one['id']}/results/{one['outputs'][0]['name']}").content for one in over[:2]]
    assert [one["state"] for one in over] == ["done"] * 4, over
    assert opened == ["makeup", "search"]
    assert made[0] != made[1]  # each in its own colour


def test_what_nobody_asks_for_goes(settings: Settings) -> None:
    now = [0.0]
    loaded, made = Loaded(Engine(settings), clock=lambda: now[0]), []

    def keep(key: str) -> str:
        return loaded.keep(key, lambda: made.append(key) or key)  # type: ignore[func-returns-value]

    assert [keep("a"), keep("a"), keep("b"), keep("a")] == ["a", "a", "b", "a"]
    assert made == ["a", "b", "a"]
    now[0] = IDLE
    loaded.release()
    keep("a")
    now[0] = 2 * IDLE + 1
    loaded.release()
    keep("a")
    assert made == ["a", "b", "a", "a"]
