"""The figures that are curves: rank, blur, validation and training fraction (Figures 2, 3, 9 and 15)."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.errors import MissingExtraError
from dnsp.html import embed
from dnsp.reproduction.report.comparisons import HOW_INTERVAL, Cell, Cells, measure
from dnsp.reproduction.report.numbers import Numbers, show_interval
from dnsp.reproduction.report.page import Figure, Text, elements, join, render_method, say
from dnsp.reproduction.report.pictures import Picture, render_pictures
from dnsp.reproduction.report.plots import Line, Panel, draw_lines
from dnsp.reproduction.report.published import name_method, sort_methods
from dnsp.reproduction.report.results import Results
from dnsp.reproduction.schema import EPOCHS, Example

__all__ = ["draw_blur_figure", "draw_fraction_figure", "draw_rank_figure", "draw_validation_figure", "laplacian"]

Array = npt.NDArray[Any]

_SIGMAS_PX = tuple(0.25 * step for step in range(13))
_PARTS_OF_RANK = (0.25, 0.5, 0.65, 0.8)


def draw_rank_figure(results: Results, numbers: Numbers) -> Figure:
    """Truncate the singular values of one slice and plot how well it is kept (Figure 2)."""
    figure = Figure("2", "PSNR of one slice against the rank that a truncated SVD leaves")
    if not results.examples:
        return figure._replace(absent="the folder holds no example slices")
    example = results.examples[0]
    left, values, right = np.linalg.svd(example.reference, full_matrices=False)
    full = int((values > values[0] * max(example.reference.shape) * np.finfo(np.float64).eps).sum())
    ranks = list(range(1, full))
    energy = np.cumsum(values[::-1] ** 2)[::-1]  # the squared error of rank r is the energy from r on
    psnr_db = [10 * math.log10(example.reference.size / energy[rank]) for rank in ranks]
    plot = draw_lines(
        [Panel(_name_slice(example), [Line("truncated SVD", ranks, psnr_db)])], x_label="rank", y_label="PSNR (dB)"
    )
    how = "PSNR (data range 1) of the slice rebuilt from its largest singular values, against the slice itself"
    pictures = [
        Picture(
            f"Rank {rank}",
            (left[:, :rank] * values[:rank]) @ right[:rank],
            say("{} dB", _from_slice(numbers, f"figure2.rank{rank}", psnr_db[rank - 1], ".2f", example, how)),
        )
        for rank in sorted({max(1, round(part * full)) for part in _PARTS_OF_RANK} & set(ranks))
    ]
    how = "count of singular values above rounding error"
    shown = _from_slice(numbers, "figure2.full", full, ".0f", example, how)
    return figure._replace(
        body=join([_plot(plot, "PSNR against rank"), render_pictures(pictures)]),
        caption=say(
            "Slice {} of {}, full rank {}. The paper's slice has full rank 170 and reaches 45 dB at rank 90; other slices have "
            "other sizes and other noise.",
            example.slice,
            example.subject_id,
            shown,
        ),
    )


def draw_blur_figure(results: Results, numbers: Numbers) -> Figure:
    """Blur one slice more and more and plot the variance of its Laplacian (Figure 3)."""
    figure = Figure("3", "Variance of the Laplacian against blur")
    if not results.examples:
        return figure._replace(absent="the folder holds no example slices")
    try:
        from scipy.ndimage import gaussian_filter
    except ImportError as error:
        raise MissingExtraError("scipy", extra="stats") from error
    example = results.examples[0]
    blurred = [gaussian_filter(example.reference, sigma, mode="nearest") for sigma in _SIGMAS_PX]
    variances = [float(np.var(laplacian(image), ddof=1)) for image in blurred]
    plot = draw_lines(
        [Panel(_name_slice(example), [Line("variance", _SIGMAS_PX, variances)])],
        x_label="standard deviation of the Gaussian blur (pixels)",
        y_label="variance of the Laplacian",
    )
    how = "sample variance of the Laplacian (4, -1) over the inner pixels of the blurred slice"
    rows = [
        [f"{sigma:g}", _from_slice(numbers, f"figure3.sigma{sigma:g}", variance, ".2e", example, how)]
        for sigma, variance in list(zip(_SIGMAS_PX, variances, strict=True))[::2]
    ]
    return figure._replace(
        body=join([_plot(plot, "Variance of the Laplacian against blur"), _fold(["Blur (pixels)", "Variance"], rows)]),
        caption=f"Slice {example.slice} of {example.subject_id}, intensities in [0, 1].",
    )


def draw_validation_figure(results: Results, numbers: Numbers) -> Figure:
    """Plot the validation PSNR after each epoch, and below it each variant's difference from EDSR without priors (Figure 9)."""
    figure = Figure("9", "Validation PSNR per epoch")
    experiments = dict.fromkeys(row.experiment for row in results.epochs)
    experiment = next((name for name in ("figure9", "table1", *experiments) if name in experiments), None)
    if experiment is None:
        return figure._replace(absent="epochs.csv holds no training with validation subjects")
    curves: dict[tuple[str, int, float], dict[str, dict[int, list[float]]]] = {}
    for row in results.epochs:
        if row.experiment == experiment:
            setting = curves.setdefault((row.dataset, row.scale, row.fraction), {})
            setting.setdefault(row.method, defaultdict(list))[row.epoch].append(row.psnr_db)
    panels, rows = [], []
    for (dataset, scale, fraction), by_method in curves.items():
        means = {
            method: {epoch: statistics.fmean(values) for epoch, values in sorted(by_method[method].items())}
            for method in sort_methods(by_method)
        }
        for method, curve in means.items():
            final = max(curve)
            where = {**Cell(experiment, dataset, scale, fraction, method)._asdict(), "epoch": final}
            last = numbers.show(
                f"figure9.{dataset}.x{scale}.{fraction:g}.{method}.last",
                curve[final],
                ".2f",
                how="mean over seeds of psnr_db after the last epoch",
                where=[where],
                rows=len(by_method[method][final]),
                source=EPOCHS,
            )
            rows.append([say("{}, {}", render_method(method), results.label(dataset)), str(final), last])
        title = f"{results.label(dataset)}, \N{MULTIPLICATION SIGN}{scale}"
        panels.append(Panel(title, [_line(method, curve) for method, curve in means.items()]))
        panels += _difference_panel(means, title)
    plot = draw_lines(panels, x_label="epoch", y_label="validation PSNR (dB)")
    return figure._replace(
        body=join([_plot(plot, "Validation PSNR per epoch"), _fold(["Training", "Last epoch", "PSNR (dB)"], rows)]),
        caption="Mean over the seeds, on validation subjects, which are neither trained on nor test subjects. The curves of "
        "EDSR lie close together; below, each less the curve without priors.",
    )


