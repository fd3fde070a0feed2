"""Model files of OpenVINO's form, a graph in FILE.xml and its numbers in FILE.bin, read without the openvino package.

The graph's elements are those of https://docs.openvino.ai/2026/documentation/openvino-ir-format.html.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, tostring

from numpy.typing import NDArray

from intarsia.errors import ModelError

_MAX_XML = 200_000_000
_PART = 1 << 20


def metadata(file: Path) -> dict[str, str]:
    """Read the texts that a graph carries.

    Raises:
        ModelError: it is missing, damaged or no graph of OpenVINO.
    """
    return {entry.tag: entry.get("value", "") for entry in _graph(file).iterfind("./rt_info/*")}


def check(file: Path) -> Path:
    """Check that a graph and its numbers are whole, before a runtime opens them.

    Returns:
        The file with the numbers.

    Raises:
        ModelError: one of them is missing or damaged, or the numbers lie in another folder.
    """
    graph = _graph(file)
    numbers = file.with_suffix(".bin")
    if not numbers.is_file():
        raise ModelError(
            f"{file}: the network's numbers, {numbers.name}, are missing; copy both files, or export again"
        )
    if numbers.resolve().parent not in (file.parent.resolve(), file.resolve().parent):
        raise ModelError(
            f"{numbers}: a link to another folder, where nothing is opened; copy the file itself beside {file.name}"
        )
    needed, size = (
        max(map(_end, graph.iterfind("./layers/layer[@type='Const']/data")), default=0),
        numbers.stat().st_size,
    )
    if needed > size:
        raise ModelError(
            f"{numbers}: {needed - size} bytes of the network's numbers are missing; copy or export it again"
        )
    return numbers


def tensors(file: Path) -> dict[str, NDArray[Any]]:
    """Refuse: the weights have lost their names, and norms are folded into them.

    Raises:
        ModelError: always.
    """
    raise ModelError(
        f"{file}: a network for OpenVINO, which holds no weights by name: norms are folded into them. Name the bundle "
        "that it was exported from, or an .onnx file"
    )


def digest(file: Path, into: hashlib._Hash) -> None:
    """Add its graph and numbers to a checksum."""
    numbers, graph = check(file), _graph(file)
    for texts in graph.findall("./rt_info"):
        graph.remove(texts)
    into.update(tostring(graph))
    with numbers.open("rb") as stream:
        while part := stream.read(_PART):
            into.update(part)


def _graph(file: Path) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import parse

    try:
        size = file.stat().st_size
        if size > _MAX_XML:
            raise ModelError(f"{file}: {size / 1e9:.1f} GB, which no network's graph has; export it again")
        root: Element | None = parse(file).getroot()
    except FileNotFoundError:
        raise ModelError(f"{file}: no such model; check the path") from None
    except IsADirectoryError:
        raise ModelError(f"{file}: a folder, not a model; name the .xml file in it") from None
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}") from error
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise ModelError(f"{file}: no network for OpenVINO, or a damaged one ({error}); export it again") from error
    if root is None or root.tag != "net" or root.find("./layers") is None:
        raise ModelError(
            f"{file}: an XML file, but no network for OpenVINO; export one: intarsia export MODEL -o FILE.xml"
        )
    return root


def _end(data: Element) -> int:
    """Where a constant's numbers end."""
    try:
        return int(data.get("offset", "")) + int(data.get("size", ""))
    except ValueError:
        return 0
