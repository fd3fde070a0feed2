"""Networks that OpenVINO computes, and which files are one; none of it needs torch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ir_made import SPACE, write_ir

import intarsia
from intarsia.bundle import Bundle, Description
from intarsia.errors import ModelError, UsageError
from intarsia.runtimes import choose
from intarsia.runtimes.openvino import OpenVinoRuntime, has_bf16


def test_an_exported_network_segments(tmp_path: Path) -> None:
    image = np.full((20, 32, 3), 40, np.uint8)
    image[:, 16:] = 220
    model = intarsia.load(write_ir(tmp_path / "net.xml"))
    found = model.segment(image)
    assert np.array_equal(found.labels, image[..., 0] > 127)
    assert found.space == SPACE and model.identity().runtime["name"] == "openvino"
    assert model.identity().runtime["precision"] == "fp32"


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 5), (8, 4)])
def test_any_size_and_batch(tmp_path: Path, shape: tuple[int, int]) -> None:
    runtime = OpenVinoRuntime(write_ir(tmp_path / "net.xml"), 2)
    logits = runtime.logits(np.ones((3, 3, *shape), np.float32))
    assert logits.shape == (3, 2, -(-shape[0] // 4), -(-shape[1] // 4)) and logits.dtype == np.float32
    assert np.allclose(logits[:, 1], 0.5) and np.allclose(logits[:, 0], -0.5)


def test_a_signal_is_survived_after_networks_were_given_up(tmp_path: Path) -> None:
    """In a process of its own, which a signal on memory that was given back would end."""
    script = (
        "import signal, sys; from pathlib import Path; from intarsia.runtimes.openvino import OpenVinoRuntime\n"
        "first, second = (OpenVinoRuntime(Path(sys.argv[1]), 2) for _ in range(2))\n"
        "del first; del second\n"
        "signal.signal(signal.SIGINT, lambda *_: print('answered'))\n"
        "signal.raise_signal(signal.SIGINT)"
    )
    file = write_ir(tmp_path / "net.xml")
    done = subprocess.run([sys.executable, "-c", script, file], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "answered\n"), done.stderr


def test_a_limit_on_instructions_is_survived(tmp_path: Path) -> None:
    """Bundled networks refused, and `edge` ended the process, where oneDNN was kept from what OpenVINO counts on."""
    script = (
        "import os, numpy as np; from intarsia.runtimes.openvino import core; from intarsia.zoo import find_bundle\n"
        "for name, channels in (('edge', 5), ('street', 3)):\n"
        "    network = core().compile_model(find_bundle(name), 'CPU')\n"
        "    print(network(np.zeros((1, channels, 64, 96), np.float32))[0].shape)\n"
        "print(os.environ['ONEDNN_MAX_CPU_ISA'])"
    )
    limited = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=limited)
    assert (done.returncode, done.stdout) == (0, "(1, 1, 64, 96)\n(1, 11, 16, 24)\nAVX2\n"), done.stderr


def test_results_do_not_share_memory(tmp_path: Path) -> None:
    runtime = OpenVinoRuntime(write_ir(tmp_path / "net.xml"), 2)
    first = runtime.logits(np.ones((1, 3, 4, 4), np.float32))
    runtime.logits(np.zeros((1, 3, 4, 4), np.float32))
    assert np.allclose(first[0, 1], 0.5)


def test_the_file_says_how_it_is_used(tmp_path: Path) -> None:
    file = write_ir(tmp_path / "net.xml", stride=2, margin=7, align_corners=True, precision="int8", sizes=[[8, 12]])
    runtime = OpenVinoRuntime(file, 2)
    told = (runtime.stride, runtime.margin, runtime.align_corners, runtime.precision, runtime.in_channels)
    assert told == (2, 7, True, "int8", 3)
    with pytest.raises(ModelError, match="exported for pictures of 12x8 pixels, not 8x8"):
        runtime.logits(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(UsageError, match="exported in int8; use auto, or export it again with --precision fp32"):
        OpenVinoRuntime.of(Description.load(file), file, "fp32")
    with pytest.raises(ModelError, match="gives 2 classes, and its description names 3"):
        OpenVinoRuntime(file, 3)


def test_bfloat16_is_used_where_the_processor_has_it(tmp_path: Path) -> None:
    file = write_ir(tmp_path / "net.xml", precision="bf16")
    assert OpenVinoRuntime(file, 2).precision == ("bf16" if has_bf16() else "fp32")
    assert OpenVinoRuntime(file, 2, precision="fp32").precision == "fp32"
    if not has_bf16():
        with pytest.raises(UsageError, match="cpu does not compute in bfloat16 here"):
            OpenVinoRuntime(file, 2, precision="bf16")


def test_a_network_that_gives_something_else_is_refused(tmp_path: Path) -> None:
    runtime = OpenVinoRuntime(write_ir(tmp_path / "net.xml", stride=2), 2)
    with pytest.raises(ModelError, match="gives 3x2 cells for 10x8 pixels, not the 5x4 of its stride"):
        runtime.logits(np.zeros((1, 3, 8, 10), np.float32))


def test_auto_opens_such_a_file_by_openvino_alone(tmp_path: Path) -> None:
    file = write_ir(tmp_path / "net.xml")
    found = Description.load(file)
    assert choose(found, "auto", "cpu") == ("openvino", "auto")
    with pytest.raises(UsageError, match="the runtime openvino computes on the CPU, not on 'cuda'"):
        intarsia.load(file, runtime="openvino", device="cuda")
    with pytest.raises(ModelError, match=r"holds no weights by name.* Name the bundle"):
        Bundle.load(file)


def test_the_checksum_is_of_graph_and_numbers(tmp_path: Path) -> None:
    file = write_ir(tmp_path / "net.xml")
    first = Description.load(file).checksum()
    file.write_text(file.read_text().replace("&quot;margin&quot;: 0", "&quot;margin&quot;: 3"))
    assert OpenVinoRuntime(file, 2).margin == 3 and Description.load(file).checksum() == first
    numbers = file.with_suffix(".bin")
    numbers.write_bytes(numbers.read_bytes()[:-1] + b"\x7f")
    assert Description.load(file).checksum() != first


def _without_numbers(file: Path) -> None:
    file.with_suffix(".bin").unlink()


def _short(file: Path) -> None:
    numbers = file.with_suffix(".bin")
    numbers.write_bytes(numbers.read_bytes()[:-5])


def _elsewhere(file: Path) -> None:
    numbers = file.with_suffix(".bin")
    (file.parent / "other").mkdir()
    numbers.rename(file.parent / "other" / "secret")
    numbers.symlink_to(file.parent / "other" / "secret")


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def _foreign(file: Path) -> None:
    file.write_text(file.read_text().replace("<intarsia ", "<theirs "))


def _entities(file: Path) -> None:
    file.write_text('<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]><net><layers>&a;</layers></net>')


def _other(file: Path) -> None:
    file.write_text("<annotation><object/></annotation>")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without_numbers, r"the network's numbers, net\.bin, are missing"),
        (_short, "5 bytes of the network's numbers are missing"),
        (_elsewhere, "a link to another folder, where nothing is opened"),
        (_cut, "no network for OpenVINO, or a damaged one"),
        (_foreign, "holds no description of its classes and preprocessing"),
        (_entities, "no network for OpenVINO, or a damaged one"),
        (_other, "an XML file, but no network for OpenVINO"),
    ],
)
def test_what_is_damaged_or_foreign_is_refused(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    file = write_ir(tmp_path / "net.xml")
    damage(file)
    with pytest.raises(ModelError, match=message) as caught:
        intarsia.load(file)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_file_or_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such"):
        intarsia.load(tmp_path / "none.xml")
