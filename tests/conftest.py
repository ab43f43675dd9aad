"""Fixtures of every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("DNSP_SHARED", beside))
    if not folder.is_dir():
        pytest.skip("the development data in ../shared is not here")
    return folder
