"""The part of curl that pages use, on a server in this process."""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path
from urllib.parse import urlsplit

import httpx


def curl(client: httpx.Client, words: tuple[str, ...], folder: Path) -> httpx.Response:
    """Send what a curl command says, and write the answer where `-o` says.

    Args:
        client: to the server.
        words: of the command, without "curl".
        folder: in which files are.
    """
    method, address, body, into, headers = "", "", None, "", {}
    fields: list[tuple[str, tuple[str | None, bytes, str | None]]] = []
    rest = iter(words)
    for word in rest:
        if word in ("-s", "-f", "-sS", "-N", "-fsS"):
            continue
        elif word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-o":
            into = next(rest)
        elif word in ("--data-binary", "-d"):
            said = next(rest)
            body = (folder / said[1:]).read_bytes() if said.startswith("@") else said.encode()
        elif word == "-F":
            fields.append(_field(next(rest), folder))
        elif word.startswith("-"):
            raise ValueError(f"curl {word} is not known here")
        else:
            address = word
    url = urlsplit(address)
    target = url.path + (f"?{url.query}" if url.query else "")
    sent = {"files": fields} if fields else {"content": body} if body is not None else {}
    answer = client.request(method or ("POST" if sent else "GET"), target, headers=headers, **sent)
    if into:
        (folder / into).write_bytes(answer.content)
    return answer


def _field(said: str, folder: Path) -> tuple[str, tuple[str | None, bytes, str | None]]:
    name, _, value = said.partition("=")
    if not value.startswith("@"):
        return name, (None, value.encode(), None)
    file = folder / value[1:]
    return name, (file.name, file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream")


def told(answer: httpx.Response) -> str:
    """An answer's reason, for the message of a failed test."""
    try:
        return json.dumps(answer.json())[:500]
    except ValueError:
        return f"{answer.status_code}, {len(answer.content)} bytes"
