"""Fetching data sets from a server on this machine."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trees

from intarsia.datasets import open_dataset
from intarsia.datasets.catalogue import entry
from intarsia.datasets.download import fetch, get, unpack
from intarsia.datasets.public import Download
from intarsia.errors import DataError, UsageError


class Server(ThreadingHTTPServer):
    """Serves `content` at every path; `ranges` off ignores Range, `cut` closes the first answers early."""

    content = b""
    ranges = True
    cut = 0
    asked: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        content = self.server.content
        if self.path == "/absent":
            self.send_error(404, "Not Found")
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if start >= len(content) and start:
            self.send_error(416, "Range Not Satisfiable")
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if self.server.cut:
            self.wfile.write(body[: self.server.cut])
            self.server.cut = 0
            self.close_connection = True
            return
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def offered(server: Server, name: str = "data.tar", content: bytes | None = None, path: str = "") -> Download:
    server.content = server.content if content is None else content
    url = f"http://127.0.0.1:{server.server_port}/{path or name}"
    return Download(url, name, len(server.content), hashlib.md5(server.content).hexdigest())


def packed(folder: Path, mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, path.relative_to(folder).as_posix(), recursive=False)
    return file.getvalue()


def test_a_whole_data_set(server: Server, tmp_path: Path) -> None:
    content = packed(trees.pascal_voc(tmp_path / "source"))
    seen: list[tuple[int, int]] = []
    known = replace(entry("pascal-voc"), downloads=(offered(server, "voc.tar", content),))
    places = get(known, tmp_path / "data", progress=lambda done, total: seen.append((done, total)))
    assert places == [tmp_path / "data/VOCdevkit"]
    assert seen[-1] == (len(content), len(content))
    assert open_dataset(tmp_path / "data").layout == "pascal-voc"
    assert not (tmp_path / "data/voc.tar").exists()
    get(known, tmp_path / "data", keep=True)
    assert (tmp_path / "data/voc.tar").exists()
    before = len(server.asked)
    get(known, tmp_path / "data", keep=True)
    assert len(server.asked) == before, "what is there and intact is not fetched again"


def test_an_interrupted_download_goes_on(server: Server, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    download = offered(server, content=content)
    server.cut = 300_000
    with pytest.raises(DataError, match="the same command continues where it stopped"):
        fetch(download, tmp_path)
    kept = (tmp_path / "data.tar.part").stat().st_size
    assert 0 < kept <= 300_000 and not (tmp_path / "data.tar").exists()
    assert fetch(download, tmp_path).read_bytes() == content
    assert server.asked == [None, f"bytes={kept}-"]
    assert not (tmp_path / "data.tar.part").exists()


def test_a_server_without_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    download = offered(server, content=b"abc" * 1000)
    server.ranges = False
    (tmp_path / "data.tar.part").write_bytes(b"abcab")
    assert fetch(download, tmp_path).read_bytes() == server.content


def test_a_complete_part_is_only_checked(server: Server, tmp_path: Path) -> None:
    download = offered(server, content=b"abc" * 1000)
    (tmp_path / "data.tar.part").write_bytes(server.content)
    assert fetch(download, tmp_path).read_bytes() == server.content


def test_a_wrong_checksum(server: Server, tmp_path: Path) -> None:
    download = replace(offered(server, content=b"abc"), md5="0" * 32)
    with pytest.raises(DataError, match=r"its MD5 checksum is 900150983cd24fb0d6963f7d28e17f72, not 000"):
        fetch(download, tmp_path)
    assert not list(tmp_path.iterdir()), "nothing that is wrong stays"
    (tmp_path / "data.tar").write_bytes(b"mine")
    with pytest.raises(DataError, match="remove it and fetch it again"):
        fetch(download, tmp_path)
    assert (tmp_path / "data.tar").read_bytes() == b"mine"


def test_servers_that_fail(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the server says 404 Not Found"):
        fetch(offered(server, path="absent"), tmp_path)
    port = server.server_port
    with pytest.raises(DataError, match="cannot fetch"):
        fetch(Download(f"http://127.0.0.1:{port + 1 if port < 65535 else 1}/a", "a", 0, "0" * 32), tmp_path)
    with pytest.raises(DataError, match="only http and https are fetched"):
        fetch(Download(f"file://{tmp_path}/a", "a", 0, "0" * 32), tmp_path)


def test_what_needs_registration_says_how(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cityscapes cannot be fetched by a program.*\nHow to get it:\n  1. register"):
        get(entry("cityscapes"), tmp_path)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_tar_archives(mode: str, tmp_path: Path) -> None:
    trees.text(tmp_path / "source/top/deep/a.txt", "a")
    trees.text(tmp_path / "source/b.txt", "b")
    (tmp_path / "a.tar").write_bytes(packed(tmp_path / "source", mode))
    assert unpack(tmp_path / "a.tar", tmp_path / "out") == [tmp_path / "out/b.txt", tmp_path / "out/top"]
    assert (tmp_path / "out/top/deep/a.txt").read_text() == "a\n"


def test_zip_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("top/a.txt", "a")
        archive.writestr("top/empty/", "")
    assert unpack(tmp_path / "a.zip", tmp_path / "out") == [tmp_path / "out/top"]


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "C:\\evil.txt", "..\\evil.txt"])
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_names_that_lead_outside(form: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("good.txt", "a")
            archive.writestr(name, "a")
    else:
        with tarfile.open(path, "w") as archive:
            for member in ("good.txt", name):
                info = tarfile.TarInfo(member)
                info.size = 1
                archive.addfile(info, io.BytesIO(b"a"))
    with pytest.raises(DataError, match="would be written outside of the folder"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists(), "everything is checked before anything is written"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(DataError, match="link is a link or a device"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_bombs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(101 << 20))
    with pytest.raises(DataError, match=r"refused: its .* bytes would unpack to 1 files of 105,906,176 bytes"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"neither tar nor zip" * 100, b"PK\x03\x04 cut off"])
def test_what_is_no_archive(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.tar: not an archive, or damaged"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
