"""The page of one scan: before and after in three planes, an enlarged box, a histogram, figures, warnings and a citation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.cohorts.pages.citation import describe_method
from dnsp.cohorts.pages.figures import FIGURES, figure_values
from dnsp.cohorts.pages.templating import require_page_packages, write_page
from dnsp.html import embed_picture
from dnsp.io import scan_stem
from dnsp.io.sidecar import read_sidecar_fields, sidecar_path
from dnsp.plotting.sections import SectionPair, cut_sections
from dnsp.volume import Volume, robust_scaling

__all__ = ["page_path", "require_page_packages", "write_scan_page"]

# Fields of the .json that the page lists.
_TOLD = (
    "Sources",
    "Method",
    "Model",
    "TrainedOn",
    "Scale",
    "Plane",
    "Factors",
    "SliceAxis",
    "Slices",
    "Precision",
    "StoredAs",
    "Acquisition",
    "MadeFrom",
)
_BINS = 80
_DARKEST, _BRIGHTEST = 0.03, 1.2  # of the unit scale: the histogram leaves out the air
_WIDTH, _HEIGHT = 640, 220  # of the histogram


def page_path(result: Path) -> Path:
    """Name the page of a result.

    Examples
    --------
    >>> page_path(Path("out/scan.nii.gz")).as_posix()
    'out/scan.html'
    """
    return result.with_name(f"{scan_stem(result)}.html")


def write_scan_page(before: Volume, after: Volume, *, source: Path, result: Path, index: Path | None = None) -> None:
    """Write the page of a result beside it.

    Parameters
    ----------
    before, after : Volume
        The scan and its result, as they are read from their files.
    source, result : Path
        The files. The result has a .json.
    index : Path, optional
        The page of the cohort, to be linked to.

    Raises
    ------
    VolumeError
        If the scan holds no contrast.
    DataError
        If the page cannot be written.
    """
    facts = read_sidecar_fields(sidecar_path(result))
    values = figure_values(facts)
    pairs = cut_sections(before, after)
    warnings = facts.get("Warnings")
    write_page(
        page_path(result),
        "scan.html",
        {
            "title": scan_stem(result),
            "source": source.name,
            "result": result.name,
            "index": None if index is None else Path(os.path.relpath(index, result.parent)).as_posix(),
            "before": _describe_grid(before),
            "after": _describe_grid(after),
            "sections": [_show(pair) for pair in pairs],
            "zoom": _zoom(pairs[0]),
            "histogram": _histogram(before, after),
            "figures": [
                {"title": figure.title, "value": figure.show(values[figure.name]), "meaning": figure.meaning}
                for figure in FIGURES
                if values[figure.name] is not None
            ],
            "warnings": [str(warning) for warning in warnings] if isinstance(warnings, list) else [],
            "verdict": facts.get("Verdict", ""),
            "facts": _flatten({name: facts[name] for name in _TOLD if name in facts}),
            "citation": describe_method(facts),
        },
    )


def _flatten(facts: Mapping[str, Any]) -> dict[str, str]:
    """Give nested fields as one list of names and values; those that are null are left out.

    Of two fields of one name the first counts: what was found or used comes before what was asked for (``MadeFrom``).
    """
    flat: dict[str, str] = {}
    for name, value in facts.items():
        if name == "Slices" and isinstance(value, dict):
            flat["Slices of the scan"] = _describe_slices(value)
        elif isinstance(value, dict):
            flat = _flatten(value) | flat
        elif isinstance(value, list):
            flat[name] = ", ".join(map(str, value))
        elif value is not None:
            flat[name] = str(value)
    return flat


def _describe_slices(slices: Mapping[str, Any]) -> str:
    thickness, spacing = slices.get("SliceThickness"), slices.get("SpacingBetweenSlices")
    known_from = slices.get("SliceThicknessFrom")
    return f"{thickness} mm thick ({known_from}), {spacing} mm apart, {slices.get('SliceProfile')}"


def _show(pair: SectionPair) -> dict[str, Any]:
    width, height = pair.size_mm
    left, top, across, down = (100 * part for part in pair.box)
    return {
        "plane": pair.plane,
        "before": embed_picture(pair.before),
        "after": embed_picture(pair.after),
        "ratio": f"{width:.4g} / {height:.4g}",
        "tall": height > width,
        "sides": pair.sides,
        "box": {"left": f"{left:.3f}%", "top": f"{top:.3f}%", "width": f"{across:.3f}%", "height": f"{down:.3f}%"},
    }


def _zoom(pair: SectionPair) -> dict[str, str]:
    return {
        "plane": pair.plane,
        "before": embed_picture(np.ascontiguousarray(pair.cut_box(pair.before))),
        "after": embed_picture(np.ascontiguousarray(pair.cut_box(pair.after))),
        "ratio": f"{pair.box[2] * pair.size_mm[0]:.4g} / {pair.box[3] * pair.size_mm[1]:.4g}",
    }


def _describe_grid(volume: Volume) -> dict[str, str]:
    return {
        "voxels": " \N{MULTIPLICATION SIGN} ".join(map(str, volume.voxels.shape)),
        "spacing": " \N{MULTIPLICATION SIGN} ".join(f"{length:.3g}" for length in volume.spacing_mm),
    }


def _histogram(before: Volume, after: Volume) -> dict[str, Any]:
    """Give both histograms as the points of lines, on the scan's unit scale and with the same area."""
    scaling = robust_scaling(before.voxels)
    counts = [_count(scaling.apply(volume.voxels)) for volume in (before, after)]
    highest = max(float(count.max()) for count in counts) or 1.0
    steps = np.arange(_BINS) / (_BINS - 1) * _WIDTH
    lines = [
        " ".join(f"{x:.1f},{_HEIGHT - y / highest * (_HEIGHT - 10):.1f}" for x, y in zip(steps, count, strict=True))
        for count in counts
    ]
    ticks = [
        {"x": f"{(tick - _DARKEST) / (_BRIGHTEST - _DARKEST) * _WIDTH:.1f}", "label": f"{tick:g}"}
        for tick in (0.2, 0.4, 0.6, 0.8, 1.0)
    ]
    return {"before": lines[0], "after": lines[1], "width": _WIDTH, "height": _HEIGHT, "ticks": ticks}


def _count(unit: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    counts, _ = np.histogram(unit, bins=_BINS, range=(_DARKEST, _BRIGHTEST))
    shares: npt.NDArray[np.float64] = counts / max(int(counts.sum()), 1)
    return shares
