"""`dnsp.train` on a cohort: found, split, registered where it has pairs, and trained."""

import csv
import json

import pytest

import dnsp
from dnsp.data import PairedScan, Scan, Split, find_cohort
from dnsp.errors import DataError, DataWarning, ModelError, SettingError
from dnsp.networks import load_model
from dnsp.training import PairSettings, Resources, TrainingCallback, cohort, write_filter_patches
from dnsp.training.patch_lists import read_patch_list

CPU = Resources(accelerator="cpu")


@pytest.fixture
def folder(write_head, tmp_path):
    (tmp_path / "cohort").mkdir()
    for number in range(4):
        write_head(tmp_path / "cohort" / f"sub-{number}.nii.gz", seed=number)
    return tmp_path / "cohort"


def split_of(run):
    return json.loads((run / "split.json").read_text())


def test_a_folder_is_found_split_and_trained_on(folder, make_settings, tmp_path):
    model = dnsp.train(str(folder), str(tmp_path / "run"), config=make_settings(test_subjects=1), resources=CPU)
    assert model == tmp_path / "run" / "model.safetensors"
    assert {role: len(names) for role, names in split_of(tmp_path / "run").items()} == {
        "training": 2,
        "test": 1,
        "validation": 1,
    }
    card = load_model(model, trust="torch.nn:Conv2d").card
    assert card.data["name"] == "cohort"
    assert card.data["training_subjects"] == split_of(tmp_path / "run")["training"]


def test_scans_may_be_found_before_and_the_split_be_given(folder, make_settings, tmp_path):
    scans = find_cohort(folder, subjects=["sub-0", "sub-1", "sub-3"])
    split = Split(("sub-3",), ("sub-0",), ("sub-1",))
    dnsp.train(scans, tmp_path / "run", config=make_settings(), split=split, name="mine", resources=CPU)
    assert split_of(tmp_path / "run") == {"training": ["sub-3"], "test": ["sub-0"], "validation": ["sub-1"]}
    again = tmp_path / "run" / "split.json"
    dnsp.train(scans, tmp_path / "again", config=make_settings(), split=again, name="mine", resources=CPU)
    assert split_of(tmp_path / "again") == split_of(tmp_path / "run")
    assert (tmp_path / "again" / "log.csv").read_text() == (tmp_path / "run" / "log.csv").read_text()


def test_nobody_need_be_held_out(folder, make_settings, tmp_path):
    dnsp.train(folder, tmp_path / "run", config=make_settings(validation_subjects=0), resources=CPU)
    assert len(split_of(tmp_path / "run")["training"]) == 4
    with (tmp_path / "run" / "log.csv").open() as file:
        assert "psnr_db" not in next(csv.reader(file))


@pytest.fixture
def pairs(write_head, tmp_path):
    return [
        PairedScan(
            name, write_head(tmp_path / f"{name}-low.nii", seed=10 + n), write_head(tmp_path / f"{name}.nii", seed=n)
        )
        for n, name in enumerate("abc")
    ]


def test_registered_pairs_keep_their_grid(pairs, make_settings, tmp_path):
    model = dnsp.train(pairs, tmp_path / "run", config=make_settings(), registered=True, resources=CPU)
    card = load_model(model, trust="torch.nn:Conv2d").card
    assert card.scales == (1,)
    assert card.settings["pairs"]["degradation"] == "paired"


