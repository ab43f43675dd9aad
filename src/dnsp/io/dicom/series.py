"""The series that DICOM headers belong to, and the one to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsp.errors import VolumeError
from dnsp.io.file_access import one_line

if TYPE_CHECKING:
    from dnsp.io.dicom.headers import Header

__all__ = ["choose_series"]

_LISTED_SERIES = 20
_SHORTEST_UID_END = 8


def choose_series(headers: list[Header], series_uid: str | None) -> list[Header]:
    """Pick the images of the one series that holds any, or of the one whose UID ends as asked.

    What is no image by its class is left alone, in the series too: reports, presentation states, Philips' raw data. A file
    that should hold an image and does not is taken for a damaged slice.

    Raises
    ------
    VolumeError
        If there is no image, not exactly one series to choose, or a file that may be a damaged slice of it.
    """
    found: dict[str, list[Header]] = {}
    for header in headers:
        found.setdefault(header.series, []).append(header)
    series = {uid: members for uid, members in found.items() if any(member.holds_image for member in members)}
    chosen = [uid for uid in series if series_uid is None or uid.endswith(series_uid)]
    _require_undamaged(headers, chosen, named=series_uid is not None)
    if not series:
        kinds = sorted({str(header.dataset.get("Modality") or "of no modality") for header in headers})
        held = f"only DICOM files without an image ({', '.join(kinds)})" if headers else "no DICOM file"
        raise VolumeError(f"{held} inside; give the folder of a series of images")
    if len(chosen) == 1:
        return [member for member in series[chosen[0]] if member.holds_image]
    if series_uid is None:
        raise VolumeError(
            f"{len(series)} series inside: {_listed(series)}; choose one by the end of its UID (--series, or series_uid)"
        )
    which = f"{len(chosen)} series have UIDs that end" if chosen else "no series has a UID that ends"
    raise VolumeError(f"{which} in {series_uid!r}; inside: {_listed(series)}; choose one with --series")


def _require_undamaged(headers: list[Header], chosen: list[str], *, named: bool) -> None:
    """Refuse a file that may be a damaged slice of a chosen series: dropped, it would be lost in silence."""
    for header in headers:
        if header.holds_image or not header.should_hold_image:
            continue
        of_chosen = header.series in chosen or (header.is_cut and any(uid.startswith(header.series) for uid in chosen))
        if of_chosen:
            raise VolumeError(
                f"{header.file.name} belongs to the series but holds no image: cut short? Export it again"
            )
        if not named:
            raise VolumeError(
                f"{header.file.name} should hold an image but does not: cut short? Export it again, or choose another "
                "series with --series"
            )


def _listed(series: dict[str, list[Header]]) -> str:
    """Describe series by the shortest ends of their UIDs that tell them apart."""
    length = _SHORTEST_UID_END
    while len({uid[-length:] for uid in series}) < len(series):
        length += 1
    lines = []
    for uid, headers in list(series.items())[:_LISTED_SERIES]:
        count = sum(header.frames for header in headers if header.holds_image)
        description = one_line(headers[0].dataset.get("SeriesDescription") or "no description")
        lines.append(f"...{uid[-length:]} ({description}, {count} slice{'s' * (count != 1)})")
    more = f", and {len(series) - _LISTED_SERIES} more" if len(series) > _LISTED_SERIES else ""
    return ", ".join(lines) + more
