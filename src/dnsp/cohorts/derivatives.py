"""Results as a BIDS derivative data set: the names of the files, and what the data set says of itself."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from dnsp._version import __version__
from dnsp.data.bids import BidsScan
from dnsp.errors import DataError, DataWarning
from dnsp.io.atomic import make_folder, replace_file
from dnsp.io.sidecar import read_sidecar_fields, write_json

__all__ = ["begin_derivatives", "derivative_path", "source_uri"]

_BIDS_VERSION = "1.10.0"
_LINK = "raw"
_DESCRIPTION = "dataset_description.json"
_IGNORED = ("*.html", "*_preview.png", "*_uncertainty.nii.gz", "failed.tsv", "logs/")


def derivative_path(scan: BidsScan, dataset: Path, output: Path, *, resolution: str) -> Path:
    """Name the result of a scan: its own name with the entities ``res`` and ``desc-dnsp``, in the same folder of `output`.

    Parameters
    ----------
    scan : BidsScan
    dataset, output : Path
        The folders of both data sets.
    resolution : str
        The label of ``res``, for example ``2x``.

    Examples
    --------
    >>> scan = BidsScan(Path("raw/sub-01/anat/sub-01_T1w.nii"), "anat", "T1w", {"sub": "01"})
    >>> derivative_path(scan, Path("raw"), Path("out"), resolution="2x").as_posix()
    'out/sub-01/anat/sub-01_res-2x_desc-dnsp_T1w.nii.gz'
    """
    kept = {entity: label for entity, label in scan.entities.items() if entity not in ("res", "desc")}
    entities = {**kept, "res": resolution, "desc": "dnsp"}
    name = "_".join([*(f"{entity}-{label}" for entity, label in entities.items()), scan.suffix])
    return output / scan.path.parent.relative_to(dataset) / f"{name}.nii.gz"


def source_uri(scan: BidsScan, dataset: Path) -> str:
    """Give the BIDS URI of a scan, for the field ``Sources``."""
    return f"bids:{_LINK}:{scan.path.relative_to(dataset).as_posix()}"


def begin_derivatives(dataset: Path, output: Path) -> None:
    """Make the folder of the results, its ``dataset_description.json`` and its ``.bidsignore``, where they are missing.

    Raises
    ------
    DataError
        If the folder is that of the data set, lies in it but not below its ``derivatives``, belongs to another data set, or
        cannot be written to.
    """
    inside, root = output.resolve(), dataset.resolve()
    if inside == root:
        raise DataError(
            f"{output} is the data set itself; choose {dataset / 'derivatives' / 'dnsp'} or a folder outside"
        )
    if root in inside.parents and inside.relative_to(root).parts[0] != "derivatives":
        raise DataError(f"{output} is inside {dataset}; choose {dataset / 'derivatives' / 'dnsp'} or a folder outside")
    if inside == root / "derivatives":
        raise DataError(f"{output} holds the results of every program; choose {output / 'dnsp'}")
    make_folder(output, error=DataError)
    described = read_sidecar_fields(output / _DESCRIPTION)
    makers = described.get("GeneratedBy")
    if described and not (isinstance(makers, list) and any(_is_dnsp(maker) for maker in makers)):
        raise DataError(f"{output}: the data set of another program ({_DESCRIPTION}); choose another folder")
    facts = _describe(dataset, output)
    if described != facts:
        write_json(output / _DESCRIPTION, facts, overwrite=True, error=DataError)
    ignored = output / ".bidsignore"
    if not ignored.exists():
        with replace_file(ignored, overwrite=True, error=DataError) as unfinished:
            unfinished.write_text("".join(f"{line}\n" for line in _IGNORED), encoding="utf-8")


def _describe(dataset: Path, output: Path) -> dict[str, Any]:
    source = _read_source(dataset)
    place = Path(os.path.relpath(dataset.resolve(), output.resolve())).as_posix()
    facts: dict[str, Any] = {
        "Name": f"Super-resolved scans of {source.get('Name') or dataset.resolve().name}",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "dnsp", "Version": __version__}],
        "SourceDatasets": [{"URL": f"bids:{_LINK}:", **_kept(source, {"DatasetDOI": "DOI"})}],
        "DatasetLinks": {_LINK: place},
    }
    return facts | _kept(source, {"License": "License", "HowToAcknowledge": "HowToAcknowledge"})


def _read_source(dataset: Path) -> dict[str, Any]:
    try:
        return read_sidecar_fields(dataset / _DESCRIPTION)
    except DataError as error:
        warnings.warn(str(error), DataWarning, stacklevel=4)
        return {}


def _kept(source: dict[str, Any], names: dict[str, str]) -> dict[str, str]:
    return {new: source[old] for old, new in names.items() if isinstance(source.get(old), str) and source[old]}


def _is_dnsp(maker: Any) -> bool:
    return isinstance(maker, dict) and maker.get("Name") == "dnsp"
