"""What tests of every kind share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the development data, beside the checkout or where DNSP_SHARED says."""
    folder = Path(os.environ.get("DNSP_SHARED") or Path(__file__).parents[2] / "shared").resolve()
    if not folder.is_dir():
        pytest.skip(f"the development data is not at {folder}")
    return folder
