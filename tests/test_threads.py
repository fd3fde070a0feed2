"""How threads wait: what is in the environment when torch is loaded is asserted, not how long anything takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

from intarsia.threads import POLICY, share_cores, side_by_side, waiting

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
# Runs `doctor`, which needs torch, and leaves when it is about to be loaded, telling what a child of it would inherit.
UNTIL_TORCH = """
import subprocess, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            code = "import json, os; print(json.dumps(dict(os.environ)))"
            sys.exit(subprocess.run([sys.executable, "-c", code]).returncode)

sys.meta_path.insert(0, Watch())
from intarsia.cli.main import main

main(["doctor"])
raise AssertionError("torch was not loaded")
"""


def inherited(**variables: str) -> dict[str, str]:
    """How threads wait in a process that a command starts, by its environment."""
    command = [sys.executable, "-c", UNTIL_TORCH]
    done = subprocess.run(command, env=CLEAN | variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return waiting(json.loads(done.stdout))


def test_a_command_says_how_threads_wait_before_torch_is_loaded_and_its_children_inherit_it() -> None:
    assert inherited() == POLICY


def test_the_users_own_variable_wins() -> None:
    assert inherited(OMP_WAIT_POLICY="ACTIVE") == {"OMP_WAIT_POLICY": "ACTIVE"}


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY"])
def test_one_variable_of_the_users_is_enough_to_leave_all_alone(name: str) -> None:
    environment = {name: "7", "HOME": "/"}
    share_cores(environment, loaded=())
    assert environment == {name: "7", "HOME": "/"}
    assert waiting(environment) == {name: "7"}


def test_the_environment_of_a_program_that_has_loaded_torch_stays_as_it_is() -> None:
    environment: dict[str, str] = {}
    share_cores(environment, loaded={"torch"})
    assert environment == {} and waiting(environment) == {}
    share_cores(environment, loaded={"numpy"})
    assert environment == POLICY


def test_the_package_itself_does_not_touch_the_environment() -> None:
    code = "import os; before = dict(os.environ); import intarsia, intarsia.cli.main; assert dict(os.environ) == before"
    shell = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}  # which the shell alone sets
    subprocess.run([sys.executable, "-c", code], env=CLEAN | shell, check=True, timeout=60)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_parts_side_by_side_come_in_their_order(threads: int) -> None:
    assert list(side_by_side(lambda part: part * part, range(40), threads)) == [part * part for part in range(40)]


def test_parts_are_done_on_as_many_threads_as_said() -> None:
    both = threading.Barrier(2, timeout=30)  # two parts must be in work at once
    assert list(side_by_side(lambda part: both.wait() >= 0, range(4), 2)) == [True] * 4


def test_few_parts_are_begun_ahead_of_the_one_that_is_taken() -> None:
    parts = iter(range(100))
    done = side_by_side(lambda part: part, parts, 2)
    assert next(done) == 0
    done.close()  # type: ignore[attr-defined]
    assert next(parts) == 3 and not [one for one in threading.enumerate() if one.name.startswith("side-by-side")]


def test_an_error_comes_where_its_part_would_have() -> None:
    done = side_by_side(lambda part: 6 // part, [3, 2, 0, 1], 2)
    assert [next(done), next(done)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(done)
