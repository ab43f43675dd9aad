"""Other weights and forms of the priors: the cross-validation over training subjects, and the test of what was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsp.reproduction.report.comparisons import Cells
from dnsp.reproduction.report.gains import Gain, find_cross_validated_gains, find_gains, show_contrast
from dnsp.reproduction.report.numbers import Numbers
from dnsp.reproduction.report.page import Text, elements, join
from dnsp.reproduction.report.published import name_method
from dnsp.reproduction.report.results import Results

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["render_cross_validation"]

_NOTE = (
    "Which weights and forms help is decided on the training subjects alone. EDSR is trained without the subjects of one "
    "fold and measured on them, for every fold, so that each training subject is measured once. Matched priors lower the "
    "distance of rank and sharpness to those of the reference, instead of lowering the rank and raising the sharpness. "
    "Alpha weighs the rank, beta the sharpness. What was chosen from this list was then measured on the test subjects. The "
    "largest gain of a list is larger than it would be alone: only the test columns are fair."
)


def render_cross_validation(results: Results, cells: Cells, numbers: Numbers) -> Markup:
    """Tabulate what every variant gains over no priors on held-out training subjects, and on the test subjects."""
    html = elements()
    gains = find_cross_validated_gains(cells)
    if not gains:
        text: Markup = html.absent("Left out: the folder holds no images of the experiment crossvalidation.")
        return text
    tested = {(gain.cell.dataset, gain.cell.scale, gain.cell.method): gain for gain in find_gains(cells)}
    rows: dict[str, list[list[Text]]] = {}
    for gain in sorted(gains, key=lambda gain: -gain.contrast.value):
        place = (gain.cell.dataset, gain.cell.scale, gain.cell.method)
        name = name_method(gain.cell.method).removeprefix("DNSP-EDSR-")
        row = [name, *_show(numbers, gain), *_show(numbers, tested.get(place))]
        rows.setdefault(gain.cell.dataset, []).append(row)
    head = [
        "Variant",
        "Gain over NP\n(dB), held-out\ntraining subjects",
        "95 %",
        "p, adjusted",
        "Gain over NP\n(dB),\ntest subjects",
        "95 %",
        "p, adjusted",
    ]
    tables = [
        html.table(head, of_dataset, f"EDSR, {results.title(dataset)}; highest gain first")
        for dataset, of_dataset in rows.items()
    ]
    return join([html.paragraph(_NOTE), *tables])


def _show(numbers: Numbers, gain: Gain | None) -> tuple[Text, Text, Text]:
    if gain is None:
        return "-", "-", "-"
    return show_contrast(numbers, gain.identity, gain.contrast, (gain.cell, gain.reference), adjusted_p=gain.adjusted_p)
