"""`dnsp reproduce`: the paper's experiments on the data at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dnsp.errors import DataError, SettingError

if TYPE_CHECKING:
    from dnsp.data import PairedScan
    from dnsp.reproduction import DataKey

__all__ = ["reproduce"]

BudgetName: TypeAlias = Literal["smoke", "cpu", "paper", "evidence"]


def reproduce(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results.")],
    budget: Annotated[
        BudgetName,
        typer.Option(
            help="smoke: minutes; cpu: hours on two cores; paper: the paper's own sizes, for a GPU; evidence: experiments A "
            "to F, which decide whether the priors help."
        ),
    ] = "smoke",
    cohort: Annotated[
        Path | None,
        typer.Option(help="Scans in place of ADNI: a BIDS data set, an ADNI download, a folder, a table."),
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="Simulated heads in place of BrainWeb, or BrainWeb's own files.")
    ] = None,
    pairs_3t7t: Annotated[
        Path | None,
        typer.Option(
            help="A table of pairs (subject_id, low, high) in place of HCP 3T7T-DW; without it simulated from --cohort."
        ),
    ] = None,
    pairs_3t3t: Annotated[
        Path | None, typer.Option(help="The same in place of HCP 3T3T-T1; without it simulated from --cohort.")
    ] = None,
    pairs: Annotated[Path | None, typer.Option(hidden=True, help="Old name of --pairs-3t7t.")] = None,
    registered: Annotated[
        bool, typer.Option("--registered", help="The pairs lie on one grid already; do not register them.")
    ] = False,
    experiments: Annotated[
        str, typer.Option(help="Only these, for example table1,figure15 or A; by default all that the data allow.")
    ] = "",
    methods: Annotated[str, typer.Option(help="Only these, for example bicubic,edsr-NP,edsr-AP.")] = "",
    seeds: Annotated[str, typer.Option(help="Seeds in place of the budget's, for example 0,1,2.")] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Trainings and measurements at the same time.")] = 1,
) -> None:
    """Run the paper's experiments: train every method, measure it on every test image, write every number and a report.

    After a stop at any point, the same command resumes; what is finished is never run again.

    Exit code 0: all done. 1: some training failed, the others are done; or data cannot be used. 2: wrong options.
    """
    from dnsp.reproduction import BUDGETS
    from dnsp.reproduction import reproduce as run

    chosen = BUDGETS[budget]
    if seeds:
        if chosen.evidence:
            raise SettingError("--seeds: the evidence budget has its own; leave the option out")
        chosen = replace(chosen, seeds=_read_seeds(seeds))
    console = Console(stderr=True)
    if pairs is not None:
        if pairs_3t7t is not None:
            raise SettingError("--pairs is the old name of --pairs-3t7t; give --pairs-3t7t alone")
        console.print("dnsp: warning: --pairs is now called --pairs-3t7t; the old name goes with the next release")
        pairs_3t7t = pairs
    tables: dict[DataKey, Path | None] = {"pairs-3t7t": pairs_3t7t, "pairs-3t3t": pairs_3t3t}
    command = _spell(
        {
            "budget": budget,
            "cohort": _name(cohort),
            "heads": _name(heads),
            "pairs-3t7t": _name(pairs_3t7t),
            "pairs-3t3t": _name(pairs_3t3t),
            "registered": registered,
            "experiments": experiments,
            "methods": methods,
            "seeds": seeds,
        }
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    given = _read_pairs(tables, output, registered=registered, console=console)
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("cells", total=None)
        done = run(
            output,
            budget=chosen,
            cohort=cohort,
            heads=heads,
            pairs=given,
            experiments=_read_names(experiments),
            methods=_read_names(methods),
            jobs=jobs,
            command=command,
            on_line=lambda line: console.print(line, highlight=False, markup=False),
            on_cell=lambda done, total, name: progress.update(
                task, completed=done, total=total, description=name or "cells"
            ),
        )
    typer.echo(
        f"{done.ran} cells run, {done.done_before} were done before; the numbers are in {done.images}, the report is "
        f"{done.report}"
    )
    for line in done.failed:
        console.print(f"dnsp: error: {line}", highlight=False, soft_wrap=True, markup=False)
    if done.failed:
        raise typer.Exit(1)


def _read_pairs(
    tables: Mapping[DataKey, Path | None], output: Path, *, registered: bool, console: Console
) -> dict[DataKey, list[PairedScan]]:
    given = {key: table for key, table in tables.items() if table is not None}
    if not given and registered:
        raise SettingError("--registered needs --pairs-3t7t or --pairs-3t3t")
    return {
        key: _read_pair_table(table, output / "data" / f"{key}-registered", registered=registered, console=console)
        for key, table in given.items()
    }


def _read_pair_table(table: Path, folder: Path, *, registered: bool, console: Console) -> list[PairedScan]:
    from dnsp.data import is_pair_table, read_pair_manifest

    if not is_pair_table(table):
        raise DataError(f"{table}: not a table of pairs (.csv or .tsv with the columns subject_id, low and high)")
    pairs = read_pair_manifest(table)
    if registered:
        return pairs
    from dnsp.cli.register import register_pairs

    return register_pairs(pairs, folder, console=console)


def _read_names(option: str) -> list[str]:
    return [name.strip() for name in option.split(",") if name.strip()]


def _read_seeds(option: str) -> tuple[int, ...]:
    names = _read_names(option)
    if not names or not all(name.isdecimal() for name in names):
        raise SettingError(f"--seeds must look like 0,1,2, not {option!r}")
    return tuple(map(int, names))


def _spell(options: Mapping[str, str | bool | None]) -> str:
    """Spell the command; the number of jobs changes no number."""
    words = ["dnsp reproduce -o RESULTS"]
    words += [f"--{name}" if value is True else f"--{name} {value}" for name, value in options.items() if value]
    return " ".join(words)


def _name(path: Path | None) -> str | None:
    """Give the last part of a path; the rest is private."""
    return None if path is None else path.resolve().name
