"""Trainings by several processes, some of which die; the tests call `attempts` by way of `forking.py`.

An attempt is the number of processes, and perhaps which of them dies by SIGKILL: 2, 2:1:step:4 (the second one after
four steps), 2:0:write:6 (the first one in the middle of writing). It may also be "torchrun", which starts two processes
of this file with DATA FOLDER: in their first attempt the second one dies after two steps, in their second attempt
torchrun itself after another one. With DATA FOLDER resume, they go on to the end.
"""

import ctypes
import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path

import torch
from torch.distributed import run as torchrun
from train_once import count

from intarsia.datasets import open_dataset
from intarsia.errors import IntarsiaError
from intarsia.recipe import Recipe
from intarsia.stopping import never
from intarsia.training import train
from intarsia.training.loop import checkpoint


def be(rank: int, processes: int, port: int, data: str, folder: Path, kill: list[str], resume: bool) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    who, place, number = kill or ["-1", "", "0"]
    stop = count(int(number), never) if place == "step" and rank == int(who) else never
    if place == "write" and rank == int(who):
        checkpoint.sync = count(int(number), checkpoint.sync)
    try:
        train(Recipe.load(folder.with_suffix(".yaml")), open_dataset(data), folder, resume=resume, stop=stop)
    except IntarsiaError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def attempts(data: str, name: str, said: list[str]) -> list[list[int | None]]:
    """Train, and all but the first time resume; the recipe is beside the folder.

    Returns the exit codes of each attempt's processes.
    """
    return [_attempt(data, Path(name), one, bool(number)) for number, one in enumerate(said)]


def _attempt(data: str, folder: Path, said: str, resume: bool) -> list[int | None]:
    fork = multiprocessing.get_context("fork")
    if said == "torchrun":
        processes = [fork.Process(target=be_torchrun, args=(data, folder, resume))]
    else:
        number, *kill = said.split(":")
        shared = (int(number), free_port(), data, folder, kill, resume)
        processes = [fork.Process(target=be, args=(rank, *shared)) for rank in range(int(number))]
    for process in processes:
        process.start()
    for process in processes:
        process.join(400)
        if process.is_alive():
            process.kill()
            process.join()
    return [process.exitcode for process in processes]


def be_torchrun(data: str, folder: Path, resume: bool) -> None:
    """Torchrun, whose processes are forked from it: they need not import torch again."""
    options = ["--standalone", "--nproc-per-node", "2", "--max-restarts", "2", "--start-method", "fork", "--run-path"]
    torchrun.main([*options, __file__, data, str(folder), *(["resume"] if resume else [])])


def be_elastic(data: str, folder: Path, resume: bool) -> None:
    """One of the processes that torchrun starts."""
    ctypes.CDLL(None).prctl(1, 0)  # only those that are forked get a signal when torchrun dies: PR_SET_PDEATHSIG, none
    restarts, rank, torchrun = int(os.environ["TORCHELASTIC_RESTART_COUNT"]), int(os.environ["RANK"]), os.getppid()

    def end_torchrun() -> bool:
        if rank == 1 and os.getppid() == torchrun:
            os.kill(torchrun, signal.SIGKILL)
        return False

    stop = never
    if not resume:
        stop = end_torchrun if restarts else count(2, never) if rank == 1 else never
    torch.set_num_threads(1)
    train(Recipe.load(folder.with_suffix(".yaml")), open_dataset(data), folder, resume=resume, stop=stop)


if __name__ == "__main__":
    be_elastic(sys.argv[1], Path(sys.argv[2]), "resume" in sys.argv)
