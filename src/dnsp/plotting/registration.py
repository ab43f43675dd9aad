"""A picture that shows whether a registration worked: edges of the fixed scan over the moving one, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataError, MissingExtraError
from dnsp.io.atomic import replace_file
from dnsp.plotting.orientation import SIDES, VIEWS, ras_axes, to_ras
from dnsp.plotting.text import as_plain_text
from dnsp.volume import Volume, robust_scaling

__all__ = ["draw_registration"]

Array = npt.NDArray[Any]

_EDGE_PART = 0.16  # as many of the steepest pixels are drawn, for each pixel that shows the head
_EDGE_COLOUR = (1.0, 0.69, 0.0, 1.0)


def draw_registration(
    fixed: Volume, before: Volume, after: Volume, path: str | Path, *, title: str = "", overwrite: bool = False
) -> None:
    """Draw three planes through the middle of the head: the fixed scan, and its edges over the moving scan.

    Edges show a misfit even if the two scans have different contrasts.

    Parameters
    ----------
    fixed : Volume
        The fixed 3-D scan of the registration.
    before, after : Volume
        The moving scan on the grid of `fixed`, placed by the headers and by the registration.
    path : str or Path
        The PNG to write.
    title : str
        One line.
    overwrite : bool
        Replace a picture that exists.

    Raises
    ------
    DataError
        If the three scans are not on the same grid, or the file exists or cannot be written.
    VolumeError
        If a scan has only one intensity.
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="report") from error

    for scan in (before, after):
        if scan.voxels.shape != fixed.voxels.shape or not np.allclose(scan.affine, fixed.affine, rtol=0, atol=1e-3):
            raise DataError(
                "the scans before and after must be on the grid of the fixed scan; resample them with resample_to"
            )
    contrast = robust_scaling(after.voxels)  # before, the scan may lie wholly outside the picture
    columns = {
        "fixed": to_ras(robust_scaling(fixed.voxels).apply(fixed.voxels), fixed.affine),
        "before": to_ras(contrast.apply(before.voxels), fixed.affine),
        "after": to_ras(contrast.apply(after.voxels), fixed.affine),
    }
    spacing = [fixed.spacing_mm[axis] for axis in ras_axes(fixed.affine)]
    head = columns["fixed"] > columns["fixed"].mean()
    middle = [int(index) for index in np.argwhere(head).mean(axis=0).round()]

    extent = np.array(spacing) * columns["fixed"].shape
    heights = [extent[up] / extent[across] for across, up, _ in VIEWS.values()]
    figure = Figure(figsize=(9.0, 0.8 + 2.9 * sum(heights)), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(as_plain_text(title), fontsize=11)
    for row, plane in zip(figure.subplots(len(VIEWS), len(columns), height_ratios=heights), VIEWS, strict=True):
        across, up, through = VIEWS[plane]
        edges = _edges(np.take(columns["fixed"], middle[through], axis=through))
        for axes, (name, voxels) in zip(row, columns.items(), strict=True):
            section = np.take(voxels, middle[through], axis=through)
            look = {"origin": "lower", "aspect": spacing[up] / spacing[across], "interpolation": "nearest"}
            axes.imshow(section.T, cmap="gray", vmin=0.0, vmax=1.0, **look)
            if name != "fixed":
                axes.imshow(edges.T[..., None] * np.array(_EDGE_COLOUR), **look)
            axes.set(xticks=[], yticks=[], title=name if plane == "axial" else "")
        row[0].set_ylabel(plane, fontsize=11)
        for side, position, alignment in zip(SIDES[plane], (0.02, 0.98), ("left", "right"), strict=True):
            row[0].text(position, 0.02, side, color="white", ha=alignment, va="bottom", transform=row[0].transAxes)
    with replace_file(Path(path), overwrite=overwrite, error=DataError) as unfinished:
        figure.savefig(unfinished, dpi=110, format="png")


def _edges(section: Array) -> Array:
    """Mark the steepest pixels of a slice."""
    steepness = np.hypot(*np.gradient(section.astype(np.float64)))
    count = max(1, int(_EDGE_PART * np.count_nonzero(section > section.mean())))
    steepest: Array = steepness >= np.partition(steepness, -count, axis=None)[-count]
    return steepest