def _line(method: str, curve: Mapping[int, float]) -> Line:
    return Line(name_method(method), list(curve), list(curve.values()))


def _difference_panel(means: Mapping[str, Mapping[int, float]], title: str) -> list[Panel[Line]]:
    """Show each variant of EDSR less EDSR without priors, where there are some."""
    without = means.get("edsr-NP", {})
    lines = [
        _line(method, {epoch: value - without[epoch] for epoch, value in curve.items() if epoch in without})
        for method, curve in means.items()
        if method.startswith("edsr-") and method != "edsr-NP" and without
    ]
    return [Panel(f"{title}: difference from no priors", lines, "difference (dB)")] if lines else []


def draw_fraction_figure(results: Results, cells: Cells, numbers: Numbers) -> Figure:
    """Plot PSNR against the part of the training slices that was used (Figure 15)."""
    figure = Figure("15", "PSNR against the fraction of the training slices")
    found = {cell: rows for cell, rows in cells.items() if cell.experiment == "figure15"}
    if len({cell.fraction for cell in found}) < 2:
        return figure._replace(
            absent="the folder does not hold two fractions of the training set (experiment figure15)"
        )
    panels, table = [], []
    for dataset, scale in dict.fromkeys((cell.dataset, cell.scale) for cell in found):
        lines = []
        for method in sort_methods(c.method for c in found if (c.dataset, c.scale) == (dataset, scale)):
            of_method = sorted(c for c in found if (c.dataset, c.scale, c.method) == (dataset, scale, method))
            means = [measure(found[cell], "psnr_db") for cell in of_method]
            percents = [100 * cell.fraction for cell in of_method]
            lines.append(Line(name_method(method), percents, [m.value for m in means], [m.interval for m in means]))
            for cell, mean in zip(of_method, means, strict=True):
                identity = f"figure15.{dataset}.x{scale}.{method}.{cell.fraction:g}"
                origin: dict[str, Any] = {"where": [cell._asdict()], "rows": mean.rows}
                shown = numbers.show(
                    identity, mean.value, ".2f", how="mean over subjects of each subject's mean psnr_db", **origin
                )
                interval: Text = "one value"
                if mean.interval is not None:
                    how = f"{HOW_INTERVAL} of psnr_db"
                    interval = show_interval(numbers, identity, mean.interval, ".2f", how=how, **origin)
                name = say("{}, {}", render_method(method), results.label(dataset))
                table.append([name, f"{100 * cell.fraction:g} %", shown, interval])
        panels.append(Panel(f"{results.label(dataset)}, \N{MULTIPLICATION SIGN}{scale}", lines))
    ticks = sorted({100 * cell.fraction for cell in found})
    plot = draw_lines(panels, x_label="training slices used (%)", y_label="PSNR (dB)", x_ticks=ticks)
    return figure._replace(
        body=join(
            [
                _plot(plot, "PSNR against the fraction of the training slices"),
                _fold(["Method", "Slices", "PSNR (dB)", "95 %"], table),
            ]
        ),
        caption="Means over the test subjects; the thin bars are 95 % intervals. They hold the differences between heads, "
        "which all methods share: differences between methods have narrower intervals.",
    )


def laplacian(image: Array) -> Array:
    """Give the Laplacian with 4 in the middle, over the pixels that have all their neighbours."""
    middle = image[1:-1, 1:-1]
    response: Array = 4 * middle - image[:-2, 1:-1] - image[2:, 1:-1] - image[1:-1, :-2] - image[1:-1, 2:]
    return response


def _from_slice(numbers: Numbers, identity: str, value: float, digits: str, example: Example, how: str) -> Text:
    return numbers.show(identity, value, digits, how=how, source=f"examples/{example.file}: reference")


def _name_slice(example: Example) -> str:
    return f"{example.subject_id}, slice {example.slice}"


def _plot(svg: bytes, alt: str) -> Text:
    html: Text = elements().plot(embed(svg, kind="svg+xml"), alt)
    return html


def _fold(head: Sequence[str], rows: Sequence[Sequence[Text]]) -> Text:
    summary = "The numbers of this figure"
    html: Text = elements().folded(summary, elements().table(head, rows, summary))
    return html
