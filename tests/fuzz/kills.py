"""Stop runs at random moments (SIGKILL, SIGTERM, SIGINT, SIGHUP), start them again, and compare with an unbroken run.

    python tests/fuzz/kills.py --count 200 --seed 0

A run is stopped one to five times and then left to finish. After each stop, every file under its final name must be whole;
after a signal that can be heeded, nothing unfinished may be left, and the exit code and the one line must be right. In the
end, the files must be those of the unbroken run, byte for byte, but for times and machine facts.

A run over a data set with several processes (cohort) is stopped in two ways: the signal goes to its first process, or to all
of them, as from a terminal or a batch system. Half of these signals come after the run has begun to write. The next run
starts at once, also while processes of a killed one still end.

Each run is a process forked from this one, which has imported everything: starting Python would take most of the time. With
--fresh, runs are started as users start them.
"""

import argparse
import csv
import io
import json
import os
import re
import shutil
import signal
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
from stopped_runs import KINDS, Run, make_kinds, write_inputs

from dnsp.cli.stopping import STOPPED
from dnsp.training.pair_cache import _DIGEST_LENGTH, _digest

SIGNALS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
CHANGING = {"run.json", "seconds.json", "report.html", "numbers.json"}  # times, seconds and what follows from them
MOST_STOPS = 5
SECONDS_TO_END = 30  # for the processes of a run whose first one was killed


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
                assert _digest(file, path.stat().st_size - _DIGEST_LENGTH, name=path.name) == file.read()
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
    return [path for path in folder.rglob(".*") if ".dnsp-" in path.name]


def written(folder):
    """Name the files of a result, finished or not, below its first level: what the scans gave."""
    return {path for path in folder.glob("*/**/*") if path.is_file()}


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
    """Give what must be the same: the bytes, of prepared slices without the digest of their name and content.

    Of a safetensors file it is what is in it, as its texts have no order.
    """
    if path.suffix == ".npy":
        return path.read_bytes()[:-_DIGEST_LENGTH]
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
        self.kinds = make_kinds(folder / "in")
        self.inputs = {path: path.read_bytes() for path in files_of(folder / "in")}
        self.whole, self.seconds, self.killed = {}, {}, []

    def measure(self, kind):
        """Make the unbroken result, once, and note how long it took in all and from the first file on."""
        if kind in self.whole:
            return
        output, printed = self.folder / f"{kind}-whole", self.folder / "printed"
        begin = time.monotonic()
        run = self._start(kind, output)
        code = run.wait(600, until=lambda: bool(written(output)))
        first = time.monotonic()
        code = run.wait(600) if code is None else code
        self.seconds[kind] = time.monotonic() - begin, time.monotonic() - first
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
            stops += self._stop(kind, output, printed)
        code = self._start(kind, output).wait(600)
        text = printed.read_text(errors="replace")
        self._expect(code == 0 and "Traceback" not in text, f"{kind}: started again, it ends with {code}: {text}")
        self._wait_for_killed(kind)
        self._expect(not unfinished(output), f"{kind}: left behind: {unfinished(output)}")
        self._expect(not (said := difference(output, self.whole[kind])), f"{kind}: after a restart, {said}")
        self._expect(
            {path: path.read_bytes() for path in files_of(self.folder / "in")} == self.inputs, "inputs changed"
        )
        outside = {path.name for path in self.folder.iterdir()} - {"in", "printed"}
        self._expect(outside <= {f"{one}-{how}" for one in self.kinds for how in ("whole", "broken")}, f"{outside}")
        shutil.rmtree(output, ignore_errors=True)
        return stops

    def _start(self, kind, output):
        return Run(self.kinds[kind].call(output), self.folder / "printed", fresh=self.fresh)

    def _stop(self, kind, output, printed):
        """Start a run and stop it at a random moment; gives whether it was stopped before its end."""
        whole, writing = self.seconds[kind]
        number = list(SIGNALS)[self.draw.integers(len(SIGNALS))]
        group = self.kinds[kind].has_processes and self.draw.random() < 0.5
        while_writing = self.kinds[kind].has_processes and self.draw.random() < 0.5
        left_before, before = unfinished(output), written(output)
        run = self._start(kind, output)
        code = None
        if while_writing:
            code = run.wait(60, until=lambda: bool(written(output) - before))
        if code is None:
            code = run.wait(0.005 + self.draw.random() * (writing if while_writing else whole))
        if code is not None:
            return False
        stopped = run.end(number, group=group)
        if stopped == 0:  # it had done its work
            return False
        how = f"{signal.Signals(number).name}{' to all' if group else ''}"
        self.stops[kind, how] += 1
        self._judge_stop(kind, how, number, stopped, printed.read_text(errors="replace"))
        if number == signal.SIGKILL:
            self.killed.append(run)
        else:
            self._expect(run.has_ended(5), f"{kind}, {how}: its processes run on")
            self._wait_for_killed(kind)
            left = set(unfinished(output)) - set(left_before)
            self._expect(not left, f"{kind}, {how}: left behind: {left}")
        return True

    def _wait_for_killed(self, kind):
        """Wait for the processes of runs whose first process was killed: they remove what they write."""
        for run in self.killed:
            self._expect(run.has_ended(SECONDS_TO_END), f"{kind}: processes of a killed run go on")
        self.killed = []

    def _judge_stop(self, kind, how, number, code, text):
        output = self.folder / f"{kind}-broken"
        self._expect(code == SIGNALS[number], f"{kind}, {how}: exit code {code}: {text}")
        for fault in filter(None, map(fault_of, files_of(output))):
            self._expect(".dnsp-" in fault, f"{kind}, {how}: half-written: {fault}")
        if number != signal.SIGKILL:
            self._expect("Traceback" not in text and STOPPED in text, f"{kind}, {how}: printed {text!r}")

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
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind")
    parser.add_argument("--fresh", action="store_true", help="start every run as a new Python")
    chosen = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts with & ignore it
    sys.exit(bool(run(chosen.count, seed=chosen.seed, kinds=chosen.kind or KINDS, fresh=chosen.fresh)))
