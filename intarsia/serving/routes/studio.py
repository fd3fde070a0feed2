"""The studio's own files, and samples to begin with."""

from __future__ import annotations

import mimetypes
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

from intarsia.serving.problems import NOT_FOUND, Problem

router = APIRouter(tags=["studio"])

FOLDER = Path(__file__).parents[1] / "studio"
_ELSEWHERE = ("docs.js", "png.js", "pngworker.js")  # modules that the studio's page does not import
_KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


@router.get("/", include_in_schema=False)
async def studio(request: Request) -> Response:
    """Open the studio, and name its modules, so that browsers need not find them one in the other."""
    answer = _file(request, "index.html")
    answer.headers["Link"] = ", ".join(f"</studio/{name}>; rel=modulepreload" for name in _modules())
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


def _modules() -> list[str]:
    """The modules of the page itself, without those of its workers and of other pages."""
    return [name for name in _files() if name.startswith("js/") and Path(name).name not in _ELSEWHERE]


def _file(request: Request, name: str) -> Response:
    """Send a file of the studio's folder, of which only those that are there can be named."""
    if name not in _files():
        raise Problem(NOT_FOUND, f"the studio has no file {name!r}")
    path = _files()[name]
    kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    found = FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})
    found.set_stat_headers(path.stat())
    if request.headers.get("if-none-match") == found.headers["etag"]:
        return Response(status_code=304, headers={"ETag": found.headers["etag"], "Cache-Control": "no-cache"})
    return found
