"""Errors as problem+json (RFC 9457): what went wrong, why, and what to do."""

from __future__ import annotations

import errno
import re
import tempfile
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from intarsia.errors import DataError, IntarsiaError, ModelError, NothingFound, TooLarge
from intarsia.failures import explained

BAD_REQUEST, UNAUTHORIZED, NOT_FOUND, CONFLICT = 400, 401, 404, 409
NOT_ACCEPTABLE, TOO_LARGE, UNSUPPORTED, UNPROCESSABLE = 406, 413, 415, 422
TOO_MANY, UNAVAILABLE, TOO_LATE, NO_SPACE = 429, 503, 504, 507
_NOT_ALLOWED = 405
CLIENT_GONE = 499
"""Of requests whose client left; nobody reads the answer, the log does."""
MEDIA_TYPE = "application/problem+json"
_TOLD = 5
_LONGEST = 2000  # characters of a text in an answer, which may name what a client has sent
PREFIX = "intarsia-serve-"
"""Of the server's temporary folders."""
_OURS = rf"/(intarsia-archive-|{PREFIX})[^/\s]+?(/(in|out|files))?(/|(?=[\s:,;)]|$))"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG, errno.EXDEV, errno.ESTALE)
_FIXES = {
    NO_SPACE: "(of the server: its temporary folder, TMPDIR, or --state, where jobs and projects are)",
    UNAVAILABLE: "(of the server: start it with a --state, and a TMPDIR, that it may write)",
}
_MEMBERS = {
    "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
    "detail": {"type": "string"}, "instance": {"type": "string"}, "request_id": {"type": "string"},
}  # fmt: skip
RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong, why, and what to do (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": {"type": "object", "required": list(_MEMBERS), "properties": _MEMBERS}}},
    }
}
"""How the documentation of the API tells errors, for every route."""


class Problem(Exception):
    """An answer that is an error.

    Args:
        status: of HTTP.
        detail: the thing, the reason and the fix, in sentences.
        headers: further ones of the answer.
        more: further members of the JSON object.
    """

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more

    def document(self) -> dict[str, Any]:
        """The JSON object."""
        title = "Client Closed Request" if self.status == CLIENT_GONE else HTTPStatus(self.status).phrase
        return {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail, **self.more}


def problem_of(error: Exception) -> Problem:
    """Tell any error as a problem; 500 is for defects alone."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ClientDisconnect):
        return Problem(CLIENT_GONE, "the client left before its body had come")
    known = error if isinstance(error, IntarsiaError) else explained(error)
    if known is None:
        return Problem(
            500, f"{type(error).__name__}: {error}. This is a defect in Intarsia; the server's log shows where"
        )
    status, fix = UNPROCESSABLE, ""
    code = next((one.errno for one in (error, error.__cause__) if isinstance(one, OSError)), None)
    if code in (*_FULL, *_REFUSED):
        status = NO_SPACE if code in _FULL else UNAVAILABLE
        fix = f" {_FIXES[status]}"
    elif isinstance(known, ModelError):
        status = UNAVAILABLE
    elif isinstance(known, TooLarge):
        status = TOO_LARGE
    elif isinstance(known, DataError) and not isinstance(known, NothingFound):
        status = BAD_REQUEST
    return Problem(status, f"{known}{fix}", kind=type(known).__name__, exit_code=known.exit_code)


def reasons(error: ValidationError) -> str:
    """Tell in a sentence what is wrong with what a client sent: the first things of it."""
    wrong = error.errors(include_url=False, include_context=False, include_input=False)[:_TOLD]
    return "; ".join(": ".join([*filter(None, [".".join(map(str, one["loc"]))]), one["msg"]]) for one in wrong)


def answer(request: Request, problem: Problem) -> Response:
    """Make the response of a problem, which names its request, and none of this server's folders."""
    more = {"instance": request.url.path, "request_id": request.scope.get("request_id")}
    told = {name: _tellable(value, request) for name, value in problem.document().items()}
    return JSONResponse(told | more, problem.status, problem.headers, media_type=MEDIA_TYPE)


def _tellable(value: Any, request: Request) -> Any:
    """A text without the folders of models, state and data, so that names of files are left; and not without end."""
    if isinstance(value, str):
        value = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
        value = without_folders(value)
        for place in request.app.state.folders:
            value = value.replace(f"{place}/", "")
    return value


def without_folders(text: str) -> str:
    """A message without the server's temporary folders: they are nobody's business."""
    try:
        place = tempfile.gettempdir()
    except FileNotFoundError:  # there is none, which may be what the message is about
        return text
    return re.sub(re.escape(place) + _OURS, "", text)


def install(app: FastAPI) -> None:
    """Let every error of an app leave as a problem."""

    async def of_framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(error.__cause__, Problem):  # raised while the framework itself read a body
            return answer(request, error.__cause__)
        detail = str(error.detail)
        if error.status_code == NOT_FOUND and detail == "Not Found":
            detail = f"there is nothing at {request.url.path}; /docs lists what there is"
        elif error.status_code == _NOT_ALLOWED:
            allowed = (error.headers or {}).get("Allow", "another method")
            detail = f"{request.url.path} does not answer {request.method}; send {allowed}"
        return answer(request, Problem(error.status_code, detail, headers=dict(error.headers or {})))

    async def of_arguments(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        wrong = [
            {"where": ".".join(str(part) for part in one["loc"]), "reason": str(one["msg"])} for one in error.errors()
        ]
        said = "; ".join(f"{one['where']}: {one['reason']}" for one in wrong)
        return answer(request, Problem(UNPROCESSABLE, said, errors=wrong))

    async def of_us(request: Request, error: Exception) -> Response:
        return answer(request, problem_of(error))

    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, of_arguments)
    for kind in (Problem, IntarsiaError, OSError, MemoryError, UnicodeError, ModuleNotFoundError):
        app.add_exception_handler(kind, of_us)
