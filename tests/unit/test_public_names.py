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
    with pytest.raises(AttributeError, match="nonsense"):
        dnsp.nonsense  # noqa: B018


def test_importing_dnsp_or_showing_help_imports_nothing_heavy():
    assert not {"torch", "numpy", "nibabel"} & modules_after("import dnsp")
    assert not {"torch", "nibabel", "scipy", "matplotlib"} & modules_after("import dnsp.cli.main")


def test_priors_import_no_more_than_torch():
    extra = modules_after("import dnsp.priors") - modules_after("import torch")
    known = {"dnsp", "torch", "lazy_loader", *sys.stdlib_module_names}
    assert not [name for name in extra if name.partition(".")[0] not in known]


@pytest.mark.parametrize("package", ["io", "metrics", "registration", "plotting"])
def test_packages_that_work_without_torch(package):
    assert "torch" not in modules_after(f"import dnsp.{package}")
