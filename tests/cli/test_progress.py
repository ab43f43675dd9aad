"""The progress bars: what a user sees in a terminal and in a log."""

import io
import re
from contextlib import redirect_stderr

import pytest

from dnsp.cli.progress import CellProgress, JobProgress, TrainingProgress
from dnsp.cli.run_log import Level, RunLog
from dnsp.errors import VolumeError


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    return screen


def run_jobs(bar):
    bar.on_start(2)
    bar.on_job("a.nii")
    bar.on_progress(3, 10)
    bar.on_job_end("a.nii", None)
    bar.on_job("[red]b.nii")
    bar.on_job_end("[red]b.nii", VolumeError("b.nii: no\nscan [bold]"))


def test_jobs_are_shown_in_a_terminal(terminal):
    with redirect_stderr(terminal), JobProgress("enhancing") as bar:
        run_jobs(bar)
        bar._bar.refresh()
        screen = terminal.getvalue()
    assert "enhancing [red]b.nii" in screen  # a name is no markup
    assert "2/2" in screen
    assert "dnsp: error: b.nii: no scan [bold]\n" in terminal.getvalue()


def test_slices_of_the_present_scan_are_shown(terminal):
    with redirect_stderr(terminal), JobProgress("enhancing") as bar:
        bar.on_start(1)
        bar.on_job("a.nii")
        bar.on_progress(3, 10)
        bar._bar.refresh()
    assert "slices" in terminal.getvalue()
    assert "3/10" in terminal.getvalue()


def test_a_log_has_a_line_with_the_time_for_each_scan_and_the_errors(capsys):
    with JobProgress("enhancing") as bar:
        run_jobs(bar)
    done, failed = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d enhancing 1 of 2: a.nii, \d+\.\d s", done)
    assert failed == "dnsp: error: b.nii: no scan [bold]"


def test_lines_can_be_fewer_or_more_and_the_file_has_all(capsys, tmp_path):
    for level, count in ((Level.QUIET, 1), (Level.NORMAL, 3), (Level.VERBOSE, 6)):
        folder = tmp_path / level.name
        folder.mkdir()
        with RunLog(level, folder) as log, JobProgress("enhancing", log) as bar:
            run_jobs(bar)
            log.summary("1 of 2")
        assert len(capsys.readouterr().err.splitlines()) == count
        [file] = (folder / "logs").iterdir()
        lines = file.read_text().splitlines()
        assert len(lines) == 2 + 1 + 2 + 2 + 1
        assert "ERROR enhancing 2 of 2: [red]b.nii: b.nii: no scan [bold]" in lines[-2]
    with RunLog(folder=tmp_path / "none") as log, JobProgress("enhancing", log) as bar:
        run_jobs(bar)
    assert not (tmp_path / "none").exists()


def test_a_training_shows_its_data_steps_loss_and_psnr(terminal):
    with redirect_stderr(terminal), TrainingProgress() as bar:
        bar.on_pairs_registered(1, 2)
        bar.on_scans_read(1, 3)
        bar.on_start({"training_slices": 8, "patches": 32}, steps=10, done=4)
        bar.on_epoch(1, {"data": 0.1}, 31.5)
        bar.on_epoch(2, {"data": 0.1}, None)
        bar.on_step(5, 0.25)
        bar._bar.refresh()
        bar.on_end("model.safetensors")
    screen = terminal.getvalue()
    for text in ("8 training slices, 32 patches", "5/10", "loss 2.500e-01  PSNR 31.50 dB"):
        assert text in screen


def test_cells_are_counted(terminal):
    with redirect_stderr(terminal), CellProgress() as bar:
        bar.on_cell(2, 7, "edsr-AP")
        bar._bar.refresh()
    assert "edsr-AP" in terminal.getvalue()
    assert "2/7" in terminal.getvalue()
