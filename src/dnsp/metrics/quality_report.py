"""Measure estimates against their references with one call: two scans, two files or two folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy.typing as npt

from dnsp.errors import DataError, VolumeError
from dnsp.head import head_mask, head_slices, spread_slices
from dnsp.io import as_volume, find_nifti_files, is_array, nifti_stem, read_scan
from dnsp.jobs import JobCallback
from dnsp.metrics.evaluation import evaluate_volume
from dnsp.metrics.protocol import Protocol
from dnsp.metrics.quality_table import (
    CohortQuality,
    Region,
    SliceQuality,
    SubjectQuality,
    summarise_cohort,
    summarise_subjects,
    write_quality_csv,
)
from dnsp.metrics.world_space import to_grid_of
from dnsp.volume import Plane, Volume, plane_axis

if TYPE_CHECKING:
    from dnsp.io import AnyScan

__all__ = ["QualityReport", "evaluate", "evaluate_files"]


@dataclass(frozen=True, repr=False)
class QualityReport:
    """PSNR and SSIM of estimates, with the protocol that they were measured under.

    Parameters
    ----------
    slices : tuple of SliceQuality
        A row for each subject, method, slice and region ("image" or "head").
    protocol : Protocol
        How the figures were measured.
    resampled : tuple of str
        The estimates, as "subject, method", that were brought to the grid of their reference by cubic spline.
    """

    slices: tuple[SliceQuality, ...]
    protocol: Protocol
    resampled: tuple[str, ...] = ()

    @property
    def subjects(self) -> list[SubjectQuality]:
        """Means over the slices of each subject, method and region."""
        return summarise_subjects(self.slices)

    @property
    def cohort(self) -> list[CohortQuality]:
        """Means and standard deviations over the subjects, for each method and region."""
        return summarise_cohort(self.subjects)

    @property
    def psnr_db(self) -> float:
        """Mean PSNR in dB over the whole image; infinite if the estimate equals its reference. For one method alone."""
        return self._figures("image").psnr_db

    @property
    def ssim(self) -> float:
        """Mean SSIM over the whole image. For one method alone."""
        return self._figures("image").ssim

    def to_csv(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a row for each slice and region, with the protocol beside the figures.

        Raises
        ------
        SettingError
            If the file exists or cannot be written.
        """
        write_quality_csv(self.slices, path, protocol=self.protocol, overwrite=overwrite)

    def _figures(self, region: Region) -> CohortQuality:
        rows = [row for row in self.cohort if row.region == region]
        if len(rows) != 1:
            raise DataError(f"the report has {len(rows)} methods; see `cohort` for the figures of each")
        return rows[0]

    def __repr__(self) -> str:
        figures = [
            f"{row.method}: PSNR {row.psnr_db:.2f} dB, SSIM {row.ssim:.4f}"
            for row in self.cohort
            if row.region == "image"
        ]
        count = len(dict.fromkeys((row.subject_id, row.frame, row.slice_index) for row in self.slices))
        return f"QualityReport({'; '.join(figures)}; {count} slices, whole image)"


def evaluate(
    reference: AnyScan,
    estimate: AnyScan,
    *,
    plane: Plane = "axial",
    slices: int = 0,
    protocol: Protocol | None = None,
    affine: npt.ArrayLike | None = None,
) -> QualityReport:
    """Measure PSNR and SSIM of an estimate against its reference, slice by slice.

    Parameters
    ----------
    reference, estimate : str, Path, nibabel image, Volume, ndarray or torch.Tensor
        Two scans of the same place in the same units, as `dnsp.io.as_volume` takes them. Where their grids differ, the
        estimate is brought to the grid of the reference by cubic spline.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices.
    slices : int
        How many evenly spaced slices of the head are measured; 0 for all slices that show enough of it.
    protocol : Protocol, optional
        How the figures are measured; see `dnsp.metrics.Protocol`.
    affine : array_like, shape (4, 4), optional
        Voxel index to RAS+ millimetres, for arrays. It applies to each of the two scans that is an array.

    Returns
    -------
    QualityReport

    Raises
    ------
    VolumeError
        If a scan cannot be read, or the two are not of the same place.
    SettingError
        If a setting is out of range.
    MissingExtraError
        If scikit-image or scipy is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import dnsp
    >>> rng = np.random.default_rng(0)
    >>> head = np.zeros((40, 40, 6))
    >>> head[8:32, 8:32] = rng.uniform(300, 900, (24, 24, 6))
    >>> report = dnsp.evaluate(head, head + rng.normal(0, 9, head.shape), affine=np.eye(4))
    >>> report
    QualityReport(estimate: PSNR 41.70 dB, SSIM 0.9961; 6 slices, whole image)
    """
    protocol = protocol or Protocol()
    true, estimated = (as_volume(scan, affine=affine if is_array(scan) else None) for scan in (reference, estimate))
    estimated, resampled = to_grid_of(true, estimated)
    rows = _measure(true, estimated, ("reference", "estimate"), plane=plane, slices=slices, protocol=protocol)
    return QualityReport(tuple(rows), protocol, ("reference, estimate",) if resampled else ())


