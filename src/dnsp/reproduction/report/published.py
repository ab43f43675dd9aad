"""The figures that the paper printed, each with its table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = [
    "EXPERIMENTS_OF_PAPER",
    "METHODS_OF_FIGURE",
    "METHOD_NAMES",
    "PUBLISHED",
    "PUBLISHED_ANOVA",
    "Published",
    "has_other_form",
    "name_method",
    "published_in",
    "sort_methods",
]


class Published(NamedTuple):
    """One entry of a table of the paper: PSNR in dB and SSIM."""

    table: str  # as the experiment is called in a results folder
    dataset: str  # as the paper calls it
    method: str  # as the method is called in a results folder
    scale: int
    psnr_db: float
    ssim: float


METHOD_NAMES = {
    "input": "Input, as it is",
    "bicubic": "Bicubic",
    "srsw": "SRSW",
    "lrtv": "LRTV, authors' weights",
    "lrtv-tuned": "LRTV, weights tuned on the known blur",
    "srcnn-NP": "SRCNN",
    "dcsrn-NP": "DCSRN",
    "edsr-NP": "EDSR (NP)",
    "lfmri-NP": "LFMRI",
    "srcnn-AP": "DNSP-SRCNN-AP",
    "edsr-LR": "DNSP-EDSR-LR",
    "edsr-FS": "DNSP-EDSR-FS",
    "edsr-LS": "DNSP-EDSR-LS",
    "edsr-AP": "DNSP-EDSR-AP",
    "edsr-TVLR": "EDSR-TVLR",
}

_TABLE_1 = {  # BrainWeb, ADNI
    "edsr-NP": ((32.8112, 0.8803), (31.8945, 0.9503)),
    "edsr-LR": ((33.3801, 0.8835), (32.03, 0.9504)),
    "edsr-FS": ((33.3466, 0.8818), (32.00, 0.9525)),
    "edsr-LS": ((33.54, 0.8871), (32.0825, 0.9530)),
    "edsr-AP": ((33.9170, 0.8902), (32.1364, 0.9534)),
}
_TABLE_2 = {  # BrainWeb at x2, x3, x4, then ADNI
    "bicubic": (29.09, 0.8369, 24.63, 0.7516, 23.19, 0.7211, 27.82, 0.8958, 23.19, 0.8014, 21.96, 0.7605),
    "srsw": (31.16, 0.80, 26.66, 0.7421, 23.83, 0.7265, 30.19, 0.7721, 25.04, 0.7157, 22.78, 0.6953),
    "lrtv": (30.46, 0.8560, 26.21, 0.7562, 23.76, 0.7221, 30.50, 0.7830, 25.22, 0.7210, 22.31, 0.7032),
    "srcnn-NP": (32.37, 0.8762, 28.48, 0.7923, 25.00, 0.7418, 30.75, 0.9380, 26.85, 0.8589, 24.26, 0.7553),
    "dcsrn-NP": (32.63, 0.8785, 29.03, 0.8004, 25.31, 0.7474, 31.06, 0.9417, 27.16, 0.8630, 24.50, 0.7594),
    "edsr-NP": (32.81, 0.8803, 29.61, 0.8156, 25.58, 0.7668, 31.89, 0.9503, 27.51, 0.8753, 24.77, 0.8280),
    "srcnn-AP": (32.76, 0.8788, 29.26, 0.8021, 25.43, 0.7555, 31.27, 0.9458, 27.40, 0.8711, 24.52, 0.8139),
    "edsr-AP": (33.92, 0.8902, 30.50, 0.8312, 26.72, 0.7742, 32.14, 0.9534, 28.02, 0.8757, 25.78, 0.8253),
}
_SCALES = (2, 3, 4)

PUBLISHED = (
    *(
        Published("table1", dataset, method, 2, psnr_db, ssim)
        for method, pair in _TABLE_1.items()
        for dataset, (psnr_db, ssim) in zip(("BrainWeb", "ADNI"), pair, strict=True)
    ),
    *(
        Published("table2", dataset, method, scale, row[6 * d + 2 * s], row[6 * d + 2 * s + 1])
        for method, row in _TABLE_2.items()
        for d, dataset in enumerate(("BrainWeb", "ADNI"))
        for s, scale in enumerate(_SCALES)
    ),
    Published("table3", "ADNI at low field", "lfmri-NP", 1, 31.78, 0.7760),
    Published("table3", "ADNI at low field", "edsr-AP", 1, 33.25, 0.8205),
    Published("table4", "HCP 3T7T-DW", "edsr-NP", 1, 24.91, 0.8039),
    Published("table4", "HCP 3T3T-T1", "edsr-NP", 1, 26.35, 0.8406),
    Published("table4", "HCP 3T7T-DW", "edsr-AP", 1, 26.22, 0.8581),
    Published("table4", "HCP 3T3T-T1", "edsr-AP", 1, 27.98, 0.8670),
    Published("table5", "HCP 3T7T-DW", "edsr-TVLR", 1, 25.92, 0.8461),
    Published("table5", "HCP 3T3T-T1", "edsr-TVLR", 1, 27.34, 0.8460),
    Published("table5", "HCP 3T7T-DW", "edsr-AP", 1, 26.22, 0.8581),
    Published("table5", "HCP 3T3T-T1", "edsr-AP", 1, 27.98, 0.8670),
)

# figure -> degrees of freedom and F of the method factor; the paper gives p only as very small
PUBLISHED_ANOVA = {
    "figure10": (7, 1466.94),
    "figure16": (4, 362.23),
    "figure18": (1, 439.35),
    "figure21": (1, 143.37),
}

_DEEP = ("srcnn-NP", "dcsrn-NP", "edsr-NP", "srcnn-AP", "edsr-AP")

# The methods that the paper's analyses of variance compare
METHODS_OF_FIGURE = {
    "10": ("bicubic", "srsw", "lrtv", *_DEEP),
    "16": _DEEP,
    "18": ("lfmri-NP", "edsr-AP"),
    "21": ("edsr-TVLR", "edsr-AP"),
}

# The names that experiments of the paper's tables and figures, and their cross-validation, have in a results folder
EXPERIMENTS_OF_PAPER = (
    "table1",
    "table2",
    "table3",
    "table4",
    "table5",
    "figure9",
    "figure15",
    "crossvalidation",
    "confirmation",
)

_DATASETS_OF_KEY = {
    "adni": ("ADNI",),
    "brainweb": ("BrainWeb",),
    "low-field": ("ADNI at low field",),
    "pairs-3t7t": ("HCP 3T7T-DW",),
    "pairs-3t3t": ("HCP 3T3T-T1",),
}


def published_in(table: str, *, dataset: str, method: str, scale: int) -> list[Published]:
    """Find what the paper printed for a data set's key, a method and a scale."""
    names = _DATASETS_OF_KEY.get(dataset, ())
    anywhere = table in ("table3", "table4", "table5")
    return [
        entry
        for entry in PUBLISHED
        if entry.table == table
        and entry.dataset in names
        and entry.method == method
        and (anywhere or entry.scale == scale)
    ]


def sort_methods(methods: Iterable[str]) -> list[str]:
    """Put methods in the paper's order, others after them, each once."""
    known = list(METHOD_NAMES)
    once = dict.fromkeys(methods)
    return sorted(once, key=lambda method: known.index(method) if method in known else len(known))


def name_method(method: str) -> str:
    """Name a method as the paper does, then what was changed; a method that the paper does not have keeps its own name."""
    as_in_paper, *changes = method.split("_")
    named = [METHOD_NAMES.get(as_in_paper, as_in_paper)]
    for change in changes:
        weight = next((name for name in ("alpha", "beta") if change.startswith(name)), "")
        words = {"paper": "as printed", "unbounded": "unbounded filters"}.get(change, change)
        named.append(f"{weight} \N{MULTIPLICATION SIGN} {change.removeprefix(weight)}" if weight else words)
    return ", ".join(named)


def has_other_form(method: str) -> bool:
    """Tell whether a method has other weights or another form of the priors than the tables of the paper."""
    return "_" in method
