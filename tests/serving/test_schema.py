"""The documented API under requests that its own document generates: no defects, and only documented answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as effort
from schemathesis import checks
from schemathesis.core.failures import FailureGroup
from starlette.testclient import TestClient

from intarsia.serving.app import create_app
from intarsia.serving.running import address, listen
from intarsia.serving.settings import Settings

EXAMPLES = 5  # of each operation


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Any]:
    """The document of a server that listens."""
    served = settings.model_copy(update={"port": 0, "rembg": True, "queue": 100})
    found = listen(served)
    app = create_app(served)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [found]})
    thread.start()
    while not app.state.ready:
        time.sleep(0.01)
    yield schemathesis.openapi.from_url(f"{address(found)}/openapi.json")
    server.should_exit = True
    thread.join()


def test_nothing_that_is_sent_finds_a_defect(api: Any) -> None:
    @effort(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def check(case: Any) -> None:
        case.call_and_validate(
            checks=[
                checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
            timeout=30,
        )  # fmt: skip

    failed = []
    for found in api.get_all_operations():
        operation = found.ok()
        try:
            given(case=operation.as_strategy())(check)()
        except FailureGroup as error:
            failed += [f"{operation.label}: {one}" for one in error.exceptions]
    assert not failed, "\n\n".join(failed)


def test_every_operation_documents_its_problems(client: TestClient) -> None:
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            told = operation["responses"]
            assert "application/problem+json" in told["default"]["content"], (method, path)
            assert "422" not in told, (method, path)


WITHOUT_BODY = ("/v1/project/items/{item}/predict", "/v1/project/items/{item}/cloud/predict")
"""Are posted to, and need nothing."""


def test_every_operation_documents_its_body_and_its_answers(client: TestClient) -> None:
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            if method in ("post", "put", "patch") and path not in WITHOUT_BODY:
                assert all("schema" in one for one in operation["requestBody"]["content"].values()), path
            good = {status: told for status, told in operation["responses"].items() if status in ("200", "201", "202")}
            assert good or "204" in operation["responses"], (method, path)
            for told in good.values():
                assert told["content"] and all("schema" in one for one in told["content"].values()), (method, path)
