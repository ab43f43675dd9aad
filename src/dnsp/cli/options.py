"""Options that several commands share, old names of options, and how lists are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from typer.core import TyperCommand

from dnsp.cli.messages import warn
from dnsp.errors import SettingError

__all__ = [
    "RENAMED",
    "Cohort",
    "Command",
    "Entities",
    "Overwrite",
    "Pattern",
    "SeriesUid",
    "Subjects",
    "Suffix",
    "VolumeNumber",
    "read_entities",
    "read_size",
    "refuse_unused",
    "require_positive",
    "split_commas",
]

Cohort: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="DATA", help="A BIDS data set, an ADNI or BrainWeb download, a folder of scans, or a table of scans."
    ),
]
Subjects: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--subject", metavar="SUBJECT", help="Use only this subject. Repeat the option for several subjects."),
]
Suffix: TypeAlias = Annotated[str, typer.Option(metavar="SUFFIX", help="The BIDS suffix of the scans.")]
Entities: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--entity",
        metavar="KEY-LABEL",
        help="A BIDS entity of the scans, for example ses-01. Repeat the option for several.",
    ),
]
Pattern: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="PATTERN", help="Use only scans whose path contains this text or glob pattern, for example MP-RAGE."
    ),
]
Overwrite: TypeAlias = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
SeriesUid: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="UID", help="The end of the SeriesInstanceUID to read, for a folder with more than one DICOM series."
    ),
]
VolumeNumber: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="NUMBER", help="The number of the volume to read, for a DICOM series with more than one."
    ),
]

# Options of version 0.1 by command, with their names since 0.2. The old names are removed in 0.3.
_COHORT_OPTIONS = {"--subjects": "--subject", "--series": "--pattern"}
RENAMED: dict[str, dict[str, str]] = {
    "enhance": {"--network": "--trust"},
    "degrade": {"--kind": "--degradation"},
    "train": {**_COHORT_OPTIONS, "--kind": "--degradation"},
    "patches": _COHORT_OPTIONS,
    "balance": _COHORT_OPTIONS,
    "database": _COHORT_OPTIONS,
    "brainweb": {"--subjects": "--subject"},
    "reproduce": {
        "--experiments": "--experiment",
        "--methods": "--method",
        "--seeds": "--seed",
        "--pairs": "--pairs-3t7t",
    },
}
# Options that take several values after one name, as those of BIDS-Apps do.
_SEVERAL_VALUES = {
    "enhance": ("--participant-label", "--participant_label", "--session-label", "--session_label", "--suffix")
}


class Command(TyperCommand):
    """A command that takes the old names of its options, with a warning, and several values after some names."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Replace old names by new ones and repeat names before each value, then read the arguments."""
        renamed = RENAMED.get(self.name or "", {})
        end = args.index("--") if "--" in args else len(args)
        translated = []
        for argument in args[:end]:
            name, equals, value = argument.partition("=")
            if name in renamed:
                warn(f"{name} is now called {renamed[name]}; version 0.3 will remove the old name")
                translated.append(f"{renamed[name]}{equals}{value}")
            else:
                translated.append(argument)
        translated = repeat_names(translated, _SEVERAL_VALUES.get(self.name or "", ()))
        parsed: list[str] = super().parse_args(ctx, translated + args[end:])
        return parsed


def repeat_names(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    """Repeat the name of an option before each of its values, so that BIDS-App calls can be read.

    Examples
    --------
    >>> repeat_names(["in", "--suffix", "T1w", "T2w", "--strict"], ["--suffix"])
    ['in', '--suffix', 'T1w', '--suffix', 'T2w', '--strict']
    """
    repeated: list[str] = []
    name = ""
    for argument in arguments:
        if argument.startswith("-"):
            name = argument if argument in options else ""
            repeated.append(argument)
        elif name and repeated[-1] != name:
            repeated += [name, argument]
        else:
            repeated.append(argument)
    return repeated


def refuse_unused(ctx: Any, options: Sequence[str], *, reason: str) -> None:
    """Refuse options that are given but would have no effect.

    Parameters
    ----------
    ctx : typer.Context
        Of the command.
    options : sequence of str
        The options, as the user writes them.
    reason : str
        Completes the message "--scale ...; leave it out".

    Raises
    ------
    SettingError
        If one of them is given.
    """
    names = {option: parameter.name for parameter in ctx.command.params for option in parameter.opts}
    for option in options:
        source = ctx.get_parameter_source(names[option])
        if source is not None and source.name == "COMMANDLINE":
            raise SettingError(f"{option} {reason}; leave it out")


def split_commas(values: Sequence[str] | None, option: str) -> list[str]:
    """Read a repeated option. A list with commas, as in version 0.1, is split with a warning."""
    read = []
    for value in values or ():
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if len(parts) > 1:
            repeated = " ".join(f"{option} {part}" for part in parts)
            warn(f"write {repeated} instead of {option} {value}; version 0.3 will not split at commas")
        read += parts
    return read


def read_entities(values: Sequence[str] | None) -> dict[str, str]:
    """Read entities such as ses-01.

    Raises
    ------
    SettingError
        If one does not look like an entity.
    """
    entities = {}
    for value in values or ():
        entity, dash, label = value.partition("-")
        if not (entity and dash and label):
            raise SettingError(f"--entity must look like ses-01, not {value!r}")
        entities[entity] = label
    return entities


def read_size(text: str, *, option: str, example: str) -> tuple[int, ...]:
    """Read lengths with an x between them, as many as the example has.

    Raises
    ------
    SettingError
        If the text does not look like the example.
    """
    lengths = text.split("x")
    if len(lengths) != len(example.split("x")) or not all(length.isdecimal() for length in lengths):
        raise SettingError(f"{option} must look like {example}, not {text!r}")
    return tuple(int(length) for length in lengths)


def require_positive(**values: float | None) -> None:
    """Refuse options that are given and are not above 0; keywords are the options' names with underscores.

    Raises
    ------
    SettingError
        If one is 0 or less.
    """
    for name, value in values.items():
        if value is not None and value <= 0:
            raise SettingError(f"--{name.replace('_', '-')} must be above 0, not {value}")
