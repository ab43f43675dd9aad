"""Enhance whole scans: slice by slice, in the right place in the world, in the scan's own intensities."""

from dnsp.enhancement.device import Precision, choose_device, choose_precision
from dnsp.enhancement.files import Changed, FileOptions, change_file, enhance_file, find_inputs
from dnsp.enhancement.methods import Method, NetworkMethod, NetworkStackMethod, StackMethod, enlarge_bicubic
from dnsp.enhancement.volumes import enhance_volume

__all__ = [
    "Changed",
    "FileOptions",
    "Method",
    "NetworkMethod",
    "NetworkStackMethod",
    "Precision",
    "StackMethod",
    "change_file",
    "choose_device",
    "choose_precision",
    "enhance_file",
    "enhance_volume",
    "enlarge_bicubic",
    "find_inputs",
]
