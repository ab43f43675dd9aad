"""Collections of scans: which subjects there are, how they are paired and split, and which slices stand for them."""

from dnsp.datasets.paired import PairedScan, find_paired_scans, is_pair_table, read_pair_manifest
from dnsp.datasets.scans import Scan, choose_subjects, find_scans
from dnsp.datasets.slices import choose_slices, unit_slices
from dnsp.datasets.splits import Split, draw_splits, hold_out_subjects, nested_fractions, read_split, write_split

__all__ = [
    "PairedScan",
    "Scan",
    "Split",
    "choose_slices",
    "choose_subjects",
    "draw_splits",
    "find_paired_scans",
    "find_scans",
    "hold_out_subjects",
    "is_pair_table",
    "nested_fractions",
    "read_pair_manifest",
    "read_split",
    "unit_slices",
    "write_split",
]
