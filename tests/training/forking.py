"""Run by the tests in a process of its own: it imports what trainings need, once, and forks what it is asked for.

Each line of its input is a JSON list: a function as "module:name" of a module beside this one, a folder, and the
function's arguments. It is called in a child: what it prints goes into said.txt in the folder, what it returns into
answer.json; when the child has ended, its exit code is printed. Nothing but imports is done here: threads would not be
there after a fork.
"""

import gc
import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import timm  # noqa: F401 - with much of torch

import intarsia.cli.main
import intarsia.cli.train
import intarsia.datasets
import intarsia.training  # noqa: F401


def be(asked: str, folder: Path, arguments: list[object]) -> NoReturn:
    """Call the function and end."""
    code = 1
    try:
        said, nothing = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT), os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(source, target)
        module, _, name = asked.partition(":")
        (folder / "answer.json").write_text(json.dumps(getattr(import_module(module), name)(*arguments)))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    gc.freeze()  # so that children, who search for garbage, need not copy what they never touch
    for line in sys.stdin:
        asked, folder, *arguments = json.loads(line)
        child = os.fork()
        if not child:
            be(asked, Path(folder), arguments)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
