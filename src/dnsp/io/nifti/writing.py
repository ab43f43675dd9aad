"""Write NIfTI files that appear whole or not at all."""

from __future__ import annotations

import warnings
import zlib
from contextlib import ExitStack
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from dnsp.errors import DataWarning, VolumeError
from dnsp.io.atomic import replace_file, require_writable
from dnsp.io.file_access import one_line
from dnsp.io.nifti.files import files_of, is_compressed
from dnsp.io.nifti.header import BAD_HEADER, derive_header, shift_without_forms_mm
from dnsp.io.storage import FLOAT32, Storage
from dnsp.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["COMPRESSION_LEVEL", "require_writable_nifti", "write_nifti"]

#: The level of gzip that files are written with.
COMPRESSION_LEVEL = 1
_GZIP_BITS = 31  # zlib's word for: with the header and checksum of gzip
# Level 1 is ISA-L's. A head with air, 512 x 256 x 180 in int16 (47 MB), took 0.11 s for 26.1 MB with it; zlib's levels 1 and 4
# took 0.53 and 0.91 s for 25.6 and 25.1 MB. Of ISA-L's own levels, 1 to 3 are alike.
_LEVEL_OF_ISAL = 2


def require_writable_nifti(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse, before any work is done, a path that `write_nifti` could not write to.

    Parameters
    ----------
    path : str or Path
        The file to be written; of a .hdr/.img pair, either.
    overwrite : bool
        Whether a file that is there already may be replaced.

    Raises
    ------
    VolumeError
        If the name is none of a NIfTI file, the file exists, or no file can be made in its folder.
    """
    for file in files_of(Path(path)):
        require_writable(file, overwrite=overwrite, error=VolumeError)


def write_nifti(
    volume: Volume,
    path: str | Path,
    *,
    overwrite: bool = False,
    storage: Storage = FLOAT32,
    compression: int = COMPRESSION_LEVEL,
) -> None:
    """Write a scan, by default as float32 without scaling; the file appears whole or not at all.

    What the header of `volume` says is kept, and its qform and sform follow the grid, each with its own code:
    `dnsp.io.nifti.header.derive_header` has the rules. Of a pair, the .img file is moved into place before the .hdr.

    Parameters
    ----------
    volume : Volume
        The scan. Its header is that of a NIfTI file, or None.
    path : str or Path
        The file to be written. Its name tells the format: .nii or .nii.gz; .hdr or .img for the pair, or these with .gz.
    overwrite : bool
        Whether a file that is there already may be replaced.
    storage : Storage
        The type of the numbers in the file and their scale factor, from `dnsp.io.choose_storage`.
    compression : int
        Of a compressed file, from 0 (none) and 1 (fast) to 9 (smallest and slowest).

    Raises
    ------
    VolumeError
        If the path is refused (see `require_writable_nifti`), the header cannot hold the scan, or the system refuses
        to write (a full disk, a quota).

    Warns
    -----
    DataWarning
        If the source's qform and sform codes are both 0 and its voxels had another size: programs then disagree on
        where the result lies.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_nifti(Volume(np.ones((4, 4, 2)), np.eye(4)), f"{folder}/scan.nii.gz")
    ...     Volume.load(f"{folder}/scan.nii.gz")
    Volume(4 x 4 x 2 voxels, 1 x 1 x 1 mm, intensities 1 to 1)
    """
    path = Path(path)
    files = files_of(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's on forms with absurd numbers, which are then dropped
            header = derive_header(volume, single=len(files) == 1)
            header.set_data_dtype(storage.dtype)
            if storage.dtype.kind in "iu":
                header.set_slope_inter(storage.slope, storage.inter)
    except BAD_HEADER as error:
        raise VolumeError(
            f"{path}: NIfTI cannot hold this scan ({one_line(error)}); write it without the header of its source"
        ) from error
    if (shift := shift_without_forms_mm(volume.header, header)) is not None:
        warnings.warn(
            f"{path}: its source has a qform and an sform code of 0, so programs place it by its voxel sizes alone: nibabel "
            "and SPM show the result in place, ITK and 3D Slicer {:g} x {:g} x {:g} mm off; set the sform or qform of the "
            "source first to avoid this".format(*shift),
            DataWarning,
            stacklevel=2,
        )
    packed = BytesIO()
    header.write_to(packed)
    start, voxels = [packed.getvalue()], _pieces_of(volume.voxels, storage)
    contents = [chain(start, voxels)] if len(files) == 1 else [start, voxels]
    with ExitStack() as stack:
        for file, pieces in zip(files, contents, strict=True):
            temporary = stack.enter_context(replace_file(file, overwrite=overwrite, error=VolumeError))
            _write_pieces(temporary, pieces, compression)


def _pieces_of(voxels: npt.NDArray[Any], storage: Storage) -> Iterator[bytes]:
    """Cut voxels into the bytes of one slice after the other, i running fastest as in the file."""
    slowest_first = voxels.T
    for index in np.ndindex(slowest_first.shape[:-2]):
        yield storage.encode(slowest_first[index]).tobytes()


def _write_pieces(path: Path, pieces: Iterable[bytes], compression: int) -> None:
    with path.open("wb") as stream:
        if not is_compressed(path):
            stream.writelines(pieces)
            return
        # Not gzip.GzipFile: it tries once more to write when it is collected, and complains aloud on a full disk.
        compressor: Any = (
            isal_zlib.compressobj(_LEVEL_OF_ISAL, wbits=_GZIP_BITS)
            if compression == 1
            else zlib.compressobj(compression, wbits=_GZIP_BITS)
        )
        for piece in pieces:
            stream.write(compressor.compress(piece))
        stream.write(compressor.flush())
