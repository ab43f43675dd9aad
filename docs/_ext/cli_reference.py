"""The command-line reference: every command, argument and option, from the commands themselves."""

from pathlib import Path
from typing import Any

import typer.main
from sphinx.application import Sphinx

from dnsp.cli.main import app as commands

_INTRODUCTION = """\
Command-line reference
======================

``dnsp COMMAND --help`` prints the same. Exit codes: 0, all done; 1, something could not be done, with a line for each;
2, the command was wrong and nothing was done; 130, stopped with Ctrl-C. No file is left half-written.

"""


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True}


def _write(app: Sphinx) -> None:
    group: Any = typer.main.get_command(commands)
    lines: list[str] = []
    for name, command in group.commands.items():
        lines += _command(name, command)
    path = Path(app.srcdir) / "command-line.rst"
    text = _INTRODUCTION + "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _command(name: str, command: Any) -> list[str]:
    title = f"dnsp {name}"
    with command.make_context(title, [], resilient_parsing=True) as context:
        usage = " ".join(command.collect_usage_pieces(context))
        lines = [title, "-" * len(title), "", f".. program:: {title}", "", "::", "", f"   {title} {usage}", ""]
        lines += [*_paragraphs(command.help or ""), ""]
        for parameter in command.params:
            if parameter.name != "help" and not getattr(parameter, "hidden", False):
                lines += _parameter(parameter, context)
    return lines


def _paragraphs(text: str) -> list[str]:
    return [line.strip().replace("`", "``").replace("*", "\\*") for line in text.splitlines()]


def _parameter(parameter: Any, context: Any) -> list[str]:
    name, text = parameter.get_help_record(context)
    return [f".. option:: {name}", "", f"   {' '.join(_paragraphs(text)).strip()}", ""]
