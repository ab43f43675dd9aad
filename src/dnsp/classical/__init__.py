"""The classical methods the paper compares against: low resolution and scale in, high resolution out, no network."""

from dnsp.classical.lrtv import TUNED_LRTV, LRTVSettings, lrtv, lrtv_objective

__all__ = ["TUNED_LRTV", "LRTVSettings", "lrtv", "lrtv_objective"]
