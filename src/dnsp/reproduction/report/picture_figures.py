"""The figures that are slices: patches, filters, comparisons with a zoomed box (Figures 5, 8, 11-14, 17, 19-20), sliders."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.plotting.comparison import busiest_box
from dnsp.reproduction.report.curve_figures import laplacian
from dnsp.reproduction.report.numbers import Numbers
from dnsp.reproduction.report.page import Figure
from dnsp.reproduction.report.pictures import Picture, render_before_after, render_pictures
from dnsp.reproduction.report.published import name_method
from dnsp.reproduction.report.results import Example, ImageRow, LearnedFilters, Results

__all__ = ["draw_filter_figure", "draw_patch_figure", "draw_slice_figures", "render_sliders"]

Array = npt.NDArray[Any]

_PATCH = 40
_MOST_SLICES = 6
_BEST = 4
_PARTIAL = ("-LR", "-FS", "-LS")  # the paper shows these in Table I alone
_SLICE_FIGURES = (  # label, data set, scale (None: the smallest there is), what it shows
    ("11", "brainweb", 2),
    ("12", "adni", 2),
    ("13", "adni", 4),
    ("14", "brainweb", 4),
    ("17", "low-field", None),
    ("19-20", "paired", None),
)


def draw_patch_figure(results: Results) -> Figure:
    """Show the sharpest and the smoothest patch of each example slice (Figure 5)."""
    figure = Figure("5", "Sharp and smooth patches")
    slices = {
        example.reference.tobytes(): example for example in reversed(results.examples)
    }  # each once, of any data set
    sharp: list[Picture] = []
    smooth: list[Picture] = []
    for example in list(reversed(slices.values()))[:_MOST_SLICES]:
        side = min(_PATCH, min(example.reference.shape) // 2)
        name = f"{example.subject_id}, slice {example.slice_index}"
        for patches, patch in zip((sharp, smooth), _extreme_patches(example.reference, side), strict=True):
            patches.append(Picture(name, patch))
    if not sharp:
        return figure._replace(absent="the folder holds no example slices")
    return figure._replace(
        body=f"<h4>Sharpest</h4>{render_pictures(sharp, small=True)}<h4>Smoothest</h4>{render_pictures(smooth, small=True)}",
        caption="The patch of each example slice with the largest and the smallest Laplacian response; the smoothest one "
        "has at least nine tenths of its pixels above 0.05, so that it is not air. Nobody chose among these candidates.",
    )


def draw_filter_figure(results: Results, numbers: Numbers) -> Figure:
    """Show learned filters and their responses beside the Laplacian's (Figure 8)."""
    figure = Figure("8", "The learned sharpness filters and their responses")
    if not results.filters:
        return figure._replace(absent="no run of the folder learned filters")
    learned = next((f for f in results.filters if f.dataset == "adni"), results.filters[0])
    example = next((e for e in results.examples if e.dataset == learned.dataset), None)
    if example is None:
        return figure._replace(absent="the folder holds no example slice of the data that the filters were learned on")
    responses = [("Laplacian", np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=np.float64), "")]
    for index, kernel in enumerate(learned.filters, start=1):
        responses.append((f"Filter {index}", kernel, _render_kernel(numbers, learned, index, kernel)))
    pictures = [Picture(name, _unit_response(example.reference, kernel), below) for name, kernel, below in responses]
    return figure._replace(
        body=render_pictures(pictures),
        caption=f"{name_method(learned.method)} on the {results.label(learned.dataset)} at "
        f"\N{MULTIPLICATION SIGN}{learned.scale}, seed {learned.seed}. Absolute responses on slice {example.slice_index} of "
        f"{example.subject_id}, each scaled to its own 99.5th percentile.",
    )


def draw_slice_figures(results: Results, numbers: Numbers) -> dict[str, Figure]:
    """Compare the best methods on one slice of each data set, with a zoomed box (Figures 11-14, 17, 19-20)."""
    return {label: _draw_slice(label, dataset, scale, results, numbers) for label, dataset, scale in _SLICE_FIGURES}


def render_sliders(results: Results) -> str:
    """Lay a before/after pair for each data set: bicubic (or the input) against the priors (or the best there is)."""
    parts = []
    for dataset in dict.fromkeys(example.dataset for example in results.examples):
        scale = min(e.scale for e in results.examples if e.dataset == dataset)
        examples = _of_one_slice(results, dataset, scale)
        after = examples.get("edsr-AP") or examples[next(iter(_ranked(results, examples)))]
        base = examples.get("bicubic") or examples.get("input") or examples.get("edsr-NP")
        if base is None or base is after:
            before = Picture("Input", after.low_res)
        else:
            before = Picture(name_method(base.method), base.estimate)
        label = results.label(dataset)
        at = "" if scale == 1 else f", \N{MULTIPLICATION SIGN}{scale}"
        parts.append(
            f"<div><h3>{results.title(dataset)}{at}</h3>"
            + render_before_after(
                before,
                Picture(name_method(after.method), after.estimate),
                label=f"Share of {before.name} shown, {label}",
            )
            + f'<p class="note">Slice {after.slice_index} of {after.subject_id}. Left of the line: {before.name}; right of '
            f"it: {name_method(after.method)}. Drag the handle, or use the arrow keys.</p></div>"
        )
    if not parts:
        return '<p class="absent">Left out: the folder holds no example slices.</p>'
    return '<div class="sliders">\n' + "\n".join(parts) + "\n</div>"


