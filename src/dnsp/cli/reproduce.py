"""`dnsp reproduce`: the paper's experiments on the data at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from rich.console import Console

from dnsp.cli.options import split_commas
from dnsp.cli.progress import CellProgress, JobProgress
from dnsp.errors import DataError, SettingError

if TYPE_CHECKING:
    from dnsp.data import PairedScan

__all__ = ["reproduce"]

BudgetName: TypeAlias = Literal["smoke", "cpu", "paper"]


def reproduce(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results.")],
    budget: Annotated[
        BudgetName, typer.Option(help="smoke: minutes; cpu: hours on two cores; paper: its own sizes, for a GPU.")
    ] = "smoke",
    cohort: Annotated[
        Path | None,
        typer.Option(help="Scans that stand for ADNI: a BIDS data set, an ADNI download, a folder, a table."),
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="Simulated heads that stand for BrainWeb, or BrainWeb's own files.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="A table of pairs (subject_id, low, high); else they are simulated from the cohort."),
    ] = None,
    registered: Annotated[
        bool, typer.Option("--registered", help="The pairs lie on one grid already; do not register them.")
    ] = False,
    experiment: Annotated[
        list[str] | None,
        typer.Option(help="Run only this experiment, for example table1. Repeat the option for several."),
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
    """Run the paper's experiments: train every method, measure it on every test image, write down every number.

    Stopped at any point, the same command goes on; what is finished is never run again.

    Exit code 0: all done. 1: some training failed, the others are done; or data cannot be used. 2: the call was wrong.
    """
    from dnsp.reproduction import (
        BUDGETS,
        RunRecord,
        assemble,
        choose_experiments,
        data_needed,
        find_data,
        make_plan,
        run_cells,
    )
    from dnsp.reproduction.report import write_report

    chosen = BUDGETS[budget]
    if seed:
        chosen = replace(chosen, seeds=_read_seeds(split_commas(seed, "--seed")))
    console = Console(stderr=True)
    experiments, methods = split_commas(experiment, "--experiment"), split_commas(method, "--method")
    named = experiments
    keys = data_needed(named)
    record = RunRecord(output, budget=chosen)
    data = find_data(
        chosen,
        keys=keys,
        cohort=cohort,
        heads=heads,
        pairs=_read_pairs(pairs, output, registered=registered),
        folder=output / "data",
        on_scan=lambda line: console.print(line, highlight=False),
    )
    wanted = choose_experiments(named, data)
    if keys - data.keys():
        console.print(f"left out for want of data: {', '.join(sorted(keys - data.keys()))}", highlight=False)
    plan = make_plan(chosen, data, experiments=wanted, methods=methods)
    command = _spell(
        {
            "budget": budget,
            "cohort": _name(cohort),
            "heads": _name(heads),
            "pairs": _name(pairs),
            "registered": registered,
            "experiment": experiments,
            "method": methods,
            "seed": split_commas(seed, "--seed"),
        }
    )
    record.begin(data, plan=plan, command=command)
    with CellProgress() as progress:
        outcome = run_cells(plan, data, results=output, jobs=jobs, on_cell=progress.on_cell)
    before = _read_tables(output)
    assemble(output)
    record.end(outcome)
    there = len(plan) - outcome.ran - len(outcome.failed)
    report = output / "report.html"
    if _read_tables(output) != before or not report.exists():
        write_report(output)
    typer.echo(
        f"{outcome.ran} cells run, {there} were there; the numbers are in {output / 'images.csv'}, the report is {report}"
    )
    for line in outcome.failed:
        console.print(f"dnsp: error: {line}", highlight=False, soft_wrap=True, markup=False)
    if outcome.failed:
        raise typer.Exit(1)


def _read_pairs(table: Path | None, output: Path, *, registered: bool) -> list[PairedScan]:
    if table is None:
        if registered:
            raise SettingError("--registered says something of --pairs: give both, or neither")
        return []
    from dnsp.data import is_pair_table, read_pair_manifest

    if not is_pair_table(table):
        raise DataError(f"{table}: not a table of pairs (.csv or .tsv with the columns subject_id, low and high)")
    pairs = read_pair_manifest(table)
    if registered:
        return pairs
    from dnsp.registration import register_pairs

    with JobProgress("registering") as progress:
        return register_pairs(pairs, output / "data" / "registered", callback=progress)


def _read_seeds(names: list[str]) -> tuple[int, ...]:
    for name in names:
        if not name.isdecimal():
            raise SettingError(f"--seed must be a whole number from 0, not {name!r}")
    return tuple(map(int, names))


def _read_tables(output: Path) -> list[bytes]:
    tables = (output / name for name in ("images.csv", "epochs.csv"))
    return [table.read_bytes() for table in tables if table.exists()]


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
    """Give the last part of a path: where it lies on this machine is nobody's concern."""
    return None if path is None else path.resolve().name
