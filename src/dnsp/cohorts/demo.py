"""A demonstration without data: the ICBM152 template, degraded, enhanced and compared with bicubic interpolation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dnsp.acquisition import degrade_volume
from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.head import head_mask, head_slices, spread_slices
from dnsp.io import write_nifti
from dnsp.io.atomic import make_folder
from dnsp.jobs import JobCallback
from dnsp.methods import choose_method, enhance_scan
from dnsp.metrics import Protocol, QualityReport, evaluate_volume
from dnsp.plotting import Candidate, draw_comparison
from dnsp.volume import Volume, plane_axis

__all__ = ["run_demo"]

_SLICES = 40


def run_demo(
    folder: str | Path, *, scale: int = 2, overwrite: bool = False, callback: JobCallback | None = None
) -> QualityReport:
    """Degrade the ICBM152 template that is part of nilearn, enhance it, and compare the default model with bicubic.

    The template is an average of many heads, so it is smoother than a single scan.

    The folder then has the scans (reference.nii.gz, low_res_x2.nii.gz, bicubic.nii.gz, network.nii.gz), the figures
    (figures.csv) and a picture (comparison.png).

    Parameters
    ----------
    folder : str or Path
        Made if it is missing.
    scale : int
        2, 3 or 4.
    overwrite : bool
        Replace the files of an earlier demo.
    callback : JobCallback, optional
        Told about each method, and within it about each slice.

    Returns
    -------
    QualityReport
        Of both methods.

    Raises
    ------
    SettingError
        If the scale is not 2, 3 or 4.
    DataError
        If the folder has files and `overwrite` is false, or cannot be written to.
    MissingExtraError
        If nilearn or matplotlib is not installed.
    """
    callback = callback or JobCallback()
    folder = Path(folder)
    if scale not in (2, 3, 4):
        raise SettingError(f"--scale must be 2, 3 or 4, not {scale}")
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise DataError(f"{folder}: this folder is not empty; choose another one, or use --overwrite")
    reference = _read_template(multiple=scale)
    make_folder(folder, error=DataError)
    low_res = degrade_volume(reference, scale=scale)
    estimates: dict[str, Volume] = {}
    callback.on_start(2)
    for name, method in (
        ("bicubic", choose_method("bicubic", scale=scale)),
        ("network", choose_method("network", scale=scale)),
    ):
        callback.on_job(name)
        estimates[name] = enhance_scan(low_res, method, on_slice=callback.on_progress).volume
        callback.on_job_end(name, None)
    report, middle = _measure(reference, estimates)
    for name, volume in {"reference": reference, f"low_res_x{scale}": low_res, **estimates}.items():
        write_nifti(volume, folder / f"{name}.nii.gz", overwrite=True)
    report.to_csv(folder / "figures.csv", overwrite=True)
    _draw(reference, low_res, estimates, report, slice_index=middle, scale=scale, path=folder / "comparison.png")
    return report


def _read_template(*, multiple: int) -> Volume:
    """Read nilearn's ICBM152 template at 1 mm, cut to sides that `multiple` divides."""
    try:
        from nilearn.datasets import load_mni152_template
    except ImportError as error:
        raise MissingExtraError("nilearn", extra="demo") from error
    image = load_mni152_template(resolution=1)
    voxels = image.get_fdata(dtype="float32")
    i, j, k = (length // multiple * multiple for length in voxels.shape)
    return Volume(voxels[:i, :j, :k], image.affine, image.header)


def _measure(reference: Volume, estimates: dict[str, Volume]) -> tuple[QualityReport, int]:
    """Measure both methods, and give the middle one of the slices."""
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
    return QualityReport(tuple(rows), protocol), int(chosen[_SLICES // 2])


def _draw(
    reference: Volume,
    low_res: Volume,
    estimates: dict[str, Volume],
    report: QualityReport,
    *,
    slice_index: int,
    scale: int,
    path: Path,
) -> None:
    """Draw the slice of every volume; the input as blocks of its own pixels."""
    axis = plane_axis(reference.affine, "axial")
    scaling = report.protocol.find_scaling(reference.voxels)
    captions = {row.method: f"{row.psnr_db:.2f} dB, {row.ssim:.4f}" for row in report.subjects if row.region == "image"}
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
