"""The options of `dnsp enhance` that say which scans are meant and how their results are stored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias

import typer

from dnsp.cli.messages import warn
from dnsp.errors import MissingExtraError, SettingError

if TYPE_CHECKING:
    from dnsp.data.bids import BidsSelection
    from dnsp.jobs import DaskCluster, LocalProcesses

__all__ = [
    "BidsFilterFile",
    "Call",
    "Cluster",
    "Compression",
    "Inputs",
    "Jobs",
    "MoreInputs",
    "ParticipantLabels",
    "Preview",
    "Quiet",
    "Report",
    "ScanSuffixes",
    "SessionLabels",
    "StoredTypeOption",
    "Verbose",
    "folder_of_log",
    "read_call",
    "read_report",
    "read_selection",
    "read_workers",
]

Inputs: TypeAlias = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="IN | BIDS_DIR OUT participant",
        help="Scans (NIfTI, DICOM folder, zip or file) or folders of scans; or a BIDS data set, the folder of the results and "
        "the word participant. With the word group, write only the index of the results.",
    ),
]
MoreInputs: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--input", "-i", metavar="IN", help="The same as IN. Repeat the option for several."),
]
ParticipantLabels: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--participant-label",
        "--participant_label",
        metavar="LABEL...",
        help="Of a BIDS data set, enhance only these subjects (01 or sub-01).",
    ),
]
SessionLabels: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--session-label",
        "--session_label",
        metavar="LABEL...",
        help="Of a BIDS data set, enhance only these sessions (02 or ses-02).",
    ),
]
ScanSuffixes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--suffix",
        metavar="SUFFIX...",
        help="Of a BIDS data set, enhance scans with these suffixes. By default T1w, T2w, PDw, FLAIR, T2starw, inplaneT1, "
        "inplaneT2 and PDT2.",
    ),
]
BidsFilterFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--bids-filter-file",
        metavar="FILE",
        help='Of a BIDS data set, enhance only scans with these entities: a JSON file such as {"t1w": {"session": "02"}}.',
    ),
]
StoredTypeOption: TypeAlias = Annotated[
    Literal["auto", "int16", "float32", "source"],
    typer.Option(
        "--dtype",
        help="How NIfTI results are stored. auto: int16 with a scale factor for scans that are stored as integers (the "
        "rounding error stays under half a grey level), else float32. source: as the scan is stored.",
    ),
]
Compression: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=9,
        help="Compression of .nii.gz results: 0 is none, 1 is fast, 9 is the smallest and slowest. [default: 1]",
    ),
]
Jobs: TypeAlias = Annotated[
    int, typer.Option("--jobs", min=1, metavar="N", help="Scans at the same time, each in a process of its own.")
]
Report: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--report/--no-report",
        help="Write a page (HTML) beside each result, and an index of all. By default for a folder or a BIDS data set, if the "
        "packages of dnsp[report] are installed.",
    ),
]
Preview: TypeAlias = Annotated[
    bool, typer.Option("--preview", help="Write a picture beside each result, NAME_preview.png.")
]
Verbose: TypeAlias = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print a line when a scan begins, and for scans that were done before.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors alone.")]
Cluster: TypeAlias = Annotated[
    str,
    typer.Option(
        "--cluster",
        metavar="ADDRESS|FILE",
        help="Run on a Dask cluster: the address of its scheduler (tcp://host:8786), or its scheduler file.",
    ),
]

_GROUP = "group"
_LEVELS = ("participant", _GROUP)


class Call(NamedTuple):
    """What is enhanced, and where the results go.

    Attributes
    ----------
    sources : list of Path
        Files and folders; of a BIDS data set, its folder.
    output : Path
    is_bids : bool
        Whether the call has the form of BIDS-Apps.
    of_group : bool
        Whether it asks for the summary of all results alone.
    """

    sources: list[Path]
    output: Path
    is_bids: bool
    of_group: bool = False


def read_call(paths: Sequence[Path] | None, inputs: Sequence[Path] | None, output: Path | None) -> Call:
    """Tell which form a call has.

    Raises
    ------
    SettingError
        If it has none of the forms.

    Examples
    --------
    >>> read_call([Path("bids"), Path("out"), Path("participant")], None, None).is_bids
    True
    >>> read_call([Path("a.nii")], None, Path("b.nii")).is_bids
    False
    """
    sources = [*(paths or ()), *(inputs or ())]
    if output is None and len(sources) == 3 and str(sources[2]) in _LEVELS and not inputs:
        return Call(sources[:1], sources[1], is_bids=True, of_group=str(sources[2]) == _GROUP)
    if not sources:
        raise SettingError("name a scan or a folder of scans, and the result with --output")
    if output is None:
        raise SettingError(
            "name the result with --output; for a BIDS data set, write dnsp enhance BIDS_DIR OUT participant"
        )
    return Call(sources, output, is_bids=False)


def read_selection(
    call: Call,
    participants: Sequence[str] | None,
    sessions: Sequence[str] | None,
    suffixes: Sequence[str] | None,
    filter_file: Path | None,
) -> BidsSelection | None:
    """Read which scans of a BIDS data set are meant; None if the source is not one.

    A single folder with a ``dataset_description.json`` is a BIDS data set in any form of the call.

    Raises
    ------
    SettingError
        If the filter file cannot be used, or one of the options is given for another source.
    """
    from dnsp.data.bids import ANATOMICAL_SUFFIXES, BidsSelection, is_bids_dataset
    from dnsp.data.bids_filter import read_bids_filters

    if not call.is_bids and not (len(call.sources) == 1 and is_bids_dataset(call.sources[0])):
        given = {
            "--participant-label": participants,
            "--session-label": sessions,
            "--suffix": suffixes,
            "--bids-filter-file": filter_file,
        }
        for option, value in given.items():
            if value:
                raise SettingError(
                    f"{option} chooses scans of a BIDS data set, and {call.sources[0]} is none; leave it out"
                )
        return None
    return BidsSelection(
        suffixes=tuple(suffixes or ANATOMICAL_SUFFIXES),
        subjects=tuple(participants or ()),
        sessions=tuple(sessions or ()),
        filters=tuple(read_bids_filters(filter_file)) if filter_file is not None else (),
    )


def folder_of_log(call: Call, *, dicom: bool) -> Path | None:
    """Give the folder of the results, in whose ``logs`` the run is recorded; None for a single scan and for DICOM."""
    in_folder = call.is_bids or len(call.sources) > 1 or call.sources[0].is_dir()
    return call.output if in_folder and not dicom else None


def read_report(call: Call, asked: bool | None, *, dicom: bool) -> bool:
    """Decide whether pages are written: as asked, else for folders where the packages are there; warn where they are not."""
    if asked is not None:
        return asked
    if dicom or not (call.is_bids or len(call.sources) > 1 or call.sources[0].is_dir()):
        return False
    from dnsp.cohorts.pages import require_page_packages

    try:
        require_page_packages()
    except MissingExtraError as error:
        warn(f"no pages are written: {error}; --no-report hides this warning")
        return False
    return True


def read_workers(jobs: int, cluster: str, threads: int) -> LocalProcesses | DaskCluster | None:
    """Read who does the work, and how many threads each process has; None for this process alone.

    Without ``--threads``, the processor's cores are shared out among the processes; on a cluster each job has one thread.

    Raises
    ------
    SettingError
        If both ``--jobs`` and ``--cluster`` are given.
    """
    from dnsp.jobs import DaskCluster, LocalProcesses
    from dnsp.methods import set_threads

    if cluster and jobs > 1:
        raise SettingError("--jobs is for this machine and --cluster for another; leave out one of them")
    if cluster:
        begin = partial(set_threads, threads or 1)
        file = Path(cluster)
        return DaskCluster(scheduler_file=file, begin=begin) if file.is_file() else DaskCluster(cluster, begin=begin)
    if jobs == 1:
        return None
    return LocalProcesses(jobs, begin=partial(set_threads, threads or max(1, count_cores() // jobs)))


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
