"""Stop runs at random moments (SIGKILL, SIGTERM, SIGINT, SIGHUP), start them again, and compare with an unbroken run.

    python tests/fuzz/kills.py --count 200 --seed 0

A run is stopped one to five times and then left to finish. After each stop, every file under its final name must be whole;
after a signal that can be heeded, nothing unfinished may be left, and the exit code and the one line must be right. In the
end, the files must be those of the unbroken run, byte for byte, but for times and machine facts.

Each run is a process forked from this one, which has imported everything: starting Python would take most of the time. With
--fresh, runs are started as users start them.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import jinja2  # noqa: F401  # some are imported here so that the forked processes need not
import lightning_fabric  # noqa: F401
import nibabel
import numpy as np
import pandas as pd  # noqa: F401
import SimpleITK  # noqa: F401
import skimage.metrics  # noqa: F401
import statsmodels.api  # noqa: F401
from safetensors import safe_open

from dnsp.cli.main import main
from dnsp.cli.stopping import STOPPED, stop_on_signals
from dnsp.training.pair_cache import _DIGEST_LENGTH, _digest

SIGNALS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
CHANGING = {"run.json", "seconds.json", "report.html", "numbers.json"}  # times, seconds and what follows from them
MOST_STOPS = 5

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


def commands(folder):
    """Give the command of each kind of run, without its output folder."""
    scans = str(folder / "scans")
    return {
        "enhance": ["enhance", scans, "--method", "spline", "--overwrite"],
        "train": ["train", scans, "--recipe", str(folder / "recipe.toml"), "--accelerator", "cpu"],
        "reproduce": ["reproduce", "--experiment", "table1", "--method", "edsr-NP"],
    }


class Run:
    """A process that runs a command, and what it prints."""

    def __init__(self, command, output, printed, *, fresh):
        self.printed = printed
        words = [*command, "-o", str(output)]
        with printed.open("wb") as file:
            if fresh:
                self.pid = subprocess.Popen([sys.executable, "-m", "dnsp", *words], stdout=file, stderr=file).pid
            else:
                self.pid = os.fork()
            if self.pid == 0:
                run_here(words, file.fileno())

    def wait(self, seconds):
        """Wait for the end; None if it has not come in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        return None

    def end(self, number):
        """Send a signal and wait."""
        os.kill(self.pid, number)
        code = self.wait(120)
        if code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(60)
        return code


def run_here(words, descriptor):
    stop_on_signals()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    code = 1
    with contextlib.suppress(BaseException):
        try:
            main(words)
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def fault_of(path):
    """Say what is wrong with a file under its final name; nothing if it is whole."""
    try:
        if path.name.endswith((".nii.gz", ".nii")):
            np.asarray(nibabel.load(path).dataobj)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".csv":
            text = path.read_text(encoding="utf-8")
            rows = list(csv.reader(io.StringIO(text, newline="")))
            assert text.endswith("\n")
            assert len({len(row) for row in rows}) == 1
        elif path.suffix == ".safetensors":
            with safe_open(path, framework="np") as file:
                assert [file.get_tensor(name).size for name in file.keys()]  # noqa: SIM118
        elif path.suffix == ".npy":
            with path.open("rb") as file:
                assert _digest(file, path.stat().st_size - _DIGEST_LENGTH) == file.read()
        elif path.suffix == ".npz":
            with path.open("rb") as file, np.load(file) as archive:
                assert [archive[name].size for name in archive]
        elif path.suffix == ".html":
            assert "</html>" in path.read_text(encoding="utf-8")
    except Exception as error:  # noqa: BLE001  # whatever a half file raises
        return f"{path}: {type(error).__name__}: {error}"
    return ""


