"""The attack: seeded damage, and what may come of it.

A bounded slice runs with the other tests. ``make fuzz`` runs long: DNSP_FUZZ inputs for each test, from the seed
DNSP_FUZZ_SEED on.
"""

import os
import shutil
import signal
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest

from dnsp.errors import DnspError

collect_ignore = ["kills.py", "stopped_runs.py"]  # commands of their own, without tests

SECONDS = 10  # of processor time for one input
WAITED_SECONDS = 60  # on a machine with other work


class TooSlow(BaseException):
    """No error of the code under test, so that nothing in it can catch this."""


@contextmanager
def _deadline():
    def stop(*_):
        raise TooSlow(f"more than {SECONDS} seconds of processor time, or {WAITED_SECONDS} in all")

    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WAITED_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture
def attack(tmp_path, request, record_property, capfd):
    """Make damaged inputs and judge each: read right, or refused in one line, within 10 seconds.

    `make(rng, folder)` writes one input into an empty folder and gives its path; `use(path)` is the code under test, and
    raises a `DnspError` or returns a result; `check(path, result)` raises an AssertionError where the result is wrong.
    `most` bounds the inputs of a long run. With `writes`, the code under test writes within the folder. Gives how many inputs
    were read and how many refused.
    """

    def printed(seed):
        out, err = capfd.readouterr()
        assert (out, err) == ("", ""), f"seed {seed}: printed {out!r} {err!r}"

    def run(make, use, check, *, count, most=10**9, writes=False):
        total = min(int(os.environ.get("DNSP_FUZZ", count)), most)
        first = int(os.environ.get("DNSP_FUZZ_SEED", "0"))
        outcomes = Counter()
        folder = tmp_path / "input"
        for seed in range(first, first + total):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            path = make(np.random.default_rng(seed), folder)
            before, beside = sorted(folder.rglob("*")), sorted(tmp_path.iterdir())
            try:
                with _deadline():
                    result = use(path)
            except DnspError as error:
                line = str(error)
                assert line.isprintable(), f"seed {seed}: not one line: {line!r}"
                assert len(line) > 20, f"seed {seed}: {line!r} says too little"
                outcomes["refused"] += 1
            except BaseException as error:  # noqa: BLE001  (whatever it is, the seed is told)
                pytest.fail(f"seed {seed}: {type(error).__name__}: {error}")
            else:
                printed(seed)
                try:
                    check(path, result)
                except AssertionError as error:
                    pytest.fail(f"seed {seed}: wrong in silence: {error}")
                outcomes["read"] += 1
                capfd.readouterr()  # of the programs compared with
            printed(seed)
            after = sorted(folder.rglob("*"))
            if writes:
                assert not [path for path in after if path.name.startswith(".dnsp-")], (
                    f"seed {seed}: an unfinished file"
                )
            else:
                assert after == before, f"seed {seed}: files were written beside the input"
            assert sorted(tmp_path.iterdir()) == beside, f"seed {seed}: files were written outside the folder"
        record_property("outcomes", dict(outcomes))
        if "DNSP_FUZZ" in os.environ:
            with capfd.disabled():
                print(f"\n{request.node.name}: {dict(outcomes)}")  # noqa: T201
        return outcomes

    return run
