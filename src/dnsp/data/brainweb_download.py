"""BrainWeb's T1 scans of 20 normal anatomical models, downloaded through the brainweb-dl package."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import numpy as np

from dnsp.errors import DataError, MissingExtraError, SettingError, VolumeError
from dnsp.io import is_scan_name, right_brainweb_axes, scan_stem, write_nifti
from dnsp.io.atomic import make_folder, require_writable
from dnsp.io.sidecar import write_sidecar
from dnsp.jobs import JobCallback
from dnsp.volume import Volume

__all__ = [
    "BRAINWEB_SUBJECTS",
    "choose_brainweb_subjects",
    "download_brainweb",
    "fetch_brainweb_t1",
    "find_brainweb_t1",
]

#: The numbers of BrainWeb's 20 normal anatomical models.
BRAINWEB_SUBJECTS = tuple(f"{number:02d}" for number in (4, 5, 6, 18, 20, 38, *range(41, 55)))
_SHAPE = (256, 256, 181)


def choose_brainweb_subjects(subjects: Sequence[str]) -> list[str]:
    """Check that subjects are among BrainWeb's 20, and write each with two digits.

    Raises
    ------
    SettingError
        If one is not among them, or is named twice.

    Examples
    --------
    >>> choose_brainweb_subjects(["4", "54"])
    ['04', '54']
    """
    wanted = [subject.strip().removeprefix("sub-").zfill(2) for subject in subjects]
    for subject in wanted:
        if subject not in BRAINWEB_SUBJECTS:
            raise SettingError(f"BrainWeb has no subject {subject}; the subjects are: {', '.join(BRAINWEB_SUBJECTS)}")
    if len(set(wanted)) < len(wanted):
        raise SettingError("a subject is named twice")
    return wanted


def find_brainweb_t1(subject: str, folder: Path) -> Path | None:
    """Find a subject's T1 scan in a folder, in any format that BrainWeb offers; None if there is none."""
    stems = (f"subject{subject}_t1w_p4", f"subject{subject}_t1w")
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return next((path for path in files if is_scan_name(path) and scan_stem(path) in stems), None)


def fetch_brainweb_t1(subject: str, folder: Path) -> Path:
    """Download the T1 scan of one of the 20 anatomical models, and write it with its affine in MNI space.

    It is the scan that BrainWeb's own simulator made of the model (256 x 256 x 181 at 1 mm). The brainweb-dl package
    downloads it into its cache (the folder in BRAINWEB_DIR, or ~/.cache/brainweb), or finds it there. The axes are
    corrected (see `dnsp.io.right_brainweb_axes`). The scan and the .json file beside it appear whole or not at all.

    Parameters
    ----------
    subject : str
        One of `BRAINWEB_SUBJECTS`, for example ``"04"``.
    folder : Path
        An existing folder. The scan is named ``subject04_t1w_p4.nii.gz``.

    Returns
    -------
    Path
        The scan.

    Raises
    ------
    DataError
        If it cannot be downloaded, for example without a network, or if the copy in the cache is damaged.
    VolumeError
        If the scan cannot be written.
    MissingExtraError
        If brainweb-dl is not installed.

    References
    ----------
    .. [1] B. Aubert-Broche, M. Griffin, G. B. Pike, A. C. Evans, D. L. Collins, "Twenty new digital brain phantoms for
       creation of validation image data bases", 2006, doi:10.1109/TMI.2006.883453
    """
    path = folder / f"subject{subject}_t1w_p4.nii.gz"
    require_writable(path, error=VolumeError)
    volume = _download(subject)
    facts = {
        "Description": f"T1-weighted scan of BrainWeb's normal anatomical model {subject}, simulated by BrainWeb",
        "Sources": [f"https://brainweb.bic.mni.mcgill.ca/brainweb/ subject{subject}_t1w, through brainweb-dl"],
    }
    # The scan is written last: once it exists, the subject is not downloaded again.
    write_sidecar(path, facts)
    write_nifti(volume, path)
    return path


def download_brainweb(
    folder: str | Path, *, subjects: Sequence[str] = (), callback: JobCallback | None = None
) -> list[Path]:
    """Download the T1 scans of BrainWeb's models that a folder does not have yet.

    Parameters
    ----------
    folder : str or Path
        Made if it is missing.
    subjects : sequence of str
        Some of `BRAINWEB_SUBJECTS`; all of them by default.
    callback : JobCallback, optional
        Told about each subject.

    Returns
    -------
    list of Path
        The scans, in the order of the subjects.

    Raises
    ------
    DataError, VolumeError, MissingExtraError
        As in `fetch_brainweb_t1`, or if the folder cannot be written to.
    SettingError
        As in `choose_brainweb_subjects`.
    """
    callback = callback or JobCallback()
    folder = Path(folder)
    chosen = choose_brainweb_subjects(subjects or BRAINWEB_SUBJECTS)
    make_folder(folder, error=DataError)
    callback.on_start(len(chosen))
    scans = []
    for subject in chosen:
        callback.on_job(subject)
        scans.append(find_brainweb_t1(subject, folder) or fetch_brainweb_t1(subject, folder))
        callback.on_job_end(subject, None)
    return scans


def _download(subject: str) -> Volume:
    try:
        from brainweb_dl import get_mri
    except ImportError as error:
        raise MissingExtraError("brainweb-dl", extra="data") from error
    cache = Path(os.environ.get("BRAINWEB_DIR") or Path.home() / ".cache" / "brainweb")
    cached = cache / f"subject{subject}_t1w.nii.gz"
    was_cached = cached.exists()
    try:
        with redirect_stderr(StringIO()):  # hides its progress bars, which would mix with ours
            voxels, affine = get_mri(int(subject), "T1", brainweb_dir=cache, with_affine=True)
    except Exception as error:  # the package passes on errors of requests, gzip, NumPy and nibabel
        reason = getattr(error, "strerror", None) or type(error).__name__
        if was_cached:
            raise DataError(
                f"{cached}: damaged or cut short ({reason}); delete it and download the subject again"
            ) from error
        raise DataError(
            f"BrainWeb's subject {subject} was not downloaded ({reason}); check the network and try again, or use a folder "
            f"with files that you have (subject{subject}_t1w_p4.mnc.gz, .rawb.gz)"
        ) from error
    volume = right_brainweb_axes(Volume(np.asarray(voxels, dtype=np.float32), np.asarray(affine, dtype=np.float64)))
    if volume.voxels.shape != _SHAPE:
        raise DataError(
            f"BrainWeb's subject {subject}: brainweb-dl returns a grid of {volume.voxels.shape}, not {_SHAPE}; "
            "download the MINC file from BrainWeb instead"
        )
    return volume
