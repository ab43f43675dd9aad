"""Print the lowest version that pyproject.toml allows of each package, as a constraints file.

    python packaging/lowest_versions.py > lowest.txt

PyTorch is left out: install the one that you want to test with first.
"""

import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lowest_versions() -> list[str]:
    """Turn the lower bounds of the core and of all extras into exact versions."""
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    bounds = {bound for group in groups for bound in group if not bound.startswith(("torch>", "dnsp["))}
    return sorted(bound.replace(">=", "==") for bound in bounds)


if __name__ == "__main__":
    print("\n".join(lowest_versions()))
