"""The models that are included in the package, by name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from dnsp.errors import ModelError

__all__ = ["find_model", "included_models"]

_DEFAULT = "default"


def included_models() -> dict[str, dict[int, Path]]:
    """List the included models: name -> scale -> file.

    ``default`` is the model that is used where none is named: one file for all scales. ``edsr-small`` has a file for
    each scale, which is also called ``paper-x2``, ``paper-x3`` and ``paper-x4``: these models undo the
    paper's blur alone.

    Examples
    --------
    >>> sorted(included_models())
    ['default', 'edsr-small', 'paper-x2', 'paper-x3', 'paper-x4']
    """
    folder = Path(str(resources.files("dnsp") / "weights"))
    files = {scale: folder / f"edsr-small-x{scale}.safetensors" for scale in (2, 3, 4)}
    return {
        _DEFAULT: dict.fromkeys((2, 3, 4), folder / "default.safetensors"),
        "edsr-small": files,
        **{f"paper-x{scale}": {scale: path} for scale, path in files.items()},
    }


def find_model(name_or_path: str | Path, *, scale: int | None = None) -> Path:
    """Find the file of an included model by its name, or take a path to a model file as it is.

    Parameters
    ----------
    name_or_path : str or Path
        A name of `included_models`, or a ``.safetensors`` file.
    scale : int, optional
        The scale of an included model. By default 2, or the only one that the model has.

    Raises
    ------
    ModelError
        If there is neither an included model of that name for that scale nor such a file.

    Examples
    --------
    >>> find_model("paper-x3").name
    'edsr-small-x3.safetensors'
    """
    models = included_models()
    if str(name_or_path) in models:
        scales = models[str(name_or_path)]
        chosen = scale or (2 if 2 in scales else next(iter(scales)))
        if chosen not in scales:
            known = " or ".join(map(str, scales))
            raise ModelError(
                f"model {str(name_or_path)!r} was trained for scale {known}, not {chosen}; use --scale {known}"
            )
        return scales[chosen]
    path = Path(name_or_path)
    if path.suffix == ".safetensors" or isinstance(name_or_path, Path):
        if not _is_file(path):
            raise ModelError(f"{path}: no such model file")
        return path
    raise ModelError(f"no model is called {name_or_path!r}; give a .safetensors file or one of: {', '.join(models)}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system
        return False
