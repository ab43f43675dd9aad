"""The figures that are slices: patches, filters, comparisons with a zoomed box (Figures 5, 8, 11-14, 17, 19, 20), sliders."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dnsp.plotting.comparison import busiest_box
from dnsp.reproduction.report.numbers import Numbers
from dnsp.reproduction.report.page import Figure, Text, elements, join, say
from dnsp.reproduction.report.pictures import Picture, render_before_after, render_pictures
from dnsp.reproduction.report.published import name_method
from dnsp.reproduction.report.results import Results
from dnsp.reproduction.schema import Example, ImageRow, LearnedFilters

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["draw_filter_figure", "draw_patch_figure", "draw_slice_figures", "render_sliders"]

Array = npt.NDArray[Any]

_BEST = 4
_PARTIAL = ("-LR", "-FS", "-LS")  # the paper shows these in Table I alone
_SLICE_FIGURES = (  # label, data set, scale (None: the smallest there is), what it shows
    ("11", "brainweb", 2),
    ("12", "adni", 2),
    ("13", "adni", 4),
    ("14", "brainweb", 4),
    ("17", "low-field", None),
    ("19", "pairs-3t7t", None),
    ("20", "pairs-3t3t", None),
)


def draw_patch_figure(results: Results) -> Figure:
    """Show sharp and smooth training patches, of which the learnable filters were learned (Figure 5)."""
    figure = Figure("5", "Sharp and smooth training patches")
    if not results.filters:
        return figure._replace(absent="no run of the folder learned filters")
    learned = _shown_filters(results)
    rows = [
        ("Sharpest", [Picture(f"Patch {number}", patch) for number, patch in enumerate(learned.sharp, start=1)]),
        ("Smoothest", [Picture(f"Patch {number}", patch) for number, patch in enumerate(learned.smooth, start=1)]),
    ]
    html = elements()
    return figure._replace(
        body=join(part for name, row in rows for part in (html.minor_heading(name), render_pictures(row, small=True))),
        caption=f"Of the training of {name_method(learned.method)} on the {results.label(learned.dataset)}: some of the "
        "patches with the largest and the smallest Laplacian response of each training slice. No person chose among them.",
    )


def draw_filter_figure(results: Results, numbers: Numbers) -> Figure:
    """Show learned filters and their responses beside the Laplacian's (Figure 8)."""
    figure = Figure("8", "The learned sharpness filters and their responses")
    if not results.filters:
        return figure._replace(absent="no run of the folder learned filters")
    learned = _shown_filters(results)
    example = next((e for e in results.examples if e.dataset == learned.dataset), None)
    if example is None:
        return figure._replace(absent="the folder holds no example slice of the data that the filters were learned on")
    laplacian_kernel = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=np.float64)
    responses: list[tuple[str, Array, Text]] = [("Laplacian", laplacian_kernel, "")]
    for index, kernel in enumerate(learned.filters, start=1):
        responses.append((f"Filter {index}", kernel, _render_kernel(numbers, learned, index, kernel)))
    pictures = [Picture(name, _unit_response(example.reference, kernel), below) for name, kernel, below in responses]
    return figure._replace(
        body=render_pictures(pictures),
        caption=f"{name_method(learned.method)} on the {results.label(learned.dataset)} at "
        f"\N{MULTIPLICATION SIGN}{learned.scale}, seed {learned.seed}. Absolute responses on slice {example.slice} of "
        f"{example.subject_id}, each scaled to its own 99.5th percentile.",
    )


def draw_slice_figures(results: Results, numbers: Numbers) -> dict[str, Figure]:
    """Compare the best methods on one slice of each data set, with a zoomed box (Figures 11-14, 17, 19-20)."""
    return {label: _draw_slice(label, dataset, scale, results, numbers) for label, dataset, scale in _SLICE_FIGURES}


def render_sliders(results: Results) -> Markup:
    """Lay a before/after pair for each data set: bicubic (or the input) against the priors (or the best there is)."""
    html = elements()
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
        name = name_method(after.method)
        at = "" if scale == 1 else f", \N{MULTIPLICATION SIGN}{scale}"
        label = f"Part of {before.name} shown, {results.label(dataset)}"
        note = (
            f"Slice {after.slice} of {after.subject_id}. Left of the line: {before.name}; right: {name}. Drag the handle, or "
            "use the arrow keys."
        )
        pair = render_before_after(before, Picture(name, after.estimate), label=label)
        parts.append(html.slider(f"{results.title(dataset)}{at}", pair, note))
    found: Markup = html.sliders(parts) if parts else html.absent("Left out: the folder holds no example slices.")
    return found


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
        caption=f"Slice {first.slice} of {first.subject_id}; the box holds the most detail of the reference. Shown are the "
        f"{len(best)} methods with the highest mean PSNR among those with an example; below each, PSNR and SSIM of this slice.",
    )


def _of_one_slice(results: Results, dataset: str, scale: int) -> dict[str, Example]:
    """Take one example of each method, all of the slice that most methods show, of the lowest seed."""
    there = [e for e in results.examples if (e.dataset, e.scale) == (dataset, scale)]
    slices = [(e.subject_id, e.slice) for e in there]
    most = max(dict.fromkeys(slices), key=slices.count)
    chosen: dict[str, Example] = {}
    for example in sorted(there, key=lambda e: e.seed):
        if (example.subject_id, example.slice) == most:
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


def _quality_of_slice(results: Results, numbers: Numbers, example: Example) -> Text:
    row = next((row for row in results.images if _is_of(row, example)), None)
    if row is None:
        return ""
    place = ("experiment", "dataset", "method", "scale", "fraction", "seed", "subject_id")
    where = [{column: getattr(row, column) for column in (*place, "slice")}]
    identity = f"example.{example.file.removesuffix('.npz')}.{example.subject_id}.{example.slice}"
    psnr_db = numbers.show(f"{identity}.psnr_db", row.psnr_db, ".2f", how="psnr_db of this image", where=where, rows=1)
    ssim = numbers.show(f"{identity}.ssim", row.ssim, ".4f", how="ssim of this image", where=where, rows=1)
    return say("{} dB, {}", psnr_db, ssim)


def _is_of(row: ImageRow, example: Example) -> bool:
    image = (row.dataset, row.scale, row.method, row.seed, row.subject_id, row.slice)
    e = example
    return _is_in_a_table(row) and image == (e.dataset, e.scale, e.method, e.seed, e.subject_id, e.slice)


def _is_in_a_table(row: ImageRow) -> bool:
    """Tell whether a row is of the whole training set and the test subjects."""
    return row.experiment not in ("figure15", "crossvalidation", "confirmation")


def _shown_filters(results: Results) -> LearnedFilters:
    """Choose the filters to show: those of ADNI with the paper's priors where there are any."""
    return max(results.filters, key=lambda one: (one.dataset == "adni", one.method == "edsr-AP"))


def _unit_response(image: Array, kernel: Array) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    response = np.abs(np.einsum("ijkl,kl->ij", windows, kernel))
    scaled: Array = response / max(float(np.percentile(response, 99.5)), np.finfo(np.float64).tiny)
    return scaled


def _render_kernel(numbers: Numbers, learned: LearnedFilters, index: int, kernel: Array) -> Text:
    rows = [
        [
            numbers.show(
                f"figure8.filter{index}.{i}{j}",
                float(kernel[i, j]),
                ".2f",
                how=f"coefficient ({i}, {j}) of filter {index}",
                source=f"filters/{learned.file}",
            )
            for j in range(3)
        ]
        for i in range(3)
    ]
    html: Text = elements().kernel(rows)
    return html
