"""`import dnsp` is light, and what it names is there."""

import subprocess
import sys

import pytest

import dnsp


def modules_after(statement):
    """List what a fresh interpreter has imported after a statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_every_public_name_is_there():
    for name in dnsp.__all__:
        assert getattr(dnsp, name) is not None
    assert set(dnsp.__all__) == {*dnsp._ROOM_OF_NAME, "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        dnsp.nonsense  # noqa: B018


def test_importing_dnsp_or_showing_help_imports_nothing_heavy():
    assert not {"torch", "numpy", "nibabel"} & modules_after("import dnsp")
    assert not {"torch", "nibabel", "scipy", "matplotlib"} & modules_after("import dnsp.cli.main")


def test_priors_import_no_more_than_torch():
    extra = modules_after("import dnsp.priors") - modules_after("import torch")
    assert not [name for name in extra if not name.startswith(("dnsp", "torch"))]


@pytest.mark.parametrize("room", ["io", "metrics", "registration", "reports"])
def test_rooms_that_work_without_torch(room):
    assert "torch" not in modules_after(f"import dnsp.{room}")
