"""What requests may hold together, and what becomes of work that nobody waits for any more."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from intarsia.errors import DataError
from intarsia.files import make_folder
from intarsia.serving.app import create_app
from intarsia.serving.budget import Budget, Held, hold
from intarsia.serving.calls import Call
from intarsia.serving.engine import Engine
from intarsia.serving.problems import Problem
from intarsia.serving.settings import Settings
from intarsia.serving.uploads import Upload, saved


def test_bytes_that_others_hold_are_told_and_given_back() -> None:
    budget = Budget(100)
    with Held(budget, {}) as one:
        one.take(70)
        with Held(budget, {}) as other, pytest.raises(Problem, match="other requests hold 70 bytes") as told:
            other.take(20)
            other.take(20)
        assert told.value.status == 429 and told.value.headers["Retry-After"] == "1"
        assert budget.held == 70
    assert budget.held == 0


def test_who_is_alone_may_hold_what_other_limits_allow() -> None:
    budget, scope = Budget(100), dict[str, Any]()
    with Held(budget, scope) as held:
        held.take(60)
        held.take(90)
        assert budget.held == 150
        with Held(budget, {}) as other, pytest.raises(Problem):
            other.take(1)
    assert budget.held == 0
    hold(None, 1000)  # nobody waits


class Slow:
    """Sends a body of some bytes to a server, and leaves the rest until it is told to send it."""

    def __init__(self, app: Any, size: int) -> None:
        self._app, self._size = app, size
        self._arrived, self._rest = asyncio.Event(), asyncio.Event()
        self._all = False
        self.answer: dict[str, Any] = {}

    async def begin(self) -> asyncio.Task[None]:
        scope = {
            "type": "http", "method": "POST", "path": "/v1/convert", "raw_path": b"/v1/convert", "query_string":
            b"to=coco", "root_path": "", "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http",
        }  # fmt: skip
        task = asyncio.create_task(self._app(scope, self._receive, self._send))
        await asyncio.wait([task, asyncio.create_task(self._arrived.wait())], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.01)
        return task

    def end(self) -> None:
        self._rest.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._arrived.is_set():
            self._arrived.set()
            return {"type": "http.request", "body": b"x" * self._size, "more_body": True}
        await self._rest.wait()
        if self._all:
            await asyncio.Event().wait()  # it stays
        self._all = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.answer = message


def test_bodies_that_come_side_by_side_are_bounded(settings: Settings) -> None:
    async def tried() -> list[int]:
        app = create_app(settings.model_copy(update={"max_held": 10_000}))
        first, second, third = (Slow(app, 6000) for _ in range(3))
        one = await first.begin()
        await (await second.begin())
        assert dict(second.answer["headers"])[b"retry-after"] == b"1"
        first.end()
        await one
        three = await third.begin()  # what was held is free again
        third.end()
        await three
        return [client.answer["status"] for client in (first, second, third)]

    assert asyncio.run(tried()) == [400, 429, 400]  # so many x are no annotations


def test_decoded_pictures_count(settings: Settings, jpeg: bytes) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_held": len(jpeg) + 100}))) as client:
        assert client.post("/v1/segment?model=bright", content=jpeg).status_code == 200  # it is alone
        budget = client.app.state.budget  # type: ignore[attr-defined]
        with Held(budget, {}) as other:
            other.take(50)
            found = client.post("/v1/segment?model=bright", content=jpeg)
        assert found.status_code == 429 and "bodies and pictures" in found.json()["detail"]
        assert budget.held == 0


def test_pictures_of_uses_and_of_the_project_count(settings: Settings, tmp_path: Path, jpeg: bytes) -> None:
    few = settings.model_copy(update={"max_held": len(jpeg) + 500, "state": tmp_path})
    with TestClient(create_app(few)) as client:
        item = client.post("/v1/project/items?name=a.jpg", content=jpeg).json()["items"][0]["id"]
        place = f"/v1/project/items/{item}"
        mask = client.post(f"{place}/predict").content
        budget = client.app.state.budget  # type: ignore[attr-defined]
        with Held(budget, {}) as other:
            other.take(100)
            answers = [
                client.get(f"{place}/image"),
                client.post(f"{place}/predict?model=person"),
                client.put(f"{place}/labels", content=mask, headers={"If-Match": '"0"'}),
                client.post("/v1/composite/drive?model=bright", content=jpeg),
                client.post("/v1/composite/handwriting?model=bright", content=jpeg),
            ]
            assert [one.status_code for one in answers] == [429] * 5, [one.text for one in answers]
        assert budget.held == 0
        assert client.get(f"{place}/image").status_code == 200


def test_work_that_nobody_waits_for_counts_until_it_ends(settings: Settings, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    engine = Engine(settings.model_copy(update={"deadline": 0.2}))
    places: list[Path] = []

    def work() -> None:
        begun.set()
        assert go_on.wait(30)

    async def tried() -> None:
        call = Call()

        async def steps() -> None:
            async with saved(Upload(b"scan", "scan.las", ".las"), call) as path:
                places.append(path)
                await engine.beside(call, work)

        with pytest.raises(Problem, match=r"not done within 0\.2 s"):
            await engine.admitted(call, steps)
        assert begun.is_set() and engine.waiting == 0 and places[0].exists()
        assert await engine.admitted(later := Call(), lambda: engine.beside(later, lambda: 2)) == 2
        for _ in range(2):
            with pytest.raises(Problem, match=r"not done within 0\.2 s"):
                await engine.admitted(other := Call(), lambda: engine.beside(other, work))
        with pytest.raises(Problem, match="3 requests whose clients left are still in work") as told:
            engine.check_room()
        assert told.value.status == 429 and told.value.headers["Retry-After"] == "5"
        go_on.set()
        while engine._left:
            await asyncio.sleep(0.01)
        assert not places[0].exists()
        assert await engine.admitted(later := Call(), lambda: engine.beside(later, lambda: 3)) == 3

    asyncio.run(tried())
    engine.close()


def test_work_that_has_not_begun_when_its_client_leaves_is_not_done(settings: Settings) -> None:
    engine, done = Engine(settings), []
    call = Call()
    call.left.set()

    async def tried() -> None:
        with pytest.raises(Problem, match="the client left"):
            await engine.admitted(call, lambda: engine.beside(call, lambda: done.append(1)))

    asyncio.run(tried())
    engine.close()
    assert not done and not engine.waiting


def test_a_conversion_ends_at_its_next_document(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # Between two documents it looks whether somebody waits; here nobody does from the second on.
    looks = 0

    def check(self: Call) -> None:
        nonlocal looks
        looks += self.request is not None  # warming up has none
        if looks > 2:  # the first look is before anything is begun
            self.left.set()
            real(self)

    real = Call.check
    monkeypatch.setattr(Call, "check", check)
    files = [
        ("file", (f"{name}.json", b'{"shapes": [], "imagePath": "%s.jpg", "imageHeight": 4, "imageWidth": 4, '
                  b'"imageData": null, "version": "5"}' % name.encode()))
        for name in "abcd"
    ]  # fmt: skip
    assert client.post("/v1/convert?to=coco", files=files).status_code == 499
    assert looks == 3


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (
            errno.ENOSPC,
            507,
            "the disk is full; free some space, or choose another folder (of the server: ",
        ),
        (errno.EROFS, 503, "(of the server: start it with a --state, and a TMPDIR, that it may write)"),
        (errno.EACCES, 503, "(of the server: start it with a --state, and a TMPDIR, that it may write)"),
    ],
)
def test_a_place_that_cannot_be_written_is_the_servers_matter(
    client: TestClient, jpeg: bytes, monkeypatch: pytest.MonkeyPatch, number: int, status: int, said: str
) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("intarsia.serving.answers.tempfile.TemporaryDirectory", refuse)
    found = client.post("/v1/segment?model=bright&format=coco", content=jpeg)
    assert found.status_code == status and said in found.json()["detail"]
    assert found.headers["content-type"] == "application/problem+json"

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError):
        make_folder(Path("a"))
    found = client.post("/v1/project/items", files={"file": ("a.jpg", jpeg)})
    assert found.status_code == status and said in found.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/v2/models/bright/infer", "application/json"),
        ("POST", "/v2/models/bright/infer", "application/x-www-form-urlencoded"),  # as curl -d says
        ("POST", "/ls/predict", "application/json"),
        ("POST", "/ls/setup", "text/plain"),
        ("PATCH", "/v1/project", "application/json"),
        ("POST", "/v1/project/train", "application/merge-patch+json; charset=utf-8"),
    ],
)
def test_json_of_too_many_values_is_refused_before_it_is_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, method: str, path: str, kind: str
) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("it was read")

    app = create_app(settings.model_copy(update={"max_held": 1 << 20}))
    with TestClient(app) as client:
        monkeypatch.setattr("json.loads", read)
        monkeypatch.setattr("pydantic.BaseModel.model_validate_json", read)
        found = client.request(method, path, content=b"[" + b"{}," * 10_000 + b"{}]", headers={"Content-Type": kind})
        monkeypatch.undo()
        assert found.status_code == 413
        assert "JSON of so many values" in found.json()["detail"] and "--max-held" in found.json()["detail"]
        assert app.state.budget.held == 0
        few = client.request(method, path, content=b"[" + b"{}," * 100 + b"{}]", headers={"Content-Type": kind})
        assert few.status_code in (400, 422)


def test_what_json_takes_when_it_is_read_counts_for_all_requests(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"max_held": 1 << 20}))
    with TestClient(app) as client:
        app.state.budget.take(1000, 0)
        body = b'{"inputs": [' + b"1," * 15_000 + b"1]}"  # 30 KB, and 0.8 MB of values
        assert client.post("/v2/models/bright/infer", content=body).status_code == 400
        app.state.budget.take(400_000, 0)
        found = client.post("/v2/models/bright/infer", content=body)
        assert found.status_code == 429 and found.headers["Retry-After"] == "1"
        assert "error" in found.json()


def test_the_bytes_behind_json_are_no_values(settings: Settings) -> None:
    head = b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [100, 150, 3], "parameters": '
    head += b'{"binary_data_size": 45000}}], "outputs": [{"name": "labels", "parameters": {"binary_data": true}}]}'
    with TestClient(create_app(settings.model_copy(update={"max_held": 1 << 20}))) as client:
        told = {"Inference-Header-Content-Length": str(len(head))}
        found = client.post("/v2/models/bright/infer", content=head + b"," * 45_000, headers=told)
        assert found.status_code == 200
        long = head + b" " * (1 << 20)
        told = {"Inference-Header-Content-Length": str(len(long))}
        found = client.post("/v2/models/bright/infer", content=long + b"," * 45_000, headers=told)
        assert found.status_code in (413, 429)
