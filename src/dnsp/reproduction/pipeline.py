"""One call from scans to results: find the data, run the experiments, put the tables together, write the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dnsp.data import PairedScan, is_pair_table, read_pair_manifest
from dnsp.errors import DataError, SettingError
from dnsp.jobs import JobCallback
from dnsp.registration import register_pairs
from dnsp.reproduction.assemble import assemble
from dnsp.reproduction.budgets import Budget
from dnsp.reproduction.data import DataKey, find_data
from dnsp.reproduction.evidence import SCREEN
from dnsp.reproduction.gradient_cosines import screen_networks
from dnsp.reproduction.plan import choose_experiments, data_needed, make_plan
from dnsp.reproduction.report import is_current, write_report
from dnsp.reproduction.run import run_cells
from dnsp.reproduction.run_record import RunRecord
from dnsp.reproduction.schema import IMAGES, REPORT

__all__ = ["Reproduction", "reproduce"]


class Reproduction(NamedTuple):
    """What a call of `reproduce` did.

    Parameters
    ----------
    ran, done_before : int
        Cells that this call finished, and cells that were finished already.
    failed : tuple of str
        A line for each cell whose training failed.
    images, report : Path
        The table of all images, and the report.
    """

    ran: int
    done_before: int
    failed: tuple[str, ...]
    images: Path
    report: Path


def reproduce(
    output: Path,
    *,
    budget: Budget,
    cohort: Path | None = None,
    heads: Path | None = None,
    pairs: Mapping[DataKey, Path] | None = None,
    registered: bool = False,
    experiments: Sequence[str] = (),
    methods: Sequence[str] = (),
    jobs: int = 1,
    command: str = "",
    on_line: Callable[[str], None] | None = None,
    on_cell: Callable[[int, int, str], None] | None = None,
    on_pair: JobCallback | None = None,
) -> Reproduction:
    """Run experiments on the data at hand and write every number and a report.

    After a stop at any point the same call resumes; what is finished is never run again.

    Parameters
    ----------
    output : Path
        Folder of the results; made where it is missing.
    budget : Budget
        The settings, for example ``BUDGETS["smoke"]``.
    cohort, heads : Path, optional
        Scans in place of ADNI's and BrainWeb's, as in `find_data`.
    pairs : mapping of str to Path
        Tables of pairs in place of HCP 3T7T-DW (``pairs-3t7t``) and of HCP 3T3T-T1 (``pairs-3t3t``), as
        `dnsp.data.read_pair_manifest` reads them. A set that is missing is simulated from the cohort.
    registered : bool
        The pairs of the tables lie on one grid already; they are not registered.
    experiments, methods : sequence of str
        Only these; by default all that the data allow.
    jobs : int
        Trainings and measurements at the same time.
    command : str
        The command as the record names it.
    on_line : callable, optional
        Called with each message about the data.
    on_cell : callable, optional
        Called with the cells done, all cells, and the name of a cell.
    on_pair : JobCallback, optional
        Told about each pair that is registered.

    Returns
    -------
    Reproduction

    Raises
    ------
    DnspError
        If an experiment, a method or the data cannot be used, or the folder holds something else; cells that are done stay.
    """
    tell = on_line or (lambda _: None)
    keys = data_needed(experiments, budget)
    tables = {key: _read_pairs(table) for key, table in (pairs or {}).items()}
    if registered and not tables:
        raise SettingError("--registered needs --pairs-3t7t or --pairs-3t3t")
    record = RunRecord(output, budget=budget)
    folder = output / "data"
    if not registered:
        tables = {
            key: register_pairs(scans, folder / f"{key}-registered", callback=on_pair) for key, scans in tables.items()
        }
    data = find_data(budget, keys=keys, cohort=cohort, heads=heads, pairs=tables, folder=folder, on_scan=tell)
    selected = choose_experiments(experiments, data, budget)
    if keys - data.keys():
        tell(f"left out, as there are no data: {', '.join(sorted(keys - data.keys()))}")
    plan = make_plan(budget, data, experiments=selected, methods=methods)
    record.begin(data, plan=plan, command=command)
    outcome = run_cells(plan, data, results=output, jobs=jobs, on_cell=on_cell)
    if SCREEN in selected and (SCREEN in experiments or plan):
        screen_networks(output, data, low_field=budget.low_field)
    done_before = len(plan) - outcome.ran - len(outcome.failed)
    something_to_show = outcome.ran or done_before or not outcome.failed
    if something_to_show:
        assemble(output)
    record.end(outcome)  # before the report, which shows it
    if something_to_show and not is_current(output):
        write_report(output)
    return Reproduction(outcome.ran, done_before, outcome.failed, output / IMAGES, output / REPORT)


def _read_pairs(table: Path) -> list[PairedScan]:
    if not is_pair_table(table):
        raise DataError(f"{table}: not a table of pairs (.csv or .tsv with the columns subject_id, low and high)")
    return read_pair_manifest(table)
