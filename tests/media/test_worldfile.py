"""World files beside pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from intarsia.media.images import open_image
from intarsia.media.worldfile import world_file


@pytest.mark.parametrize(
    ("picture", "world"), [("a.jpg", "a.jgw"), ("a.png", "a.PGW"), ("a.jpeg", "a.jpegw"), ("a.png", "a.wld")]
)
def test_a_world_file_is_told(tmp_path: Path, picture: str, world: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / picture)
    assert open_image(tmp_path / picture).notes == ()
    (tmp_path / world).write_text("2\n0\n0\n-2\n500001\n4999999\n")
    assert world_file(tmp_path / picture) == tmp_path / world
    (note,) = open_image(tmp_path / picture).notes
    assert note.startswith(f"{world} beside it says where it lies on the map")


@pytest.mark.parametrize("text", ["", "1 2 3", "a b c d e f"])
def test_what_is_no_world_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jgw").write_text(text)
    assert world_file(tmp_path / "a.jpg") is None
