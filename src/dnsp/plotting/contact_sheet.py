"""A contact sheet: many small patches on one page, each with a caption."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from dnsp.errors import MissingExtraError
from dnsp.io.atomic import replace_file
from dnsp.plotting.text import as_plain_text

__all__ = ["ContactPrint", "draw_contact_sheet"]

_COLUMNS = 20


class ContactPrint(NamedTuple):
    """A patch (P, P) on the unit scale and its caption."""

    image: npt.NDArray[Any]
    caption: str


def draw_contact_sheet(
    prints: Sequence[ContactPrint], path: str | Path, *, title: str, overwrite: bool = False
) -> None:
    """Draw patches row by row, twenty a row.

    Parameters
    ----------
    prints : sequence of ContactPrint
        At least one.
    path : str or Path
        The PNG to write.
    title : str
        One line.
    overwrite : bool
        Replace a picture that exists.

    Raises
    ------
    DnspError
        If the file exists or cannot be written.
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="report") from error
    columns = min(_COLUMNS, len(prints))
    rows = ceil(len(prints) / columns)
    figure = Figure(figsize=(0.95 * columns, 1.1 * rows + 0.5), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(as_plain_text(title), fontsize=12)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, contact_print in zip(grid.flat, prints, strict=False):
        axes.imshow(contact_print.image.T, cmap="gray", vmin=0.0, vmax=1.0, origin="lower", interpolation="nearest")
        axes.set_title(as_plain_text(contact_print.caption), fontsize=6, pad=2)
    with replace_file(Path(path), overwrite=overwrite) as unfinished:
        figure.savefig(unfinished, dpi=100, format="png")
