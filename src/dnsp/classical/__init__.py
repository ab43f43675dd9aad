"""The classical methods the paper compares against: low resolution and scale in, high resolution out, no network."""

from dnsp.classical.lrtv import LRTVSettings, lrtv, lrtv_objective

__all__ = ["LRTVSettings", "lrtv", "lrtv_objective"]
