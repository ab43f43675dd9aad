"""The sentence for a methods section that says how a scan was enhanced, with versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

__all__ = ["describe_method"]

_PACKAGES = ("torch", "numpy", "nibabel")
_METHODS = {
    "bicubic": "bicubic interpolation",
    "spline": "cubic spline interpolation",
    "sinc": "sinc interpolation",
    "lrtv": "low-rank and total-variation regularisation (LRTV)",
    "lrtv-tuned": "low-rank and total-variation regularisation (LRTV, tuned weights)",
    "srsw": "sparse weighting with a database of patches (SRSW)",
}


def describe_method(facts: Mapping[str, Any]) -> str:
    """Write how a result was made, from the fields of its .json.

    Examples
    --------
    >>> describe_method({"Method": "spline", "Scale": 2, "Plane": "axial", "GeneratedBy": [{"Version": "0.2.0"}]})[:76]
    'Scans were super-resolved by a factor of 2 within axial slices with dnsp 0.2'
    """
    made_by = (facts.get("GeneratedBy") or [{}])[0].get("Version", "")
    if facts.get("Method") == "network":
        trained = f", trained on {facts['TrainedOn']}" if facts.get("TrainedOn") else ""
        digest = str((facts.get("MadeFrom") or {}).get("ModelSHA256", ""))[:12]
        how = f"the model {facts.get('Model', '')}{trained} (weights {digest}, {facts.get('Precision', '')} arithmetic)"
    else:
        how = _METHODS.get(str(facts.get("Method")), str(facts.get("Method")))
    if facts.get("Scale"):
        scale = f"by a factor of {facts['Scale']} within {facts.get('Plane', 'axial')} slices"
    else:
        scale = f"by factors of {', '.join(f'{factor:.3g}' for factor in facts.get('Factors', ()))} along i, j and k"
    packages = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _PACKAGES)]
    return f"Scans were super-resolved {scale} with dnsp {made_by}, using {how}; {', '.join(packages)}."
