"""The `dnsp` command: its sub-commands, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

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
from dnsp.cli.messages import complain, warn
from dnsp.cli.options import Command
from dnsp.cli.stopping import STOPPED, StoppedBySignal, raise_when_stopped
from dnsp.errors import DataWarning, DnspError, ModelError, SettingError

__all__ = ["app", "main"]

EXIT_FAILED = 1  # something could not be done
EXIT_WRONG_CALL = 2  # nothing was tried; typer uses the same for arguments that it cannot read
EXIT_INTERRUPTED = 130  # Ctrl-C, in shells and in typer; see dnsp.cli.stopping

_COMMANDS: dict[str, Callable[..., None]] = {
    "enhance": enhance.enhance,
    "evaluate": evaluate.evaluate,
    "degrade": degrade.degrade,
    "brainweb": brainweb.brainweb,
    "simulate": simulate.simulate,
    "register": register.register,
    "patches": patches.patches,
    "train": train.train,
    "database": database.database,
    "balance": balance.balance,
    "reproduce": reproduce.reproduce,
    "demo": demo.demo,
}

app = typer.Typer(
    name="dnsp",
    help="MR brain image super-resolution. Research software, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _function in _COMMANDS.items():
    app.command(_name, cls=Command)(_function)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _dnsp(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code; no traceback reaches a user (unless DNSP_DEBUG is set)."""
    with warnings.catch_warnings():
        _print_warnings_in_one_line()
        try:
            with raise_when_stopped():
                code = app(arguments, standalone_mode=False)
            if code == EXIT_INTERRUPTED:
                complain(STOPPED)
        except StoppedBySignal as stop:
            complain(STOPPED)
            code = stop.exit_code
        except DnspError as error:
            complain(error)
            code = EXIT_WRONG_CALL if isinstance(error, (SettingError, ModelError)) else EXIT_FAILED
        except TyperException as error:
            _complain_about_call(error)
            code = error.exit_code
        except OSError as error:  # what the system refuses, for example a path that is too long
            if os.environ.get("DNSP_DEBUG"):
                raise
            where = "" if error.filename is None else f"{error.filename}: "
            complain(f"{where}{error.strerror or error}; check the path, its permissions and the space left")
            code = EXIT_FAILED
        except Exception as error:  # a bug or an exhausted machine: still one line
            if os.environ.get("DNSP_DEBUG"):
                raise
            complain(
                f"{type(error).__name__}: {error} (unexpected; set DNSP_DEBUG=1 for details, and please report it)"
            )
            code = EXIT_FAILED
    sys.exit(code or 0)


def _complain_about_call(error: TyperException) -> None:
    """Say in one line what is wrong with the arguments; without any, typer's text is the help."""
    context, text = getattr(error, "ctx", None), error.format_message()
    if context is not None and text == context.get_help():
        typer.echo(text, err=True)
        return
    text = re.sub(r"(: )Value error, ", r"\1", text)  # pydantic's words
    text = re.sub(r": Input should be ([^,]*)(,.*)?$", r": it must be \1", text)
    hint = "" if context is None else f"; run {context.command_path} --help for the options"
    complain(f"{text[:1].lower()}{text[1:].rstrip('.')}{hint}")


def _print_warnings_in_one_line() -> None:
    """Print dnsp's own warnings to users as `dnsp: warning: ...`, each once, and others as Python does."""
    shown = warnings.showwarning
    printed: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if not issubclass(category, (DataWarning, FutureWarning)):
            shown(message, category, *place, **more)
        elif str(message) not in printed:
            printed.add(str(message))
            warn(message)

    warnings.filterwarnings("always", category=DataWarning)
    warnings.filterwarnings("always", category=FutureWarning, module=r"dnsp(\.|$)")
    warnings.showwarning = show