def files_of(folder):
    """List the files of a run but for its logs: every run writes its own."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if "logs" not in path.relative_to(folder).parts)


def unfinished(folder):
    return list(folder.rglob(".dnsp-*"))


def difference(folder, whole):
    """Name the first file in which two results differ."""
    found, wanted = ({name_in(path, one): path for path in files_of(one)} for one in (folder, whole))
    if found.keys() != wanted.keys():
        return f"other files: {sorted(found.keys() ^ wanted.keys())}"
    for name, path in found.items():
        if path.name not in CHANGING and content_of(path) != content_of(wanted[name]):
            return f"{name} differs"
    return ""


def name_in(path, folder):
    """Give the name of a file in a result; names in a cache hold a digest of the times of the scans that the run made."""
    return re.sub(r"^(cache/.+)-[0-9a-f]{16}\.npy$", r"\1.npy", path.relative_to(folder).as_posix())


def content_of(path):
    """Give what must be the same: the bytes, or of a safetensors file what is in it, as its texts have no order."""
    if path.suffix != ".safetensors":
        return path.read_bytes()
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return file.metadata(), {name: (one.dtype, one.shape, one.tobytes()) for name, one in tensors.items()}


class Attack:
    """Runs that are stopped, and what was found."""

    def __init__(self, folder, *, seed, fresh):
        self.folder, self.draw, self.fresh = folder, np.random.default_rng(seed), fresh
        self.stops, self.problems = Counter(), []
        write_inputs(folder / "in")
        self.commands = commands(folder / "in")
        self.inputs = {path: path.read_bytes() for path in files_of(folder / "in")}
        self.whole, self.seconds = {}, {}

    def measure(self, kind):
        """Make the unbroken result, once."""
        if kind in self.whole:
            return
        output, printed = self.folder / f"{kind}-whole", self.folder / "printed"
        begin = time.monotonic()
        code = Run(self.commands[kind], output, printed, fresh=self.fresh).wait(600)
        self.seconds[kind] = time.monotonic() - begin
        if code != 0:
            raise SystemExit(f"{kind}: the unbroken run ended with {code}: {printed.read_text()}")
        self.whole[kind] = output

    def attack(self, kind, most):
        """Stop a run up to `most` times, let it finish, and compare; gives the number of stops."""
        self.measure(kind)
        output, printed = self.folder / f"{kind}-broken", self.folder / "printed"
        stops = 0
        for _ in range(self.draw.integers(1, MOST_STOPS + 1)):
            if stops == most:
                break
            left_before = unfinished(output)
            run = Run(self.commands[kind], output, printed, fresh=self.fresh)
            code = run.wait(0.005 + self.draw.random() * self.seconds[kind])
            number = list(SIGNALS)[self.draw.integers(len(SIGNALS))]
            if code is None:
                stopped = run.end(number)
                if stopped != 0:  # else it had done its work
                    stops += 1
                    self.stops[kind, signal.Signals(number).name] += 1
                    self._judge_stop(kind, number, stopped, printed.read_text(errors="replace"))
                    if number != signal.SIGKILL:
                        left = set(unfinished(output)) - set(left_before)
                        self._expect(not left, f"{kind}, {signal.Signals(number).name}: left behind: {left}")
        code = Run(self.commands[kind], output, printed, fresh=self.fresh).wait(600)
        text = printed.read_text(errors="replace")
        self._expect(code == 0 and "Traceback" not in text, f"{kind}: started again, it ends with {code}: {text}")
        self._expect(not unfinished(output), f"{kind}: left behind: {unfinished(output)}")
        self._expect(not (said := difference(output, self.whole[kind])), f"{kind}: after a restart, {said}")
        self._expect(
            {path: path.read_bytes() for path in files_of(self.folder / "in")} == self.inputs, "inputs changed"
        )
        outside = {path.name for path in self.folder.iterdir()} - {"in", "printed"}
        self._expect(outside <= {f"{one}-{how}" for one in self.commands for how in ("whole", "broken")}, f"{outside}")
        shutil.rmtree(output, ignore_errors=True)
        return stops

    def _judge_stop(self, kind, number, code, text):
        name, output = signal.Signals(number).name, self.folder / f"{kind}-broken"
        self._expect(code == SIGNALS[number], f"{kind}, {name}: exit code {code}: {text}")
        for fault in filter(None, map(fault_of, files_of(output))):
            self._expect(".dnsp-" in fault, f"{kind}, {name}: half-written: {fault}")
        if number != signal.SIGKILL:
            self._expect("Traceback" not in text and STOPPED in text, f"{kind}, {name}: printed {text!r}")

    def _expect(self, right, problem):
        if not right:
            self.problems.append(problem)
            print("PROBLEM", problem, flush=True)  # noqa: T201


def run(count, *, seed, kinds, fresh):
    """Stop runs until there were `count` stops, in equal parts for the kinds; gives the number of problems."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="dnsp-kills-") as name:
        attack = Attack(Path(name), seed=seed, fresh=fresh)
        for number, kind in enumerate(kinds):
            left = count * (number + 1) // len(kinds) - count * number // len(kinds)
            while left > 0:
                left -= attack.attack(kind, left)
                print(f"{sum(attack.stops.values())} stops, {len(attack.problems)} problems", flush=True)  # noqa: T201
        for (kind, how), stops in sorted(attack.stops.items()):
            print(f"{kind}, {how}: {stops} stops")  # noqa: T201
        print(f"{sum(attack.stops.values())} stops, {len(attack.problems)} problems")  # noqa: T201
        return len(attack.problems)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="how many times a run is stopped, over all kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=["enhance", "train", "reproduce"], help="only this kind")
    parser.add_argument("--fresh", action="store_true", help="start every run as a new Python")
    chosen = parser.parse_args()
    kinds = chosen.kind or ["enhance", "train", "reproduce"]
    sys.exit(bool(run(chosen.count, seed=chosen.seed, kinds=kinds, fresh=chosen.fresh)))
