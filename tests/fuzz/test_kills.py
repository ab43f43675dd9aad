"""A few runs that are stopped at random moments; ``make kills`` stops many, and those of ``dnsp reproduce`` too."""

import os
import subprocess
import sys
from pathlib import Path


def test_runs_that_are_stopped_and_started_again_arrive_where_unbroken_ones_do():
    call = [sys.executable, str(Path(__file__).with_name("kills.py")), "--count", "9", "--seed", "1"]
    call += ["--kind", "enhance", "--kind", "cohort", "--kind", "train"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("9 stops, 0 problems\n")
