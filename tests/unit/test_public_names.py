"""`import dnsp` is light, and what it names is there."""

import re
import subprocess
import sys
from pathlib import Path

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


def test_every_public_name_has_an_example_that_runs():
    """Doctests run with the suite; here is only whether there is one."""
    for name in dnsp.__all__:
        named = getattr(dnsp, name)
        if isinstance(named, type) or callable(named):
            assert ">>> " in named.__doc__, name


def test_benchmarks_examples_and_tests_use_the_library_and_not_the_command_line():
    checkout = Path(__file__).parents[2]
    stopping = {checkout / "tests" / "fuzz" / name for name in ("kills.py", "stopped_runs.py")}  # they stop commands
    allowed = {Path(__file__), *stopping}
    for folder in ("benchmarks", "examples", "tests"):
        for path in (checkout / folder).rglob("*.py"):
            if path.parent != checkout / "tests" / "cli" and path not in allowed:
                assert not re.search(r"(from|import) dnsp\.cli", path.read_text(encoding="utf-8")), path


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
