"""Figures: comparisons, contact sheets, registrations, and previews of a result."""

from dnsp.plotting.comparison import Candidate, draw_comparison
from dnsp.plotting.contact_sheet import ContactPrint, draw_contact_sheet
from dnsp.plotting.preview import draw_preview
from dnsp.plotting.registration import draw_registration
from dnsp.plotting.sections import SectionPair, cut_sections

__all__ = [
    "Candidate",
    "ContactPrint",
    "SectionPair",
    "cut_sections",
    "draw_comparison",
    "draw_contact_sheet",
    "draw_preview",
    "draw_registration",
]
