"""The index of a cohort: every result with its figures, the failed scans and the outliers first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnsp.cohorts.pages.figures import FIGURES, Figure, figure_values
from dnsp.cohorts.pages.outliers import Outlyingness, find_outlyingness
from dnsp.cohorts.pages.templating import write_page
from dnsp.io.file_access import list_files
from dnsp.io.sidecar import read_sidecar_fields

__all__ = ["write_index"]

_SCORED = ("Consistency", "Overshoot", "BrightestVoxelRatio", "NoiseFraction", "SignalLeftAtNyquist")
_TITLES = {figure.name: figure.title for figure in FIGURES}
_WIDTH = 300  # of the strip of a figure
_MIDDLE, _JITTER = 18, 9


class _Result(NamedTuple):
    name: str
    folder: str
    kind: str
    page: str | None
    verdict: str
    warnings: list[str]
    figures: dict[str, float | None]


def write_index(folder: Path, failed: Sequence[tuple[str, str]]) -> Path:
    """Write ``index.html`` for a folder of results, from their .json files.

    Parameters
    ----------
    folder : Path
        Of the results.
    failed : sequence of (str, str)
        The scans that failed, with their errors.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
        If the page or a .json cannot be written or read.
    """
    results = _collect(folder)
    scores = find_outlyingness(
        [result.kind for result in results],
        [{name: result.figures[name] for name in _SCORED} for result in results],
        matters={figure.name: figure.matters for figure in FIGURES},
    )
    order = sorted(
        range(len(results)),
        key=lambda place: (
            results[place].verdict != "check",
            -_score(scores[place]),
            results[place].folder,
            results[place].name,
        ),
    )
    told = {name for result in results for name in _SCORED if result.figures[name] is not None}
    figures = [figure for figure in FIGURES if figure.name in told]
    page = folder / "index.html"
    write_page(
        page,
        "index.html",
        {
            "title": "Super-resolved scans",
            "failed": failed,
            "count": len(results),
            "checks": sum(result.verdict == "check" for result in results),
            "figures": [{"title": figure.title, "meaning": figure.meaning} for figure in figures],
            "strips": [strip for figure in figures if (strip := _strip(figure, results, order))],
            "rows": [
                {
                    "name": results[place].name,
                    "folder": results[place].folder,
                    "kind": results[place].kind,
                    "page": results[place].page,
                    "verdict": results[place].verdict,
                    "warnings": results[place].warnings,
                    "outlier": scores[place],
                    "because": _TITLES.get(score.figure, "") if (score := scores[place]) else "",
                    "figures": [
                        {"value": value, "shown": figure.show(value)}
                        for figure in figures
                        for value in [results[place].figures[figure.name]]
                    ],
                }
                for place in order
            ],
        },
    )
    return page


def _collect(folder: Path) -> list[_Result]:
    found = []
    for path in list_files(folder):
        if path.suffix != ".json" or "logs" in path.relative_to(folder).parts:
            continue
        facts = read_sidecar_fields(path)
        if "MadeFrom" not in facts:
            continue
        page, warnings = path.with_suffix(".html"), facts.get("Warnings")
        found.append(
            _Result(
                name=path.stem,
                folder=path.parent.relative_to(folder).as_posix(),
                kind=path.stem.rpartition("_")[2],
                page=page.relative_to(folder).as_posix() if page.is_file() else None,
                verdict=str(facts.get("Verdict", "")),
                warnings=[str(warning) for warning in warnings] if isinstance(warnings, list) else [],
                figures=figure_values(facts),
            )
        )
    return found


def _score(outlyingness: Outlyingness | None) -> float:
    return 0.0 if outlyingness is None else outlyingness.score


def _strip(figure: Figure, results: Sequence[_Result], order: Sequence[int]) -> dict[str, Any] | None:
    """Place the results along the range of a figure, one dot each."""
    told = [(results[place], value) for place in order if (value := results[place].figures[figure.name]) is not None]
    low, high = min(value for _, value in told), max(value for _, value in told)
    if high <= low:
        return None
    high = max(high, low + figure.matters)  # else scans that are alike would look spread
    jitter = np.random.default_rng(0).uniform(-_JITTER, _JITTER, len(told))
    return {
        "title": figure.title,
        "low": figure.show(low),
        "high": figure.show(high),
        "width": _WIDTH,
        "dots": [
            {
                "x": f"{6 + (value - low) / (high - low) * (_WIDTH - 12):.1f}",
                "y": f"{_MIDDLE + shift:.1f}",
                "label": f"{result.name}: {figure.show(value)}",
                "check": result.verdict == "check",
            }
            for (result, value), shift in zip(told, jitter, strict=True)
        ],
    }
