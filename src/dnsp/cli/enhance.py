"""`dnsp enhance`: sharper scans from files or folders."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from dnsp.cli.methods import MethodName, choose_method
from dnsp.errors import DnspError, SettingError
from dnsp.volume import Plane

__all__ = ["enhance"]

DEFAULT_MODEL = "edsr-small"
INCLUDED_MODEL_WARNING = (
    "the included models undo a Gaussian blur of 1 pixel with block means and harm scans that have another blur or noise "
    "(by up to 10 dB); use --method bicubic or --method lrtv unless you know that your scan has this blur"
)


def enhance(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A scan (NIfTI, DICOM folder, zip or file), or a folder of scans.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The scan to write, or a folder for them.")],
    scale: Annotated[
        int | None,
        typer.Option(
            help="Enlarge by 2, 3 or 4 along both axes of the plane; by default what the model file does, or 2."
        ),
    ] = None,
    method: Annotated[
        MethodName,
        typer.Option(
            help="network; bicubic alone; lrtv, or lrtv-tuned for scans without noise; srsw, with a --database."
        ),
    ] = "network",
    model: Annotated[
        str, typer.Option(help="A model that comes with dnsp, or a .safetensors file that dnsp train wrote.")
    ] = DEFAULT_MODEL,
    database: Annotated[Path | None, typer.Option(help="The patches that dnsp database drew, for srsw.")] = None,
    network: Annotated[
        str, typer.Option(help="package.module:Class, where the model is of a network of your own: it is imported.")
    ] = "",
    plane: Annotated[Plane, typer.Option(help="The plane of the slices, found by the scan's affine.")] = "axial",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto, float32 or bfloat16 convolutions; auto takes bfloat16 where it is native.")
    ] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves the choice to torch.")] = 0,
    fill_non_finite: Annotated[
        float | None,
        typer.Option(help="Put this intensity where a scan holds NaN or infinity, which are refused otherwise."),
    ] = None,
    dicom: Annotated[
        bool, typer.Option("--dicom", help="Write derived DICOM series, each a folder; the scans must be DICOM.")
    ] = False,
    series: Annotated[
        str | None, typer.Option(help="The end of the SeriesInstanceUID to read, where a folder holds more than one.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
) -> None:
    """Enhance a scan, or every scan of a folder.

    The included models undo one blur (a Gaussian of 1 pixel and block means, without noise). They harm scans that do not
    have it: use --method bicubic or --method lrtv for those, or a model that you trained on your own scans.

    Exit code 0: all done. 1: some scan failed, the others are done. 2: the call was wrong and nothing was done.
    """
    if scale not in (None, 1, 2, 3, 4):
        raise SettingError(f"--scale must be 2, 3 or 4 (1 for a model that keeps the grid), not {scale}")

    import torch

    from dnsp.cohorts import FileOptions, enhance_file, find_inputs
    from dnsp.networks import included_models

    if threads:
        torch.set_num_threads(threads)
    chosen = choose_method(
        method,
        scale=scale,
        model=model,
        trusted_class=network,
        database=database,
        device=device,
        precision=precision,
    )
    options = FileOptions(dicom=dicom, series_uid=series, fill_non_finite=fill_non_finite, overwrite=overwrite)
    inputs = find_inputs(source, output, options=options)
    errors = Console(stderr=True)
    if method == "network" and model in included_models():
        errors.print(f"dnsp: warning: {INCLUDED_MODEL_WARNING}", highlight=False, soft_wrap=True, markup=False)
    failed = 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors) as progress:
        for scan, target in inputs:
            task = progress.add_task(scan.name, total=None)
            try:
                if len(inputs) > 1 or output.is_dir():
                    target.parent.mkdir(parents=True, exist_ok=True)
                enhance_file(
                    scan,
                    target,
                    chosen.method,
                    scale=chosen.scale,
                    plane=plane,
                    options=options,
                    description=chosen.facts,
                    on_slice=partial(_show_slices, progress, task),
                )
            except DnspError as error:
                failed += 1
                progress.remove_task(task)
                errors.print(f"dnsp: error: {error}", highlight=False, soft_wrap=True, markup=False)
    done = len(inputs) - failed
    errors.print(f"{done} of {len(inputs)} scans enhanced", highlight=False)
    if failed:
        raise typer.Exit(1)


def _show_slices(progress: Progress, task: TaskID, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)