def test_pairs_are_registered_and_those_that_fail_are_left_out(pairs, make_settings, tmp_path, monkeypatch):
    """The registration itself has its own tests; this one is about what is asked of it and what becomes of its answer."""
    asked = []

    def register(given, folder, *, callback):
        asked.append((list(given), folder))
        callback.on_start(len(given))
        for pair in given:
            callback.on_job(pair.subject_id)
            callback.on_job_end(pair.subject_id, DataError("no overlap") if pair.subject_id == "b" else None)
        return [pair for pair in given if pair.subject_id != "b"]

    class Heard(TrainingCallback):
        def __init__(self):
            self.told = []

        def on_pairs_registered(self, done, total):
            self.told.append((done, total))

    heard = Heard()
    monkeypatch.setattr(cohort, "register_pairs", register)
    with pytest.warns(DataWarning, match=r"failed.csv: 1 of 3 pairs could not be registered and are left out"):
        dnsp.train(pairs, tmp_path / "run", config=make_settings(), resources=CPU, callbacks=[heard])
    assert asked == [(pairs, tmp_path / "run" / "registered")]
    assert heard.told == [(1, 3), (2, 3), (3, 3)]
    assert sorted(name for names in split_of(tmp_path / "run").values() for name in names) == ["a", "c"]
    monkeypatch.setattr(cohort, "register_pairs", lambda *_, **__: [])
    with pytest.raises(DataError, match=r"no pair could be registered; .*failed.csv says why"):
        dnsp.train(pairs, tmp_path / "other", config=make_settings(), resources=CPU)


@pytest.mark.parametrize("settings", [{"scale": 3}, {"degradation": "kspace"}])
def test_pairs_have_their_own_degradation(pairs, make_settings, tmp_path, settings):
    config = make_settings(pairs=PairSettings(slices_per_subject=3, **settings))
    with pytest.raises(SettingError, match="leave the degradation and the scale out"):
        dnsp.train(pairs, tmp_path / "run", config=config, registered=True, resources=CPU)


def test_a_cohort_that_cannot_be_used_is_one_line(folder, make_settings, tmp_path):
    with pytest.raises(DataError, match="none"):
        dnsp.train(tmp_path / "none", tmp_path / "run", config=make_settings())
    with pytest.raises(DataError, match="cannot hold out 4 of 4"):
        dnsp.train(folder, tmp_path / "run", config=make_settings(validation_subjects=4))
    with pytest.raises(DataError, match="no scan of subject x"):
        dnsp.train(folder, tmp_path / "run", config=make_settings(), split=Split(("x",), ()))


def test_what_is_missing_shows_before_the_cohort_is_read(tmp_path, make_settings):
    with pytest.raises(ModelError, match="nowhere"):
        dnsp.train(tmp_path / "none", tmp_path, config=make_settings(network_arguments={}, initial_model="nowhere"))
    with pytest.raises(SettingError, match="accelerator 'abacus' are not available"):
        dnsp.train(tmp_path / "none", tmp_path, config=make_settings(), resources=Resources(accelerator="abacus"))


# The patches of the learnable filters


def test_filter_patches_are_those_of_the_training_subjects(folder, make_settings, tmp_path):
    split = Split(("sub-1", "sub-2"), ("sub-0",), ("sub-3",))
    count = write_filter_patches(folder, tmp_path / "sheets", config=make_settings(), split=split)
    patches = read_patch_list(tmp_path / "sheets" / "patches.tsv")
    assert len(patches) == count == 2 * 3 * 2  # subjects, slices, kinds
    assert {patch.subject_id for patch in patches} == {"sub-1", "sub-2"}
    assert {patch.size for patch in patches} == {12}
    assert {path.name for path in (tmp_path / "sheets").iterdir()} == {"patches.tsv", "sharp.png", "smooth.png"}
    with pytest.raises(DataError, match="exists already"):
        write_filter_patches(folder, tmp_path / "sheets", config=make_settings(), split=split)
    assert write_filter_patches(folder, tmp_path / "sheets", config=make_settings(), split=split, overwrite=True)


def test_slices_without_candidates_are_refused_with_what_to_change(folder, make_settings, tmp_path):
    config = make_settings(filter_patches=dnsp.training.FilterPatchSettings(size=40, minimum_head=1.0))
    with pytest.raises(DataError, match=r"40 x 40 pixels; lower filter_patches\.size or filter_patches\.minimum_head"):
        write_filter_patches(
            [Scan("a", folder / "sub-0.nii.gz"), Scan("b", folder / "sub-1.nii.gz")], tmp_path / "x", config=config
        )
