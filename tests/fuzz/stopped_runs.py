"""What is stopped by `kills.py`: small inputs, the commands, and runs as processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import nibabel
import numpy as np

import dnsp.__main__
from dnsp.cli.main import main
from dnsp.cli.stopping import stop_on_signals
from dnsp.io.unfinished import remove_unfinished

KINDS = ["enhance", "cohort", "train", "reproduce"]
OUTPUT = "OUTPUT"  # stands for the output in a command

RECIPE = """network = "srcnn"
network_arguments = {filters = [4, 2]}
[pairs]
slices_per_subject = 3
[patches]
size = 8
per_slice = 4
[optimiser]
epochs = 8
batch_size = 4
[loss]
prior = "AP"
"""


def write_inputs(folder):
    """Write a folder of small heads, and a recipe."""
    (folder / "scans").mkdir(parents=True)
    for number in range(4):
        grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 28, 12)), indexing="ij"))
        voxels = ((grid**2).sum(0) < 0.8) * np.random.default_rng(number).uniform(300, 900, (24, 28, 12))
        image = nibabel.Nifti1Image(voxels.astype(np.float32), np.diag([1.0, 1.0, 3.0, 1.0]))
        nibabel.save(image, folder / "scans" / f"sub-{number}.nii.gz")
    (folder / "recipe.toml").write_text(RECIPE)
    write_data_set(folder / "bids")


def write_data_set(folder):
    """Write a BIDS data set of very small heads."""
    scans = sorted((folder.parent / "scans").iterdir())
    for number in range(12):
        image = nibabel.load(scans[number % len(scans)])
        for suffix in ("T1w", "T2w"):
            path = folder / f"sub-{number:02d}" / "anat" / f"sub-{number:02d}_{suffix}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(image.slicer[6:18, 6:20, number % 4 : 8], path)
    (folder / "dataset_description.json").write_text('{"Name": "Small heads", "BIDSVersion": "1.10.0"}')


class Kind(NamedTuple):
    """A kind of run: its command, and whether it has processes of its own."""

    words: list[str]
    has_processes: bool = False

    def call(self, output):
        return [str(output) if word == OUTPUT else word for word in self.words]


def make_kinds(folder):
    """Give the kinds of runs on the inputs in a folder."""
    scans, recipe, data_set = (str(folder / name) for name in ("scans", "recipe.toml", "bids"))
    cohort = ["enhance", data_set, OUTPUT, "participant", "--method", "spline", "--jobs", "2"]
    return {
        "enhance": Kind(["enhance", scans, "--method", "spline", "--overwrite", "-o", OUTPUT]),
        "cohort": Kind(cohort, has_processes=True),
        "train": Kind(["train", scans, "--recipe", recipe, "--accelerator", "cpu", "-o", OUTPUT]),
        "reproduce": Kind(["reproduce", "--experiment", "table1", "--method", "edsr-NP", "-o", OUTPUT]),
    }


def never():
    return False


class Run:
    """A process that runs a command, in a process group of its own, and what it prints."""

    def __init__(self, words, printed, *, fresh):
        self.printed = printed
        with printed.open("wb") as file:
            if fresh:
                call = [sys.executable, "-m", "dnsp", *words]
                self.pid = subprocess.Popen(call, stdout=file, stderr=file, process_group=0).pid
            else:
                self.pid = os.fork()
            if self.pid == 0:
                run_here(words, file.fileno())
        if not fresh:
            with contextlib.suppress(ProcessLookupError):
                os.setpgid(self.pid, self.pid)

    def wait(self, seconds, until=never):
        """Wait for the end; None if it has not come in time, or something else has come first."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002 if until is never else 0.02)
        return None

    def end(self, number, *, group=False):
        """Send a signal to the process or to its group, and wait."""
        (os.killpg if group else os.kill)(self.pid, number)
        code = self.wait(120)
        if code is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait(60)
        return code

    def has_ended(self, seconds):
        """Tell whether the last process of the group ends in time."""
        deadline = time.monotonic() + seconds
        while is_running := any(map(self._is_in_group, Path("/proc").iterdir())):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        return not is_running

    def _is_in_group(self, entry):
        try:
            state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:  # no process, or one that has ended
            return False
        return int(group) == self.pid and state not in "ZX"


def run_here(words, descriptor):
    os.setpgid(0, 0)
    sys.modules["__main__"] = dnsp.__main__  # so that its processes start as those of `python -m dnsp`
    stop_on_signals()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    code = 1
    with contextlib.suppress(BaseException):
        try:
            main(words)
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
        remove_unfinished()  # as at the end of Python
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