def evaluate_files(
    reference: str | Path,
    estimates: Sequence[str | Path],
    *,
    plane: Plane = "axial",
    slices: int = 0,
    protocol: Protocol | None = None,
    callback: JobCallback | None = None,
) -> QualityReport:
    """Measure the estimates of one or more methods, from files or folders.

    Parameters
    ----------
    reference : str or Path
        A scan, or a folder of NIfTI files at any depth.
    estimates : sequence of str or Path
        For each method a scan, or a folder with the file names of the references.
    plane, slices, protocol
        As in `evaluate`.
    callback : JobCallback, optional
        Told about each scan.

    Returns
    -------
    QualityReport
        The method is the name of its folder, or of its file.

    Raises
    ------
    DataError
        If a file or folder is missing, or a reference has no estimate.
    VolumeError, SettingError, MissingExtraError
        As in `evaluate`.
    """
    callback = callback or JobCallback()
    protocol = protocol or Protocol()
    pairs = [pair for estimate in estimates for pair in _pair_files(Path(reference), Path(estimate))]
    rows: list[SliceQuality] = []
    resampled: list[str] = []
    callback.on_start(len(pairs))
    for names, true_path, estimate_path in pairs:
        callback.on_job(estimate_path.name)
        true, estimate = read_scan(true_path), read_scan(estimate_path)
        try:
            estimate, other_grid = to_grid_of(true, estimate)
            resampled += [", ".join(names)] if other_grid else []
            rows += _measure(true, estimate, names, plane=plane, slices=slices, protocol=protocol)
        except VolumeError as error:
            raise VolumeError(f"{estimate_path}, compared with {true_path}: {error}") from error
        callback.on_job_end(estimate_path.name, None)
    return QualityReport(tuple(rows), protocol, tuple(resampled))


def _measure(
    reference: Volume, estimate: Volume, names: tuple[str, str], *, plane: Plane, slices: int, protocol: Protocol
) -> list[SliceQuality]:
    """Measure one estimate; `names` are the subject and the method."""
    axis = plane_axis(reference.affine, plane)
    head = head_mask(reference.voxels, axis=axis)
    chosen = head_slices(head, axis=axis, min_area=protocol.min_head_area)
    return evaluate_volume(
        reference,
        estimate,
        axis=axis,
        protocol=protocol,
        subject_id=names[0],
        method=names[1],
        head=head,
        slice_indices=spread_slices(chosen, count=slices) if slices else chosen,
    )


def _pair_files(reference: Path, estimate: Path) -> list[tuple[tuple[str, str], Path, Path]]:
    """List (subject, method), reference file and estimate file for the file or folder of a method."""
    for path in (reference, estimate):
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
    if reference.is_file() != estimate.is_file():
        raise DataError(f"{reference} and {estimate}: give two files, or two folders")
    if reference.is_file():
        return [((nifti_stem(reference), nifti_stem(estimate)), reference, estimate)]
    pairs = []
    for path in find_nifti_files(reference):
        counterpart = estimate / path.relative_to(reference)
        if not counterpart.exists():
            raise DataError(f"{counterpart}: this estimate of {path} does not exist")
        pairs.append(((nifti_stem(path), estimate.name), path, counterpart))
    return pairs
