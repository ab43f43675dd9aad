"""Formats that dnsp does not read: recognised by content or name, so that an error can say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["SNIFFED_BYTES", "describe_foreign"]

SNIFFED_BYTES = 544  # the longer of the NIfTI headers, and the flag behind it
_NIFTI_MARKS = ((344, (b"n+1\0", b"ni1\0")), (4, (b"n+2\0", b"ni2\0")))


class _Format(NamedTuple):
    name: str
    endings: tuple[str, ...]
    mark: bytes
    """What its files begin with; empty where nothing is typical."""
    advice: str


_WITH_SLICER = "convert it to NIfTI first, for example with 3D Slicer or SimpleITK"
_UNPACK = "unpack it and give the folder or the scan"
_PICTURE = "a picture has no place in space; give the scan as NIfTI or DICOM"
_FORMATS = (
    _Format("an NRRD file", (".nrrd", ".nhdr"), b"NRRD0", _WITH_SLICER),
    _Format("a MetaImage file", (".mha", ".mhd"), b"ObjectType", _WITH_SLICER),
    _Format("an AFNI file", (".head", ".brik", ".brik.gz"), b"", "convert it to NIfTI first with 3dAFNItoNIFTI"),
    _Format("an MRtrix file", (".mif", ".mif.gz", ".mih"), b"mrtrix image", "convert it to NIfTI first with mrconvert"),
    _Format("a Philips PAR/REC file", (".par", ".rec"), b"", "convert it to NIfTI first with dcm2niix"),
    _Format("an ECAT file", (".v",), b"MATRIX7", "convert it to NIfTI first, for example with nibabel"),
    _Format("a GIPL file", (".gipl", ".gipl.gz"), b"", _WITH_SLICER),
    _Format("a VTK file", (".vtk", ".vti"), b"# vtk DataFile", _WITH_SLICER),
    _Format("a tar archive", (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"), b"", _UNPACK),
    _Format("a bzip2-compressed file", (".bz2",), b"BZh", "decompress it with bunzip2 first"),
    _Format("an xz-compressed file", (".xz",), b"\xfd7zXZ\0", "decompress it with unxz first"),
    _Format("a Zstandard-compressed file", (".zst",), b"\x28\xb5\x2f\xfd", "decompress it with unzstd first"),
    _Format("a 7z archive", (".7z",), b"7z\xbc\xaf\x27\x1c", _UNPACK),
    _Format("a RAR archive", (".rar",), b"Rar!", _UNPACK),
    _Format("a PNG picture", (".png",), b"\x89PNG", _PICTURE),
    _Format("a JPEG picture", (".jpg", ".jpeg"), b"\xff\xd8\xff", _PICTURE),
    _Format("a TIFF picture", (".tif", ".tiff"), b"II*\0", _PICTURE),
    _Format("a TIFF picture", (), b"MM\0*", _PICTURE),
    _Format("a NumPy file", (".npy",), b"\x93NUMPY", "save it as NIfTI with its affine, for example with nibabel"),
    _Format("an HDF5 file", (".h5", ".hdf5"), b"\x89HDF", "convert it to NIfTI first; MINC files end in .mnc"),
    _Format("a MATLAB file", (".mat",), b"MATLAB", "convert it to NIfTI first, for example with niftiwrite"),
    _Format("a zip archive", (), b"PK\3\4", _UNPACK),
    _Format("an MGH file", (), b"\0\0\0\1", "rename it to end in .mgh or .mgz"),
    _Format("a gzip-compressed file", (), b"\x1f\x8b", "decompress it with gunzip, or name it .nii.gz if it is NIfTI"),
)


def describe_foreign(name: str, start: bytes) -> str | None:
    """Say what a file is, by its first bytes or its name, and what to do with it.

    Parameters
    ----------
    name : str
        The name of the file.
    start : bytes
        Its first `SNIFFED_BYTES` bytes.

    Returns
    -------
    str or None
        The two halves of a sentence for an error, or None for a file of no known format.

    Examples
    --------
    >>> describe_foreign("scan.nrrd", b"NRRD0004")
    'an NRRD file; convert it to NIfTI first, for example with 3D Slicer or SimpleITK'
    """
    for at, marks in _NIFTI_MARKS:
        if start[at : at + 4] in marks:
            return "a NIfTI file by its content; rename it to end in .nii, or in .hdr and .img"
    if start[128:132] == b"DICM":
        return "a DICOM file; give the folder of its series"
    if start[257:262] == b"ustar":
        return f"a tar archive; {_UNPACK}"
    named = [one for one in _FORMATS if Path(name).name.lower().endswith(one.endings)]
    marked = [one for one in _FORMATS if one.mark and start.startswith(one.mark)]
    found = next(iter(named or marked), None)
    if found is None and start[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c"):
        return "an Analyze 7.5 header, which does not tell left from right; convert the scan to NIfTI again"
    return None if found is None else f"{found.name}; {found.advice}"
