"""`dnsp demo`: a real head, degraded and enhanced offline, with what was gained."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.volume import IntensityScaling, Volume, plane_axis, robust_scaling

__all__ = ["demo"]

_SLICES = 40


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the NIfTI files, the picture and the figures.")
    ],
    scale: Annotated[int, typer.Option(help="2, 3 or 4.")] = 2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demo's files.")] = False,
) -> None:
    """Degrade the ICBM152 head that nilearn carries, enhance it, and compare with bicubic."""
    from dnsp.acquisition import degrade_volume
    from dnsp.cli.quality_tables import quality_tables
    from dnsp.head import head_mask, head_slices, spread_slices
    from dnsp.io import write_nifti
    from dnsp.methods import (
        Method,
        NetworkMethod,
        choose_device,
        choose_precision,
        enhance_volume,
        enlarge_bicubic,
    )
    from dnsp.metrics import (
        Protocol,
        evaluate_volume,
        summarise_cohort,
        summarise_subjects,
        write_quality_csv,
    )
    from dnsp.networks import load_model

    if scale not in (2, 3, 4):
        raise SettingError(f"--scale must be 2, 3 or 4, not {scale}")
    if not overwrite and output.exists() and any(output.iterdir()):
        raise DataError(f"{output}: this folder is not empty; choose another, or give --overwrite")
    reference = _read_template(multiple=scale)
    output.mkdir(parents=True, exist_ok=True)
    low_res = degrade_volume(reference, scale=scale)
    scaling = robust_scaling(low_res.voxels)
    network, card = load_model("edsr-small", scale=scale)
    device = choose_device("auto")
    methods: dict[str, Method] = {
        "bicubic": enlarge_bicubic,
        "network": NetworkMethod(network, card, device=device, dtype=choose_precision("auto", device)),
    }
    estimates: dict[str, Volume] = {}
    with Progress(console=Console(stderr=True)) as progress:
        for name, method in methods.items():
            task = progress.add_task(name, total=None)
            estimates[name] = enhance_volume(
                low_res,
                method,
                scale=scale,
                scaling=scaling,
                on_slice=partial(_show_slices, progress, task),
            )

    axis = plane_axis(reference.affine, "axial")
    protocol = Protocol()
    head = head_mask(reference.voxels, axis=axis)
    chosen = spread_slices(head_slices(head, axis=axis, min_area=protocol.min_head_area), count=_SLICES)
    rows = [
        row
        for name, estimate in estimates.items()
        for row in evaluate_volume(
            reference,
            estimate,
            axis=axis,
            protocol=protocol,
            subject_id="ICBM152",
            method=name,
            head=head,
            slice_indices=chosen,
        )
    ]
    for name, volume in {"reference": reference, f"low_res_x{scale}": low_res, **estimates}.items():
        write_nifti(volume, output / f"{name}.nii.gz", overwrite=True)
    write_quality_csv(rows, output / "figures.csv", protocol=protocol)
    subjects = summarise_subjects(rows)
    captions = {row.method: f"{row.psnr_db:.2f} dB, {row.ssim:.4f}" for row in subjects if row.region == "image"}
    middle = chosen[_SLICES // 2]
    _draw(
        reference,
        low_res,
        estimates,
        captions,
        scaling=protocol.find_scaling(reference.voxels),
        slice_index=middle,
        scale=scale,
        path=output / "comparison.png",
    )
    for table in quality_tables(subjects, summarise_cohort(subjects), protocol=protocol.describe()):
        Console().print(table)
    typer.echo(f"scans, figures.csv and comparison.png are in {output}")


def _read_template(*, multiple: int) -> Volume:
    """Read nilearn's ICBM152 head at 1 mm, cut to sides that `multiple` divides."""
    try:
        from nilearn.datasets import load_mni152_template
    except ImportError as error:
        raise MissingExtraError("nilearn", extra="demo") from error
    image = load_mni152_template(resolution=1)
    voxels = image.get_fdata(dtype="float32")
    i, j, k = (length // multiple * multiple for length in voxels.shape)
    return Volume(voxels[:i, :j, :k], image.affine, image.header)


def _draw(
    reference: Volume,
    low_res: Volume,
    estimates: dict[str, Volume],
    captions: dict[str, str],
    *,
    scaling: IntensityScaling,
    slice_index: int,
    scale: int,
    path: Path,
) -> None:
    """Draw the slice of every volume; the input as blocks of its own pixels."""
    import numpy as np

    from dnsp.plotting import Candidate, draw_comparison

    axis = plane_axis(reference.affine, "axial")
    images = {name: volume.slices(axis)[0, slice_index] for name, volume in estimates.items()}
    blocks = np.repeat(np.repeat(low_res.slices(axis)[0, slice_index], scale, 0), scale, 1)
    draw_comparison(
        scaling.apply(reference.slices(axis)[0, slice_index]),
        [
            Candidate(f"input (1/{scale})", scaling.apply(blocks)),
            *(Candidate(name, scaling.apply(image), captions[name]) for name, image in images.items()),
        ],
        path,
        title=f"ICBM152 T1, axial slice {slice_index}, x{scale}; PSNR and SSIM are means of {_SLICES} slices",
    )


def _show_slices(progress: Progress, task: TaskID, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)
