"""The studio's own files, and samples to begin with."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from intarsia.serving.problems import NOT_FOUND, Problem

router = APIRouter(tags=["studio"])

FOLDER = Path(__file__).parents[1] / "studio"
_LATER = ("docs.js", "png.js", "pngworker.js", "project/", "uses/", "cloud/")
"""Modules that the studio's page does not need to show its first picture."""
_ASKED = ("/v1/models", "/v1/project", "/v1/project/options")
"""What the page asks the server for as soon as its modules are there."""
_KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


@router.get("/", include_in_schema=False)
async def studio(request: Request) -> Response:
    """Open the studio, and name what it asks for first, so that browsers need not find one in the other."""
    answer = _file(request, "index.html")
    links = [f"</studio/{name}>; rel=modulepreload" for name in _modules()]
    if request.app.state.settings.api_key is None:  # browsers would ask without it
        links += [f"<{path}>; rel=preload; as=fetch; crossorigin" for path in _ASKED]
    answer.headers["Link"] = ", ".join(links)
    return answer


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """Show what the API offers."""
    return _file(request, "docs.html")


@router.get("/studio/{path:path}", include_in_schema=False)
async def studio_file(request: Request, path: str) -> Response:
    """Send one of the studio's files."""
    return _file(request, path)


@cache
def _files() -> dict[str, Path]:
    """Every file of the studio by its name; looked for once, as a page asks for dozens."""
    return {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*")) if path.is_file()}


def read_files() -> None:
    """Read all files of the studio, before anybody waits for them."""
    for path in _files().values():
        _read(path, path.stat().st_mtime_ns)


def _modules() -> list[str]:
    """The modules that the studio's page needs to show its first picture."""
    return [name for name in _files() if name.startswith("js/") and not name.removeprefix("js/").startswith(_LATER)]


@cache
def _read(path: Path, changed: int) -> tuple[bytes, str]:
    """A file's bytes, and the tag of these; kept until it has changed, as a page asks for dozens."""
    content = path.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def _file(request: Request, name: str) -> Response:
    """Send a file of the studio's folder, of which only those that are there can be named."""
    if name not in _files():
        raise Problem(NOT_FOUND, f"the studio has no file {name!r}")
    path = _files()[name]
    content, tag = _read(path, path.stat().st_mtime_ns)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return Response(content, media_type=kind, headers=headers)
