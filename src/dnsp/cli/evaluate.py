"""`dnsp evaluate`: how near estimates come to their references, under a stated protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from dnsp.errors import DataError, SettingError, VolumeError
from dnsp.volume import Plane

__all__ = ["evaluate"]


def evaluate(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="The true scan, or a folder of them.")],
    estimates: Annotated[
        list[Path],
        typer.Argument(metavar="ESTIMATE...", help="A scan, or a folder with the references' file names, per method."),
    ],
    csv: Annotated[Path | None, typer.Option(help="Write a row a slice and region to this file.")] = None,
    plane: Annotated[Plane, typer.Option(help="The plane of the slices.")] = "axial",
    slices: Annotated[
        int, typer.Option(min=0, help="Evenly spaced slices over the head; 0 takes all that show enough of it.")
    ] = 0,
    crop: Annotated[
        str, typer.Option(help="Measure this window around the head, for example 192x240; else whole slices.")
    ] = "",
    window: Annotated[str, typer.Option(help="SSIM's window: gaussian or uniform.")] = "gaussian",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a CSV file that exists.")] = False,
) -> None:
    """Measure PSNR and SSIM, per slice and per subject, over the image and inside the head."""
    from dnsp.cli.quality_tables import quality_tables
    from dnsp.head import head_mask, head_slices, spread_slices
    from dnsp.io import read_nifti
    from dnsp.io.atomic import require_writable
    from dnsp.metrics import (
        Protocol,
        SliceQuality,
        evaluate_volume,
        summarise_cohort,
        summarise_subjects,
        write_quality_csv,
    )
    from dnsp.volume import plane_axis

    if csv is not None:
        require_writable(csv, overwrite=overwrite)
    protocol = Protocol(window=window, crop=_parse_crop(crop))  # type: ignore[arg-type]
    rows: list[SliceQuality] = []
    pairs = [pair for estimate in estimates for pair in _pair_files(reference, estimate)]
    errors = Console(stderr=True)
    for subject_id, method, true_path, estimate_path in track(pairs, "evaluating", console=errors, transient=True):
        true, estimate = read_nifti(true_path), read_nifti(estimate_path)
        axis = plane_axis(true.affine, plane)
        try:
            head = head_mask(true.voxels, axis=axis)
            chosen = head_slices(head, axis=axis, min_area=protocol.min_head_area)
            rows += evaluate_volume(
                true,
                estimate,
                axis=axis,
                protocol=protocol,
                subject_id=subject_id,
                method=method,
                head=head,
                slice_indices=spread_slices(chosen, count=slices) if slices else chosen,
            )
        except VolumeError as error:
            raise VolumeError(f"{estimate_path} against {true_path}: {error}") from error
    if csv is not None:
        write_quality_csv(rows, csv, protocol=protocol)
    subjects = summarise_subjects(rows)
    for table in quality_tables(subjects, summarise_cohort(subjects), protocol=protocol.describe()):
        Console().print(table)


def _parse_crop(crop: str) -> tuple[int, int] | None:
    if not crop:
        return None
    height, cross, width = crop.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        raise SettingError(f"--crop must look like 192x240, not {crop!r}")
    return int(height), int(width)


def _pair_files(reference: Path, estimate: Path) -> list[tuple[str, str, Path, Path]]:
    """List subject, method, reference file and estimate file for a method's file or folder."""
    from dnsp.io import find_nifti_files, nifti_stem

    for path in (reference, estimate):
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
    if reference.is_file() != estimate.is_file():
        raise DataError(f"{reference} and {estimate}: give two files, or two folders")
    if reference.is_file():
        return [(nifti_stem(reference), nifti_stem(estimate), reference, estimate)]
    pairs = []
    for path in find_nifti_files(reference):
        counterpart = estimate / path.relative_to(reference)
        if not counterpart.exists():
            raise DataError(f"{counterpart}: there is no such estimate of {path}")
        pairs.append((nifti_stem(path), estimate.name, path, counterpart))
    return pairs
