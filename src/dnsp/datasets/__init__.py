"""Collections of scans: which subjects there are, how they are split, and which slices stand for them."""

from dnsp.datasets.scans import Scan, choose_subjects, find_scans
from dnsp.datasets.slices import unit_slices
from dnsp.datasets.splits import hold_out_subjects

__all__ = ["Scan", "choose_subjects", "find_scans", "hold_out_subjects", "unit_slices"]
