"""The `dnsp` command: its sub-commands, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from dnsp._version import __version__
from dnsp.cli import (
    balance,
    brainweb,
    database,
    degrade,
    demo,
    enhance,
    evaluate,
    patches,
    register,
    reproduce,
    simulate,
    train,
)
from dnsp.errors import DnspError, ModelError, SettingError

__all__ = ["app", "main"]

EXIT_FAILED = 1  # something could not be done
EXIT_WRONG_CALL = 2  # nothing was tried; typer uses the same for arguments it cannot read
EXIT_INTERRUPTED = 130  # Ctrl-C, as shells count it and typer answers it

app = typer.Typer(
    name="dnsp",
    help="MR brain image super-resolution. Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("enhance")(enhance.enhance)
app.command("evaluate")(evaluate.evaluate)
app.command("degrade")(degrade.degrade)
app.command("brainweb")(brainweb.brainweb)
app.command("simulate")(simulate.simulate)
app.command("register")(register.register)
app.command("patches")(patches.patches)
app.command("train")(train.train)
app.command("database")(database.database)
app.command("balance")(balance.balance)
app.command("reproduce")(reproduce.reproduce)
app.command("demo")(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _dnsp(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code; no traceback reaches a user (unless DNSP_DEBUG is set)."""
    try:
        app(arguments)
    except SystemExit as leaving:
        if leaving.code == EXIT_INTERRUPTED:
            _complain("stopped; nothing is left half-written, and the same command goes on or starts anew")
        raise
    except DnspError as error:
        _complain(str(error))
        sys.exit(EXIT_WRONG_CALL if isinstance(error, (SettingError, ModelError)) else EXIT_FAILED)
    except Exception as error:  # a bug or an exhausted machine: still one line
        if os.environ.get("DNSP_DEBUG"):
            raise
        _complain(f"{type(error).__name__}: {error} (unexpected; DNSP_DEBUG=1 shows where, please report it)")
        sys.exit(EXIT_FAILED)


def _complain(message: str) -> None:
    typer.echo(f"dnsp: error: {' '.join(message.split())}", err=True)
