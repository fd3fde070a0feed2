"""Reading XML: attacks are refused, memory is bounded; writing: what is written is read back."""

from __future__ import annotations

import gc
import io
from pathlib import Path

import pytest

from intarsia.annotations.xmlfile import XmlWriter, _Growing, children, root_name
from intarsia.errors import DataError

LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]>
<annotations><image name="&lol3;"/></annotations>"""
EXTERNAL = """<?xml version="1.0"?>
<!DOCTYPE foo [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>
<annotations><image name="a.jpg">&xxe;</image></annotations>"""
REMOTE_DTD = '<!DOCTYPE annotations SYSTEM "http://example.com/a.dtd"><annotations/>'


@pytest.mark.parametrize("text", [LAUGHS, EXTERNAL, REMOTE_DTD])
def test_entity_attacks_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(DataError, match=r"a\.xml: refused, it declares a document type or entities"):
        list(children(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "broken XML"),
        (b"<a><b></a>", "broken XML"),
        (b"<a><b/>", "broken XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "broken XML"),
        (b"<a>" * 100, "nested more than 64 deep"),
        (b"\xff\xfe\x00", "broken XML"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        list(children(path))
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.xml: cannot be read: No such file"):
        list(children(tmp_path / "a.xml"))


def test_only_one_child_is_alive_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    child = "<image>" + "<polygon points='1,2;3,4'><attribute>x</attribute></polygon>" * 20 + "</image>\n"
    path.write_text("<annotations>" + child * 500 + "</annotations>")
    most = 0
    for number, element in enumerate(children(path)):
        assert len(element) == 20
        if number % 100 == 0:
            most = max(most, sum(type(thing) is type(element) for thing in gc.get_objects()))
    # One image has 41 elements; Python's parser reads ahead by 16 KiB, which is 14 more images.
    assert number == 499
    assert most < 41 * 20


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'<?xml version="1.0"?><!-- <no> --><annotations id="1">', "annotations"),
        (b'\xef\xbb\xbf\n<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">', "alto"),
        (b"<p:PcGts xmlns:p='x'/>", "PcGts"),
        ("<annotations/>".encode("utf-16"), "annotations"),
        (b"{}", ""),
        (b"", ""),
    ],
)
def test_root_name(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    assert root_name(path) == name


def test_written_texts_are_read_back(tmp_path: Path) -> None:
    text = "<a & 'b' \"c\">\r\n\tж]]>"
    file = io.StringIO()
    xml = XmlWriter(file)
    xml.open("r")
    xml.leaf("v", text, {"a": text})
    xml.leaf("v", "a\0b\ud800c")
    xml.close()
    path = tmp_path / "a.xml"
    path.write_text(file.getvalue(), encoding="utf-8", newline="")
    first, second = list(children(path))
    assert (first.text, first.get("a")) == (text, text)
    assert (second.text, xml.unfit) == ("abc", 2)


def test_a_long_attribute_is_read_in_few_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sizes = tmp_path / "a.xml", list[int]()
    path.write_text(f"<a><b c='{'x' * 3_000_000}'/><b c='y'/></a>", encoding="utf-8")
    read = _Growing.read

    def counted(self: _Growing, size: int) -> bytes:
        piece = read(self, size)
        sizes.append(len(piece))
        return piece

    monkeypatch.setattr(_Growing, "read", counted)
    assert [len(one.get("c")) for one in children(path)] == [3_000_000, 1]
    assert len(sizes) < 15 and sum(sizes) == path.stat().st_size
