"""Figures: comparisons, contact sheets and registrations."""

from dnsp.plotting.comparison import Candidate, draw_comparison
from dnsp.plotting.contact_sheet import ContactPrint, draw_contact_sheet
from dnsp.plotting.registration import draw_registration

__all__ = [
    "Candidate",
    "ContactPrint",
    "draw_comparison",
    "draw_contact_sheet",
    "draw_registration",
]
