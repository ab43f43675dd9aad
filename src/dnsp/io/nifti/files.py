"""The files of a NIfTI image: one for all, or a .hdr/.img pair, each compressed or not."""

from __future__ import annotations

from pathlib import Path

from dnsp.errors import VolumeError

__all__ = ["existing_files_of", "files_of", "is_compressed"]


def files_of(path: Path) -> list[Path]:
    """Name the file that holds header and voxels, or the file of the header and that of the voxels."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return [path]
    ending = next((ending for ending in (".hdr", ".img", ".hdr.gz", ".img.gz") if name.endswith(ending)), None)
    if ending is None:
        raise VolumeError(
            f"{path}: not a name of a NIfTI file; it must end in .nii, .nii.gz, .hdr, .img or these with .gz"
        )
    written = path.name[-len(ending) :]
    pair = [half.upper() if written.isupper() else half for half in (".hdr", ".img")]
    compressed = written[4:]  # ".gz" in the same letters, or nothing
    return [path.with_name(path.name[: -len(ending)] + half + compressed) for half in pair]


def existing_files_of(path: Path) -> list[Path]:
    """Name the files to read: of a pair, one half may be compressed and the other not."""
    files = files_of(path)
    if len(files) == 1:
        return files
    found = []
    for file in files:
        plain = file.with_suffix("") if is_compressed(file) else file
        other = plain if file != plain else plain.with_name(plain.name + (".GZ" if plain.suffix.isupper() else ".gz"))
        found.append(other if other.is_file() and not file.is_file() else file)
    return found


def is_compressed(path: Path) -> bool:
    """Tell whether the name of a file says that it is compressed."""
    return path.suffix.lower() == ".gz"
