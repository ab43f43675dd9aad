"""Pictures and tables made from results; no torch."""

from dnsp.reports.comparison import Candidate, draw_comparison
from dnsp.reports.tables import quality_tables

__all__ = ["Candidate", "draw_comparison", "quality_tables"]
