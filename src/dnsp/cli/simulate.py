"""`dnsp simulate`: scans of heads from label maps, or from no data at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dnsp.errors import DnspError, SettingError

__all__ = ["simulate"]


def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="The scan to write, or a folder: one file a subject.")],
    labels: Annotated[
        Path | None,
        typer.Argument(metavar="[LABELS]", help="A label map (NIfTI), or a folder of them.", show_default=False),
    ] = None,
    procedural: Annotated[int, typer.Option(min=0, help="In place of LABELS, make this many heads up.")] = 0,
    size: Annotated[str, typer.Option(help="Voxels of a made-up head, 1 mm each.")] = "168x208x200",
    contrast: Annotated[Literal["T1", "T2", "PD"], typer.Option(help="With BrainWeb's sequence for it.")] = "T1",
    noise: Annotated[float, typer.Option(help="Rician noise, in percent of the brightest tissue of the brain.")] = 3.0,
    non_uniformity: Annotated[float, typer.Option(help="Intensity non-uniformity over the brain, in percent.")] = 20.0,
    seed: Annotated[int, typer.Option(help="What every random draw follows from.")] = 0,
    tissues: Annotated[
        Path | None, typer.Option(help="A CSV table (label, tissue, fraction); else FreeSurfer's and charm's labels.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace scans that exist.")] = False,
) -> None:
    """Simulate scans by the MR signal equation with BrainWeb's published tissues.

    Exit code 0: all done. 1: some head failed, the others are done. 2: the call was wrong and nothing was done.
    """
    if (labels is None) == (procedural == 0):
        raise SettingError("give either LABELS or --procedural with a number of heads")
    from dnsp.data import SimulatedScan, find_label_maps, make_procedural_labels, simulate_file
    from dnsp.io import is_nifti_name
    from dnsp.simulation import read_label_tissues

    settings = SimulatedScan(contrast, noise, non_uniformity, seed)
    table = read_label_tissues(tissues) if tissues else None
    shape = _parse_size(size)
    heads: list[tuple[str, Path | None]]
    if labels is None:
        heads = [(f"procedural-{number:02d}", None) for number in range(1, procedural + 1)]
    else:
        heads = [(scan.subject_id, scan.path) for scan in find_label_maps(labels)]
    one_file = labels is not None and labels.is_file() and is_nifti_name(output) and not output.is_dir()
    if not one_file:
        if is_nifti_name(output):
            raise SettingError(f"{output}: name a folder, not a file, for the scans of several heads")
        output.mkdir(parents=True, exist_ok=True)
    errors = Console(stderr=True)
    failed = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task("simulating", total=len(heads))
        for subject_id, path in heads:
            try:
                simulate_file(
                    make_procedural_labels(subject_id, size=shape, seed=seed) if path is None else path,
                    output if one_file else output / settings.name(subject_id),
                    subject_id=subject_id,
                    settings=settings,
                    tissues=table,
                    overwrite=overwrite,
                )
            except SettingError:
                raise
            except DnspError as error:
                failed += 1
                errors.print(f"dnsp: error: {error}", highlight=False, soft_wrap=True, markup=False)
            progress.advance(task)
    errors.print(f"{len(heads) - failed} of {len(heads)} heads simulated", highlight=False)
    if failed:
        raise typer.Exit(1)


def _parse_size(size: str) -> tuple[int, int, int]:
    lengths = size.split("x")
    if len(lengths) != 3 or not all(length.isdecimal() for length in lengths):
        raise SettingError(f"--size must look like 168x208x200, not {size!r}")
    i, j, k = (int(length) for length in lengths)
    return i, j, k
