"""`dnsp patches` and `dnsp balance` on small cohorts."""

import re

import pytest

RECIPE = (
    "[pairs]\nslices_per_subject = 3\n[patches]\nsize = 12\nper_slice = 4\n[optimiser]\nepochs = 1\nbatch_size = 8\n"
)


@pytest.fixture
def cohort(tmp_path, make_head, write_scan):
    (tmp_path / "cohort").mkdir()
    for number in (1, 2, 3):
        write_scan(tmp_path / "cohort" / f"sub-{number}.nii.gz", make_head((40, 44, 12), seed=number))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path / "cohort"


def test_candidates_are_shown_edited_and_trained_on(dnsp, cohort, tmp_path):
    recipe, sheets = tmp_path / "recipe.toml", tmp_path / "sheets"
    assert dnsp("patches", cohort, "-o", sheets, "--recipe", recipe).code == 0
    assert {path.name for path in sheets.iterdir()} == {"patches.tsv", "sharp.png", "smooth.png"}
    lines = (sheets / "patches.tsv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 3 * 2  # a title; subjects, slices, kinds
    outcome = dnsp("patches", cohort, "-o", sheets, "--recipe", recipe)
    assert (outcome.code, "exists" in outcome.err) == (1, True)

    (sheets / "patches.tsv").write_text("\n".join([*lines[:3], *(line.replace("yes", "no", 1) for line in lines[3:])]))
    outcome = dnsp(
        "train", cohort, "-o", tmp_path / "run", "--recipe", recipe, "--network", "srcnn", "--prior", "LS",
        "--patch-list", sheets / "patches.tsv",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    outcome = dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe, "--network", "srcnn", "--prior", "LS")
    assert "patch_list" in outcome.err  # another list is another run


def test_the_subjects_are_those_that_training_will_learn_from(dnsp, cohort, tmp_path):
    recipe = tmp_path / "recipe.toml"
    (tmp_path / "split.json").write_text('{"training": ["sub-2"], "test": ["sub-1"], "validation": ["sub-3"]}')
    sheets = {"a": ("--split", tmp_path / "split.json"), "b": ("--test", 1, "--validation", 0)}
    for name, options in sheets.items():
        assert dnsp("patches", cohort, "-o", tmp_path / name, "--recipe", recipe, *options).code == 0
    first, second = ((tmp_path / name / "patches.tsv").read_text() for name in sheets)
    assert ("sub-2" in first, "sub-1" in first, "sub-3" in first) == (True, False, False)
    assert len(second.splitlines()) == 1 + 2 * 3 * 2  # two subjects are left to learn from
    outcome = dnsp(
        "train", cohort, "-o", tmp_path / "run", "--recipe", recipe, "--network", "srcnn", "--prior", "LS",
        "--patch-list", tmp_path / "b" / "patches.tsv", "--test", 1, "--validation", 0,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err


def test_weights_of_a_chosen_ratio_are_printed(dnsp, cohort, tmp_path):
    outcome = dnsp("balance", cohort, "--recipe", tmp_path / "recipe.toml", "--ratio", 0.2)
    assert outcome.code == 0, outcome.err
    rows = {line.split("│")[1].split()[0]: line.split("│") for line in outcome.out.splitlines() if line.startswith("│")}
    assert set(rows) == {"data", "low_rank", "sharpness", "total_variation"}
    data = float(rows["data"][2])
    for term in ("low_rank", "sharpness", "total_variation"):
        norm, weight = float(rows[term][2]), float(rows[term][5])
        assert weight * norm == pytest.approx(0.2 * data, rel=0.01)
    assert re.search(r"half-way between\s+bicubic", outcome.out)


def test_a_ratio_must_be_positive(dnsp, cohort, tmp_path):
    assert dnsp("balance", cohort, "--recipe", tmp_path / "recipe.toml", "--ratio", -1).code == 2


@pytest.mark.parametrize("network", ["lfmri", "edsr-small", "torch.nn:Conv2d"])
def test_terms_are_measured_at_the_output_of_any_model(dnsp, cohort, tmp_path, network):
    recipe = tmp_path / "recipe.toml"
    arguments = ""
    if ":" in network:
        arguments = "[network_arguments]\nin_channels = 1\nout_channels = 1\nkernel_size = 3\npadding = 1\n"
    recipe.write_text(f'network = "{network}"\n{arguments}{RECIPE}')
    assert dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe, "--prior", "NP").code == 0
    call = ("balance", cohort, "--recipe", recipe, "--model", tmp_path / "run" / "model.safetensors")
    if ":" in network:
        refused = dnsp(*call)
        assert (refused.code, f"add --network {network}" in refused.err) == (2, True)
        call = (*call, "--network", network)
    outcome = dnsp(*call)
    assert outcome.code == 0, outcome.err
    assert "the output of" in outcome.out
    assert len([line for line in outcome.out.splitlines() if line.startswith("│")]) == 4
