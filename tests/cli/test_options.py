"""Names of options: old names still work with a warning, lists are repeated options, and -h is help."""

import re

import nibabel as nib
import pytest

from dnsp.cli.main import _COMMANDS
from dnsp.cli.options import RENAMED, split_commas

COMMANDS = sorted(_COMMANDS)
PAIRS = [(command, old, new) for command, names in RENAMED.items() for old, new in names.items()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_in_two_spellings(dnsp, command):
    outcome = dnsp(command, "-h")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == dnsp(command, "--help").out
    assert "-h, --help" in outcome.out


@pytest.mark.parametrize(("command", "old", "new"), PAIRS)
def test_an_old_name_is_not_in_the_help_and_the_new_one_is(dnsp, command, old, new):
    text = dnsp(command, "--help").out
    assert re.search(rf"{new}\b", text)
    assert not re.search(rf"{old} <", text)


@pytest.mark.parametrize(("command", "old", "new"), PAIRS)
@pytest.mark.parametrize("spelling", ["apart", "="])
def test_an_old_name_is_read_with_a_warning(dnsp, tmp_path, command, old, new, spelling):
    """Both names end in the same error, as there is no data here; the old one warns."""
    arguments = {
        "brainweb": [],
        "reproduce": [],
        "balance": [tmp_path / "none"],
    }.get(command, [tmp_path / "none"])
    value = "nonsense"

    def call(name):
        output = [] if command == "balance" else ["-o", tmp_path / f"out{name}"]
        return dnsp(command, *arguments, *output, *([name, value] if spelling == "apart" else [f"{name}={value}"]))

    before, after = call(old), call(new)
    warning = f"dnsp: warning: {old} is now called {new}; version 0.3 will remove the old name\n"
    assert before.err == warning + after.err
    assert before.code == after.code != 0
    assert "No such option" not in before.err


def test_an_old_name_does_what_the_new_one_does(dnsp, scan, tmp_path):
    for name in ("--kind", "--degradation"):
        outcome = dnsp("degrade", scan, "-o", tmp_path / f"low{name}.nii", name, "kspace")
        assert (outcome.code, "warning" in outcome.err) == (0, name == "--kind")
    first, second = (nib.load(tmp_path / f"low{name}.nii").get_fdata() for name in ("--kind", "--degradation"))
    assert (first == second).all()


def test_a_file_that_is_named_like_an_old_option_is_left_alone(dnsp, tmp_path):
    outcome = dnsp("degrade", "-o", tmp_path / "low.nii", "--", "--kind")
    assert outcome.err == "dnsp: error: --kind: no such file or folder\n"


def test_lists_with_commas_are_split_with_a_warning(capsys):
    assert split_commas(["01", "02"], "--subject") == ["01", "02"]
    assert split_commas(None, "--subject") == []
    assert capsys.readouterr().err == ""
    assert split_commas(["01, 02", "03"], "--subject") == ["01", "02", "03"]
    assert capsys.readouterr().err == (
        "dnsp: warning: write --subject 01 --subject 02 instead of --subject 01, 02; version 0.3 will not split at commas\n"
    )


def test_subjects_with_commas_choose_the_same_subjects(dnsp, make_cohort, tmp_path):
    source, _ = make_cohort("folder")
    size = ("--slices", 3, "--patches", 50)
    old = dnsp("database", source, "-o", tmp_path / "a.safetensors", *size, "--subjects", "sub-01,sub-03")
    new = dnsp(
        "database", source, "-o", tmp_path / "b.safetensors", *size, "--subject", "sub-01", "--subject", "sub-03"
    )
    assert (old.code, new.code) == (0, 0)
    assert (old.err.count("dnsp: warning: "), new.err.count("dnsp: warning: ")) == (2, 0)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
