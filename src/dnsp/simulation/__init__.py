"""Scans simulated from label maps by the MR signal equation, and a procedural head to simulate them from."""

from dnsp.simulation.label_tissues import HEAD_TISSUES, LabelTissues, read_label_tissues
from dnsp.simulation.phantom import make_label_map
from dnsp.simulation.sequences import (
    BRAINWEB_PD,
    BRAINWEB_T1,
    BRAINWEB_T2,
    Sequence,
    SpinEcho,
    SpoiledFLASH,
    simulate_signal,
)
from dnsp.simulation.simulated_head import simulate_head
from dnsp.simulation.tissues import BRAINWEB_TISSUES, Tissue

__all__ = [
    "BRAINWEB_PD",
    "BRAINWEB_T1",
    "BRAINWEB_T2",
    "BRAINWEB_TISSUES",
    "HEAD_TISSUES",
    "LabelTissues",
    "Sequence",
    "SpinEcho",
    "SpoiledFLASH",
    "Tissue",
    "make_label_map",
    "read_label_tissues",
    "simulate_head",
    "simulate_signal",
]
