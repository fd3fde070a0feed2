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
from itertools import chain
from pathlib import Path

import onnx
import pytest
from packaging.requirements import Requirement

import intarsia

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tools"))

from audit import CLEAN, NO_ANSWER, WEAK, ask, judge  # noqa: E402
from bill import bill_of, licence_of, needed, plain  # noqa: E402
from lock import locked  # noqa: E402
from release import Refused, require_one_version, require_same, versions  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Affero and plain GPL bind whoever distributes; LGPL and MPL do not. A choice of licences counts by the other one.
BINDING = re.compile(r"(?<!L)\bA?GPL|Affero|(?<!Lesser )General Public License")


def test_no_dependency_binds_those_who_distribute() -> None:
    extras = [name for name in PROJECT["optional-dependencies"] if name != "dev"]
    found = {name: licence_of(name) for name in needed("intarsia", extras)}
    assert {"numpy", "pillow", "typer", "typing-extensions"} <= found.keys()
    bound = {name: said for name, said in found.items() if BINDING.search(said) and not re.search(r"\bOR\b", said)}
    assert bound == {}


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


def test_one_version_everywhere() -> None:
    """The command, /version and the documents of a release say what the package is; nothing is written down twice."""
    assert versions(ROOT) == dict.fromkeys(versions(ROOT), intarsia.__version__)
    assert require_one_version(ROOT) == intarsia.__version__
    assert PROJECT["dynamic"] == ["version"]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("CITATION.cff", ("version: 1.2.3", "version: 1.2.2"), "the version differs.*'1.2.2' in CITATION"),
        ("CHANGELOG.md", ("[1.2.3]", "[1.3.0]"), "'1.3.0' in CHANGELOG"),
        ("intarsia/__init__.py", ("__version__", "_version_"), "'' in intarsia/__init__.py"),
        ("CITATION.cff", ("2026-11-30", "2026-11-29"), "day of release differs"),
        ("CHANGELOG.md", ("2026-11-30", "unreleased"), "day of release differs.*'unreleased'"),
    ],
)
def test_versions_that_differ_are_no_release(tmp_path: Path, name: str, change: tuple[str, str], said: str) -> None:
    (tmp_path / "intarsia").mkdir()
    (tmp_path / "intarsia" / "__init__.py").write_text('"""A package."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "CITATION.cff").write_text('title: "A"\nversion: 1.2.3\ndate-released: "2026-11-30"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.3] - 2026-11-30\n\n## [1.2.2] - 2026-10-01\n")
    assert require_one_version(tmp_path) == "1.2.3"
    (tmp_path / name).write_text((tmp_path / name).read_text().replace(*change))
    with pytest.raises(Refused, match=said):
        require_one_version(tmp_path)


def test_two_builds_that_differ_are_named(tmp_path: Path) -> None:
    for folder, text in (("one", "a"), ("two", "a"), ("three", "b")):
        (tmp_path / folder).mkdir()
        with zipfile.ZipFile(tmp_path / folder / "a-1.whl", "w") as archive:
            archive.writestr(zipfile.ZipInfo("a/__init__.py"), text)
            archive.writestr(zipfile.ZipInfo("a/py.typed"), "")
    require_same(tmp_path / "one" / "a-1.whl", tmp_path / "two" / "a-1.whl", "built twice")
    with pytest.raises(Refused, match=r"built twice: .* differ: a/__init__\.py$"):
        require_same(tmp_path / "one" / "a-1.whl", tmp_path / "three" / "a-1.whl", "built twice")


def test_what_is_installed_is_written_down_with_checksums() -> None:
    def of(name: str, **info: object) -> dict[str, object]:
        return {"metadata": {"name": name, "version": "1.0"}, "download_info": info}

    ours = of("intarsia", dir_info={"editable": True})
    packed = of("Torch_Vision", archive_info={"hashes": {"sha256": "a" * 64}})
    assert locked({"install": [ours, packed]}) == [f"torch-vision==1.0 --hash=sha256:{'a' * 64}"]
    with pytest.raises(ValueError, match=r"b 1\.0 comes without a SHA-256"):
        locked({"install": [of("b", vcs_info={})]})


@pytest.mark.parametrize("file", sorted((ROOT / "tools" / "locked").glob("*.txt")), ids=lambda file: file.stem)
def test_what_is_locked_is_what_the_project_asks_for(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"([a-z0-9-]+)==(\S+) --hash=sha256:[0-9a-f]{64}", line) for line in lines]
    assert lines == sorted(lines) and all(found)
    pins = {match[1]: match[2] for match in found if match}
    asked = map(Requirement, chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()))
    wrong = [str(one) for one in asked if plain(one.name) in pins and pins[plain(one.name)] not in one.specifier]
    assert wrong == [], "run make lock"


def test_bundled_networks_tell_nothing_of_the_machine_that_made_them() -> None:
    """Tracers note each layer's place in the source code, with the paths of whoever ran them."""
    for file in sorted((ROOT / "intarsia" / "zoo").glob("*.onnx")):
        graph = onnx.load(file).graph
        noted = [one.name for one in (*graph.node, *graph.value_info) if one.metadata_props or one.doc_string]
        assert noted == [], file.name


def test_an_audit_without_an_answer_is_none(tmp_path: Path) -> None:
    sound = {"name": "a", "version": "1", "vulns": []}
    weak = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]}
    skipped = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (3)"}
    assert judge([sound], "") == (CLEAN, ["1 packages, and no known weakness."])
    assert judge([sound, weak], "") == (WEAK, ["b 2: CVE-1, CVE-2"])
    code, (said,) = judge([skipped, skipped], "")
    assert code == NO_ANSWER and "the index gave no answer (it knows no weaknesses of any of 2 packages)" in said
    code, (said,) = judge([sound, skipped], "")
    assert code == NO_ANSWER and "of 1 of 2 packages the index says nothing (c)" in said
    assert judge([weak, skipped], "")[0] == WEAK
    offline = tmp_path / "pip-audit"
    offline.write_text("#!/bin/sh\necho 'ConnectionError: nobody is there' >&2\nexit 1\n")
    offline.chmod(0o755)
    code, (said,) = judge(*ask(str(offline), "installed.txt"))
    assert code == NO_ANSWER and "gave no answer (ConnectionError: nobody is there)" in said
