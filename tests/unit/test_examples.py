"""The examples run as they stand, and stay short."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_under_thirty_lines(path):
    assert len(path.read_text().splitlines()) < 30


def test_the_plain_loop_learns():
    monai = pytest.importorskip(
        "monai", reason="MONAI is not installed; it is in the dependency group interoperability"
    )
    assert monai
    main = runpy.run_path(str(EXAMPLES[0].parent / "monai_network.py"))["main"]
    assert main(steps=30) < 0.5 * main(steps=1)


def test_the_lightning_module_trains(tmp_path):
    pytest.importorskip(
        "lightning", reason="Lightning is not installed; it is in the dependency group interoperability"
    )
    command = [sys.executable, EXAMPLES[0].parent / "lightning_module.py"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "max_epochs=2" in done.stderr
