"""Cohorts of scans: their subjects, pairs, splits and slices."""

from dnsp.data.brainweb_download import (
    BRAINWEB_SUBJECTS,
    choose_brainweb_subjects,
    download_brainweb,
    fetch_brainweb_t1,
    find_brainweb_t1,
)
from dnsp.data.cohort import find_cohort, split_cohort
from dnsp.data.discovery import Scan, choose_subjects, find_scans
from dnsp.data.pairs import PairedScan, find_paired_scans, is_pair_table, read_pair_manifest
from dnsp.data.simulated import (
    SimulatedScan,
    find_label_maps,
    make_procedural_labels,
    simulate_file,
)
from dnsp.data.simulated_cohort import simulate_cohort, simulate_procedural
from dnsp.data.slices import choose_slices, unit_slices
from dnsp.data.splits import (
    Split,
    draw_splits,
    hold_out_subjects,
    nested_fractions,
    read_split,
    write_split,
)

__all__ = [
    "BRAINWEB_SUBJECTS",
    "PairedScan",
    "Scan",
    "SimulatedScan",
    "Split",
    "choose_brainweb_subjects",
    "choose_slices",
    "choose_subjects",
    "download_brainweb",
    "draw_splits",
    "fetch_brainweb_t1",
    "find_brainweb_t1",
    "find_cohort",
    "find_label_maps",
    "find_paired_scans",
    "find_scans",
    "hold_out_subjects",
    "is_pair_table",
    "make_procedural_labels",
    "nested_fractions",
    "read_pair_manifest",
    "read_split",
    "simulate_cohort",
    "simulate_file",
    "simulate_procedural",
    "split_cohort",
    "unit_slices",
    "write_split",
]