def _draw_slice(label: str, dataset: str, scale: int | None, results: Results, numbers: Numbers) -> Figure:
    there = [e for e in results.examples if e.dataset == dataset and scale in (None, e.scale)]
    figure = Figure(label, f"Visual comparison, {dataset}" + (f" \N{MULTIPLICATION SIGN}{scale}" if scale else ""))
    if dataset in results.datasets:
        name = f"Visual comparison, {results.label(dataset)}"
        figure = figure._replace(title=name + (f", \N{MULTIPLICATION SIGN}{scale}" if scale else ""))
    if not there:
        at = f" at \N{MULTIPLICATION SIGN}{scale}" if scale else ""
        return figure._replace(absent=f"the folder holds no example slices of the data set {dataset}{at}")
    shown_scale = scale or min(e.scale for e in there)
    examples = _of_one_slice(results, dataset, shown_scale)
    examples = {m: e for m, e in examples.items() if not m.endswith(_PARTIAL) and m != "input"} or examples
    best = list(_ranked(results, examples))[:_BEST]
    first = examples[best[0]]
    pictures = [Picture("Reference", first.reference), Picture("Input", first.low_res)]
    pictures += [
        Picture(name_method(m), examples[m].estimate, _quality_of_slice(results, numbers, examples[m]))
        for m in reversed(best)
    ]
    side = max(8, min(first.reference.shape) // 5)
    return figure._replace(
        body=render_pictures(pictures, box=busiest_box(first.reference, side=side)),
        caption=f"Slice {first.slice_index} of {first.subject_id}; the box holds the most detail of the reference. Shown are "
        f"the {len(best)} methods with the highest mean PSNR among those with an example; below each, PSNR and SSIM of this "
        "one slice.",
    )


def _of_one_slice(results: Results, dataset: str, scale: int) -> dict[str, Example]:
    """Take one example of each method, all of the slice that most methods show, of the lowest seed."""
    there = [e for e in results.examples if (e.dataset, e.scale) == (dataset, scale)]
    slices = [(e.subject_id, e.slice_index) for e in there]
    most = max(dict.fromkeys(slices), key=slices.count)
    chosen: dict[str, Example] = {}
    for example in sorted(there, key=lambda e: e.seed):
        if (example.subject_id, example.slice_index) == most:
            chosen.setdefault(example.method, example)
    return chosen


def _ranked(results: Results, examples: dict[str, Example]) -> Sequence[str]:
    """Order the methods by mean PSNR over the test images, best first; one without images comes last."""

    def mean_psnr(method: str) -> float:
        one = examples[method]
        found = [
            row.psnr_db
            for row in results.images
            if (row.dataset, row.scale, row.method) == (one.dataset, one.scale, method) and _is_in_a_table(row)
        ]
        return statistics.fmean(found) if found else float("-inf")

    return sorted(examples, key=mean_psnr, reverse=True)


def _quality_of_slice(results: Results, numbers: Numbers, example: Example) -> str:
    row = next((row for row in results.images if _is_of(row, example)), None)
    if row is None:
        return ""
    place = ("experiment", "dataset", "method", "scale", "fraction", "seed", "subject_id")
    where = [{**{column: getattr(row, column) for column in place}, "slice": row.slice_index}]
    identity = f"example.{example.path.stem}.{example.subject_id}.{example.slice_index}"
    psnr_db = numbers.show(f"{identity}.psnr_db", row.psnr_db, ".2f", how="psnr_db of this image", where=where, rows=1)
    ssim = numbers.show(f"{identity}.ssim", row.ssim, ".4f", how="ssim of this image", where=where, rows=1)
    return f"{psnr_db} dB, {ssim}"


def _is_of(row: ImageRow, example: Example) -> bool:
    image = (row.dataset, row.scale, row.method, row.seed, row.subject_id, row.slice_index)
    e = example
    return _is_in_a_table(row) and image == (e.dataset, e.scale, e.method, e.seed, e.subject_id, e.slice_index)


def _is_in_a_table(row: ImageRow) -> bool:
    """Whether a row is of the whole training set and the test subjects."""
    return row.experiment not in ("figure15", "crossvalidation", "confirmation")


def _extreme_patches(image: Array, side: int) -> tuple[Array, Array]:
    energy = _window_sums(laplacian(image) ** 2, side - 2)
    enough = _window_sums((image > 0.05).astype(np.float64), side) >= 0.9 * side**2
    if not enough.any():
        enough[:] = True
    places = (np.argmax(energy), np.argmin(np.where(enough, energy, np.inf)))
    sharp, smooth = (np.unravel_index(int(place), energy.shape) for place in places)
    return tuple(image[i : i + side, j : j + side] for i, j in (sharp, smooth))  # type: ignore[return-value]


def _window_sums(values: Array, side: int) -> Array:
    sums: Array = np.lib.stride_tricks.sliding_window_view(values, (side, side)).sum(axis=(2, 3))
    return sums


def _unit_response(image: Array, kernel: Array) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    response = np.abs(np.einsum("ijkl,kl->ij", windows, kernel))
    scaled: Array = response / max(float(np.percentile(response, 99.5)), np.finfo(np.float64).tiny)
    return scaled


def _render_kernel(numbers: Numbers, learned: LearnedFilters, index: int, kernel: Array) -> str:
    rows = []
    for i in range(3):
        cells = [
            numbers.show(
                f"figure8.filter{index}.{i}{j}",
                float(kernel[i, j]),
                ".2f",
                how=f"coefficient ({i}, {j}) of filter {index}",
                source=f"filters/{learned.path.name}",
            )
            for j in range(3)
        ]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f'<table class="kernel">{"".join(rows)}</table>'
