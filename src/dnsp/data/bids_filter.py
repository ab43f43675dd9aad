"""The filter file of BIDS-Apps: which scans of each kind are meant, by their entities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from dnsp.errors import SettingError

__all__ = ["BidsFilter", "entity_matches", "read_bids_filters"]

Wanted: TypeAlias = str | int | list[str | int | None] | None

# PyBIDS's names of entities, which filter files use, and those of file names.
_SHORT_NAMES = {
    "subject": "sub",
    "session": "ses",
    "sample": "sample",
    "task": "task",
    "acquisition": "acq",
    "ceagent": "ce",
    "tracer": "trc",
    "staining": "stain",
    "reconstruction": "rec",
    "direction": "dir",
    "run": "run",
    "modality": "mod",
    "echo": "echo",
    "flip": "flip",
    "inv": "inv",
    "inversion": "inv",
    "mt": "mt",
    "mtransfer": "mt",
    "part": "part",
    "proc": "proc",
    "processing": "proc",
    "space": "space",
    "split": "split",
    "recording": "recording",
    "chunk": "chunk",
    "resolution": "res",
    "res": "res",
    "density": "den",
    "label": "label",
    "desc": "desc",
    "description": "desc",
}
_SUFFIX_OF_QUERY = {"t1w": "T1w", "t2w": "T2w", "flair": "FLAIR", "pdw": "PDw", "t2starw": "T2starw"}
_OF_NO_NAME = ("suffix", "datatype", "extension")


class BidsFilter(NamedTuple):
    """The conditions of one query of a filter file.

    Attributes
    ----------
    suffixes, datatypes, entities
        What is wanted: a label, a list of labels, None (the entity must be absent) or ``"*"`` (any label).
    """

    suffixes: Wanted
    datatypes: Wanted
    entities: Mapping[str, Wanted]

    def matches(self, entities: Mapping[str, str], *, datatype: str) -> bool:
        """Tell whether a scan of these entities is wanted."""
        return entity_matches(datatype, self.datatypes) and all(
            entity_matches(entities.get(entity), wanted) for entity, wanted in self.entities.items()
        )

    def names(self, entity: str) -> bool:
        """Tell whether the query has a condition on an entity."""
        return entity in self.entities


def entity_matches(label: str | None, wanted: Wanted) -> bool:
    """Tell whether a label is the wanted one; numbers are compared as numbers (run-1 and run-01).

    Examples
    --------
    >>> entity_matches("01", 1), entity_matches(None, ["02", None]), entity_matches("a", "*"), entity_matches("a", None)
    (True, True, True, False)
    """
    if isinstance(wanted, list):
        return any(entity_matches(label, one) for one in wanted)
    if wanted is None or label is None:
        return wanted is None and label is None
    if wanted == "*":
        return True
    one, other = str(wanted), label
    return one == other or (one.isdecimal() and other.isdecimal() and int(one) == int(other))


def read_bids_filters(path: str | Path) -> list[BidsFilter]:
    """Read a filter file as fMRIPrep takes it: ``{"t1w": {"session": "02", "acquisition": null}}``.

    Each query has a name and conditions on entities, by PyBIDS's long names or the short ones of file names. A query concerns
    the scans of its ``suffix``; where it has none, its name says it (t1w, t2w, flair, pdw). Queries of other kinds, such as
    bold, have no effect.

    Raises
    ------
    SettingError
        If the file cannot be read, is not of this form, or names an entity that BIDS does not know.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "filter.json").write_text('{"t1w": {"session": ["01", "02"]}}')
    ...     read_bids_filters(f"{folder}/filter.json")
    [BidsFilter(suffixes='T1w', datatypes='*', entities={'ses': ['01', '02']})]
    """
    path = Path(path)
    try:
        queries = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, Wanted]])
    except OSError as error:
        raise SettingError(f"--bids-filter-file {path}: cannot be read ({error.strerror})") from error
    except msgspec.MsgspecError as error:
        raise SettingError(
            f'--bids-filter-file {path}: not of the form {{"t1w": {{"session": "01"}}}} ({error})'
        ) from error
    filters = []
    for name, query in queries.items():
        suffixes = query.get("suffix", _SUFFIX_OF_QUERY.get(name.lower(), name))
        entities = {_short_name(entity, path): wanted for entity, wanted in query.items() if entity not in _OF_NO_NAME}
        filters.append(BidsFilter(suffixes, query.get("datatype", "*"), entities))
    return filters


def _short_name(entity: str, path: Path) -> str:
    if entity in _SHORT_NAMES.values():
        return entity
    if entity not in _SHORT_NAMES:
        raise SettingError(
            f"--bids-filter-file {path}: BIDS has no entity {entity!r}; there are: {', '.join(_SHORT_NAMES)}"
        )
    return _SHORT_NAMES[entity]
