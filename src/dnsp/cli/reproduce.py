"""`dnsp reproduce`: the paper's experiments on the data at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from dnsp.cli.messages import complain
from dnsp.cli.options import split_commas
from dnsp.cli.progress import CellProgress
from dnsp.errors import SettingError

if TYPE_CHECKING:
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
            "--pairs-3t7t",
            help="A table of pairs (subject_id, low, high) in place of HCP 3T7T-DW; without it simulated from --cohort.",
        ),
    ] = None,
    pairs_3t3t: Annotated[
        Path | None,
        typer.Option("--pairs-3t3t", help="The same in place of HCP 3T3T-T1; without it simulated from --cohort."),
    ] = None,
    registered: Annotated[
        bool, typer.Option("--registered", help="The pairs lie on one grid already; do not register them.")
    ] = False,
    experiment: Annotated[
        list[str] | None,
        typer.Option(help="Run only this experiment, for example table1 or A. Repeat the option for several."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Run only this method, for example edsr-AP. Repeat the option for several."),
    ] = None,
    seed: Annotated[
        list[str] | None,
        typer.Option(help="Use this seed instead of the budget's seeds. Repeat the option for several."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings and measurements at the same time.")] = 1,
) -> None:
    """Run the paper's experiments: train every method, measure it on every test image, write every number and a report.

    After a stop at any point, the same command resumes; what is finished is never run again.

    Exit code 0: all done. 1: some training failed, the others are done; or data cannot be used. 2: wrong options.
    """
    from dnsp.reproduction import BUDGETS
    from dnsp.reproduction import reproduce as run

    chosen = BUDGETS[budget]
    experiments, methods = split_commas(experiment, "--experiment"), split_commas(method, "--method")
    seeds = split_commas(seed, "--seed")
    if seeds and chosen.evidence:
        raise SettingError("--seed: the experiments of the evidence budget have their own seeds; leave the option out")
    if seeds:
        chosen = replace(chosen, seeds=_read_seeds(seeds))
    tables: dict[DataKey, Path | None] = {"pairs-3t7t": pairs_3t7t, "pairs-3t3t": pairs_3t3t}
    command = _spell(
        {
            "budget": budget,
            "cohort": _name(cohort),
            "heads": _name(heads),
            "pairs-3t7t": _name(pairs_3t7t),
            "pairs-3t3t": _name(pairs_3t3t),
            "registered": registered,
            "experiment": experiments,
            "method": methods,
            "seed": seeds,
        }
    )
    with CellProgress() as bar:
        done = run(
            output,
            budget=chosen,
            cohort=cohort,
            heads=heads,
            pairs={key: table for key, table in tables.items() if table is not None},
            registered=registered,
            experiments=experiments,
            methods=methods,
            jobs=jobs,
            command=command,
            on_line=bar.say,
            on_cell=bar.on_cell,
            on_pair=bar,
        )
    where = f"the numbers are in {done.images}, the report is {done.report}" if done.report.exists() else "no results"
    typer.echo(f"{done.ran} cells run, {done.done_before} were done before; {where}")
    for line in done.failed:
        complain(line)
    if done.failed:
        raise typer.Exit(1)


def _read_seeds(names: list[str]) -> tuple[int, ...]:
    for name in names:
        if not name.isdecimal():
            raise SettingError(f"--seed must be a whole number from 0, not {name!r}")
    return tuple(map(int, names))


def _spell(options: Mapping[str, str | bool | list[str] | None]) -> str:
    """Write the command out, without --jobs, which changes no number."""
    words = ["dnsp reproduce -o RESULTS"]
    for name, value in options.items():
        if isinstance(value, list):
            words += [f"--{name} {one}" for one in value]
        elif value:
            words.append(f"--{name}" if value is True else f"--{name} {value}")
    return " ".join(words)


def _name(path: Path | None) -> str | None:
    """Give the last part of a path; the rest is private."""
    return None if path is None else path.resolve().name
