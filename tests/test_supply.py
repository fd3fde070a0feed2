"""What the package brings along: licences, what a wheel lists of itself, and nothing from the network."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tools"))

from bill import bill_of, licence_of, needed  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Affero and plain GPL bind whoever distributes; LGPL and MPL do not. A choice of licences counts by the other one.
BINDING = re.compile(r"(?<!L)\bA?GPL|Affero|(?<!Lesser )General Public License")
# GPL-3, and asked for by the extra "clouds" alone: a PLY reader of our own has to take its place. Nothing is added here.
KNOWN = {"plyfile"}


def test_no_dependency_binds_those_who_distribute() -> None:
    extras = [name for name in PROJECT["optional-dependencies"] if name != "dev"]
    found = {name: licence_of(name) for name in needed("intarsia", extras)}
    assert {"numpy", "pillow", "typer", "typing-extensions"} <= found.keys()
    bound = {name: said for name, said in found.items() if BINDING.search(said) and not re.search(r"\bOR\b", said)}
    assert bound.keys() <= KNOWN, bound


@pytest.mark.parametrize(
    ("said", "binds"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("GNU General Public License v2", True),
        ("GNU Affero General Public License v3", True),
        ("GNU Lesser General Public License v3", False),
        ("LGPL-2.1", False),
        ("MIT", False),
    ],
)
def test_what_binds(said: str, binds: bool) -> None:
    assert bool(BINDING.search(said)) == binds


def test_the_bill_names_every_package_that_is_needed(tmp_path: Path) -> None:
    wheel = tmp_path / "intarsia-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("intarsia-1.0.dist-info/METADATA", "Metadata-Version: 2.4\nName: intarsia\nVersion: 1.0\n")
    bill = bill_of(wheel)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    component = bill["metadata"]["component"]
    assert (component["name"], component["version"]) == ("intarsia", "1.0")
    assert re.fullmatch("[0-9a-f]{64}", component["hashes"][0]["content"])
    numpy = next(one for one in bill["components"] if one["name"] == "numpy")
    assert numpy["purl"] == f"pkg:pypi/numpy@{metadata.version('numpy')}" and numpy["licenses"]
    assert json.dumps(bill) == json.dumps(bill_of(wheel))


def test_tests_stay_on_this_machine() -> None:
    with socket.socket() as one, pytest.raises(OSError, match="tests stay on this machine"):
        one.connect(("192.0.2.1", 80))
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())


def test_the_bill_is_a_command(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "bill.py"), "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "CycloneDX" in done.stdout
