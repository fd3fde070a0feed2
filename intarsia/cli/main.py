"""The `intarsia` command: its sub-commands, and how it ends.

Exit codes: 0 done, 1 partly done, 2 wrong usage, 3 unusable data or place, 4 unusable model, 130 interrupted by Ctrl-C,
143 ended by SIGTERM, 141 when nobody reads the output any more. Errors go to stderr without a traceback (`--debug`
shows it); with `--json` the error is also a JSON document on stdout.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

# Typer and the models' descriptions load pydantic, which else looks for plug-ins in every package that is installed.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import typer
from typer.main import get_group

from intarsia import __version__
from intarsia.cli import streams
from intarsia.cli.commands import Commands
from intarsia.cli.output import emit
from intarsia.cli.target import explain
from intarsia.cli.words import understood
from intarsia.errors import IntarsiaError
from intarsia.failures import explained
from intarsia.stopping import INTERRUPTED, TERMINATED, interrupted_by_signals
from intarsia.threads import share_cores

NOBODY_READS = 141

app = typer.Typer(
    name="intarsia",
    help="Every pixel of a picture gets its class: train, measure and use semantic segmentation models.",
    epilog="Start here:  intarsia segment photo.jpg   |   intarsia demo   |   intarsia train my-photos/",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"intarsia {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (allowed anywhere).")] = False,
) -> None:
    """Every pixel of a picture gets its class: train, measure and use semantic segmentation models."""


_group = get_group(app)
_group.commands = Commands()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: the command line without the program's name; None takes the process's own.
    """
    share_cores()
    streams.prepare()
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    as_json = "--json" in given
    with interrupted_by_signals() as terminated:
        try:
            code = _run(given, debug=debug, as_json=as_json)
        except KeyboardInterrupt:
            code = INTERRUPTED
    if code != INTERRUPTED:
        return code
    if terminated():
        return _fail("Terminated", "ended by SIGTERM; nothing was left half-written", TERMINATED, as_json)
    return _fail("Interrupted", "interrupted; nothing was left half-written", INTERRUPTED, as_json)


def _run(given: list[str], *, debug: bool, as_json: bool) -> int:
    try:
        code = _group(understood(given), prog_name="intarsia", standalone_mode=False)
        sys.stdout.flush()  # a full disk or a reader that left shows here, not after the end
    except IntarsiaError as error:
        if debug:
            raise
        return _fail(type(error).__name__, str(error), error.exit_code, as_json)
    except BrokenPipeError:
        streams.leave_unread()
        return NOBODY_READS
    except SystemExit as error:  # of typer and rich, which end the program themselves where nobody reads
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        streams.leave_unread()
        return NOBODY_READS
    except typer.TyperException as error:
        explain(error, given)
        if as_json:
            return _fail("UsageError", error.format_message(), error.exit_code, as_json)
        # typer's own errors know the usage line and the closest option.
        error.show()  # type: ignore[attr-defined]
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        known = explained(error)
        if known is not None:
            return _fail(type(known).__name__, str(known), known.exit_code, as_json)
        reason = f"{type(error).__name__}: {error}"
        advice = "This is a defect in Intarsia; --debug shows where it happened."
        return _fail("InternalError", f"{reason}\n{advice}", 1, as_json)
    return code if isinstance(code, int) else 0


def _fail(kind: str, message: str, code: int, as_json: bool) -> int:
    typer.echo(f"{'' if code in (INTERRUPTED, TERMINATED) else 'Error: '}{message}", err=True)
    if as_json:
        emit({"error": {"type": kind, "message": message, "exit_code": code}})
    return code


if __name__ == "__main__":
    sys.exit(main())
