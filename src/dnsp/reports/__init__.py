"""Pictures and tables made from results; no torch."""

from dnsp.reports.comparison import Candidate, draw_comparison
from dnsp.reports.contact_sheet import ContactPrint, draw_contact_sheet
from dnsp.reports.registration import draw_registration
from dnsp.reports.reproduction import write_report
from dnsp.reports.tables import quality_tables

__all__ = [
    "Candidate",
    "ContactPrint",
    "draw_comparison",
    "draw_contact_sheet",
    "draw_registration",
    "quality_tables",
    "write_report",
]
