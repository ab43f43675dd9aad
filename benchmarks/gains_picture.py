"""The picture and the table of the results page: what every variant of the priors gains over none, from a results folder.

python benchmarks/gains_picture.py RESULTS docs/results/gains.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import fmean

import matplotlib.pyplot as plt

from dnsp.reproduction.report.comparisons import Contrast, contrast, group_cells
from dnsp.reproduction.report.gains import find_gains
from dnsp.reproduction.report.results import read_results

COLOURS = {"better": "#0b7a3b", "worse": "#b3261e", "undecided": "#4a5560", "untested": "#9aa4ae"}
PUBLISHED = {("B", "AP"): 0.52}  # the paper's Table II: SRCNN on ADNI at x2
SETTINGS = {
    "A": "A: edsr-small, 360 steps",
    "B": "B: SRCNN, the paper's settings",
    "C": "C: edsr-small, 2250 steps",
    "D1": "D1: 8 slices of one subject",
    "D2": "D2: a tenth of the slices",
    "E1": "E1: input with 1 % noise",
    "E4": "E4: input with 4 % noise",
}


def in_thousandths(found: Contrast) -> str:
    return "-" if found.trainings < 2 else " to ".join(f"{1e3 * end:+.1f}" for end in found.model.interval)


def show_p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def main(folder: str, picture: str) -> None:
    results = read_results(Path(folder))
    cells = group_cells(results.images)
    gains = find_gains(cells)
    lines = len(gains) + len({gain.cell.experiment for gain in gains})
    print("| experiment | NP, dB | variant | trainings | gain, dB | 95 % | p, adjusted | verdict | SSIM, 1e-3 | 95 % |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    figure, axes = plt.subplots(figsize=(7.6, 0.5 + 0.3 * lines), layout="constrained")
    row, last, places, names = 0.0, None, [], []
    for gain in gains:
        cell, found = gain.cell, gain.contrast
        if cell.experiment != last:
            axes.text(
                0, row, SETTINGS[cell.experiment], transform=axes.get_yaxis_transform(), weight="bold", va="center"
            )
            row, last = row - 1, cell.experiment
        without = fmean(image.psnr_db for image in cells[gain.reference])
        name = cell.method.partition("-")[2].replace("_", ", ")
        colour = COLOURS[gain.verdict]
        interval = "-"
        if found.trainings > 1:  # that of one training would leave out how trainings differ
            interval = " to ".join(f"{end:+.3f}" for end in found.model.interval)
            axes.hlines(row, *found.model.interval, color=colour, linewidth=2.2)
        axes.plot(found.value, row, "o", color=colour, markersize=5)
        if (cell.experiment, name) in PUBLISHED:
            axes.plot(PUBLISHED[cell.experiment, name], row, "x", color="#1c232b", markersize=7)
        places.append(row)
        names.append(name)
        row -= 1
        p = show_p(gain.adjusted_p) if found.is_tested else "-"
        similarity = contrast([(1, cells[cell]), (-1, cells[gain.reference])], "ssim")
        of_psnr = f"{found.trainings} | {found.value:+.3f} | {interval} | {p} | {gain.verdict}"
        of_ssim = f"{1e3 * similarity.value:+.1f} | {in_thousandths(similarity)}"
        print(f"| {cell.experiment} | {without:.2f} | {name} | {of_psnr} | {of_ssim} |")
    axes.axvline(0, color="#1c232b", linewidth=1)
    axes.set_yticks(places, names)
    axes.set_ylim(row + 0.4, 0.7)
    axes.set_xlabel("gain in PSNR over the same network without priors (dB), with the 95 % interval")
    axes.grid(axis="x", color="#d9dde3", linewidth=0.7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
