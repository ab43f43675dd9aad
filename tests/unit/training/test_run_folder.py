"""The folder of a run: resumed, recognised, refused, and never a traceback for a damaged state."""

import csv
import random
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dnsp.data import Scan
from dnsp.errors import TrainingError
from dnsp.priors import LossSettings
from dnsp.training import FilterPatchSettings, OptimiserSettings, TrainingCallback, TrainingData
from dnsp.training.run_state import read_state, write_state

OLD_RUNS = Path(__file__).parent / "runs_of_dnsp_0_1"  # made by dnsp 0.1.0 on the heads of conftest.py


class StopError(Exception):
    pass


class StopAfter(TrainingCallback):
    """Stop a run after an epoch, as Ctrl-C would."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch(self, epoch, terms, psnr_db):
        if epoch == self.epoch:
            raise StopError


@pytest.fixture
def unfinished(run, tmp_path):
    """The state of a run that was stopped after its first epoch."""
    with pytest.raises(StopError):
        run("run", callbacks=[StopAfter(1)])
    return tmp_path / "run" / "state.safetensors"


def read_log(folder):
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def copy_old_run(name, tmp_path):
    return shutil.copytree(OLD_RUNS / name, tmp_path / name)


def test_a_stopped_run_reaches_the_same_weights_and_log(run, unfinished, tmp_path):
    whole = load_file(run("whole"))
    resumed = load_file(run("run"))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert read_log(tmp_path / "run") == read_log(tmp_path / "whole")


def test_a_run_that_was_stopped_between_its_last_state_and_its_log_gets_the_whole_log(run, tmp_path):
    model, log = run("run"), tmp_path / "run" / "log.csv"
    whole = log.read_text()
    for left in (whole.rpartition("\n")[0].rpartition("\n")[0] + "\n", None):  # without the last epoch; none at all
        model.unlink()
        log.unlink() if left is None else log.write_text(left)
        run("run")
        assert log.read_text() == whole


def test_an_unfinished_run_of_dnsp_0_1_resumes(run, tmp_path):
    copy_old_run("unfinished", tmp_path)
    resumed, whole = load_file(run("unfinished")), load_file(run("whole"))
    for name in whole:
        torch.testing.assert_close(resumed[name], whole[name], rtol=1e-5, atol=1e-7)
    logs = read_log(tmp_path / "unfinished"), read_log(tmp_path / "whole")
    assert len(logs[0]) == 3
    for old, new in zip(*logs, strict=True):
        assert {name: float(value) for name, value in old.items()} == pytest.approx(
            {name: float(value) for name, value in new.items()}, rel=1e-4
        )


def test_a_fixed_training_gives_the_weights_of_dnsp_0_1(run):
    old, new = load_file(OLD_RUNS / "finished" / "model.safetensors"), load_file(run("whole"))
    assert old.keys() == new.keys()
    for name in old:
        torch.testing.assert_close(new[name], old[name], rtol=1e-4, atol=1e-6)


def test_a_finished_run_of_dnsp_0_1_is_recognised(run, tmp_path):
    folder = copy_old_run("finished", tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    nowhere = [Scan(name, Path("nowhere.nii")) for name in "abc"]
    assert run("finished", on=TrainingData(nowhere[:2], nowhere[2:], name="made")) == folder / "model.safetensors"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_of_dnsp_0_1_with_rounded_images_is_not_resumed(run, tmp_path):
    copy_old_run("bfloat16", tmp_path)
    edsr = {"network": "edsr-small", "network_arguments": {"blocks": 1, "filters": 4}}
    with pytest.raises(TrainingError, match=r"holds a run with other settings.*network is 'torch.nn:Conv2d' there"):
        run("bfloat16", precision="bfloat16", **edsr)
    state = read_state(tmp_path / "bfloat16" / "state.safetensors")
    config = state.identity.config | edsr
    rewritten = load_file(tmp_path / "bfloat16" / "state.safetensors")
    metadata = {"run": msgspec.json.encode({"config": config, "data": state.identity.data}).decode(), "rows": "[]"}
    save_file(rewritten, tmp_path / "bfloat16" / "state.safetensors", metadata=metadata)
    with pytest.raises(TrainingError, match="bf16-mixed, which rounded the images too") as caught:
        run("bfloat16", precision="bfloat16", **edsr)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"seed": 1}, "config.seed is 0 there, 1 here"),
        ({"loss": LossSettings(form="paper")}, "config.loss.bounded_filters is True there, False here"),
        ({"optimiser": OptimiserSettings(epochs=4, batch_size=8)}, "config.optimiser.epochs is 3 there, 4 here"),
    ],
)
@pytest.mark.parametrize("folder", ["run", "unfinished"])
def test_a_folder_of_another_run_is_refused(run, unfinished, tmp_path, folder, changes, complaint):
    copy_old_run("unfinished", tmp_path)
    with pytest.raises(TrainingError, match="holds a run with other settings or subjects") as caught:
        run(folder, **changes)
    assert complaint in str(caught.value)


def test_what_the_form_chooses_may_also_be_written_out(run, unfinished):
    assert run("run", loss=LossSettings(reduction="mean", bounded_filters=True)).exists()


def test_another_subject_is_another_run(run, unfinished, data):
    with pytest.raises(TrainingError, match=r"data\.training_subjects is .*'a', 'b'.* there"):
        run("run", on=replace(data, training=data.training[:1]))


def test_the_content_of_the_patch_list_is_part_of_the_run_and_its_place_is_not(run, tmp_path):
    head = "keep\tkind\tsubject_id\tslice\ttop\tleft\tsize\n"
    lines = "yes\tsharp\ta\t0\t10\t10\t12\nyes\tsmooth\ta\t1\t12\t12\t12\n"
    (tmp_path / "first.tsv").write_text(head + lines)
    (tmp_path / "same.tsv").write_text(head + lines)
    (tmp_path / "other.tsv").write_text(head + lines.replace("10\t10", "11\t10"))

    def patches(name):
        return {"filter_patches": FilterPatchSettings(patch_list=str(tmp_path / name))}

    with pytest.raises(StopError):
        run("run", callbacks=[StopAfter(1)], **patches("first.tsv"))
    with pytest.raises(TrainingError, match=r"data\.patch_list"):
        run("run", **patches("other.tsv"))
    assert run("run", **patches("same.tsv")).exists()


# Damage


def change_metadata(path, **changes):
    with safe_open(path, framework="pt") as file:
        metadata = {**file.metadata(), **changes}
    save_file(load_file(path), path, metadata={name: text for name, text in metadata.items() if text is not None})


def change_tensors(path, change):
    state = read_state(path)
    change(state.tensors)
    write_state(path, state)


def flip_a_weight(path):
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {
    "emptied": lambda path: path.write_bytes(b""),
    "replaced by text": lambda path: path.write_text("state"),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-50]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "one bit of a weight": flip_a_weight,
    "another log": lambda path: change_metadata(path, rows='[{"epoch":1,"loss":0.0}]'),
    "no digest": lambda path: change_metadata(path, digest=None),
    "no settings": lambda path: change_metadata(path, run=None),
    "format 9": lambda path: change_metadata(path, format="9"),
    "format 1 with a digest": lambda path: change_metadata(path, format="1"),
    "format of letters": lambda path: change_metadata(path, format="two"),
    "0.1 with deep rows": lambda path: change_metadata(path, format="1", digest=None, rows="[" * 25_000),
    "0.1 with rows of text": lambda path: change_metadata(path, format="1", digest=None, rows='["epoch"]'),
    "0.1 with epochs out of order": lambda path: change_metadata(path, format="1", digest=None, rows='[{"epoch":2}]'),
    "0.1 without epochs": lambda path: change_metadata(path, format="1", digest=None, rows='[{"loss":2}]'),
    "0.1 with more epochs": lambda path: change_metadata(
        path, format="1", digest=None, rows=str([{"epoch": n} for n in range(1, 9)]).replace("'", '"')
    ),
    "0.1 with another kind of settings": lambda path: change_metadata(
        path, format="1", digest=None, run='{"config":3,"data":{}}'
    ),
    "0.1 with unknown settings": lambda path: change_metadata(
        path, format="1", digest=None, run='{"config":{"x":1},"data":{}}'
    ),
    "a weight missing": lambda path: change_tensors(path, lambda t: t.pop("network.network.weight")),
    "a weight of another shape": lambda path: change_tensors(
        path, lambda t: t.update({"network.network.weight": torch.zeros(1, 1, 5, 5)})
    ),
    "a moment missing": lambda path: change_tensors(path, lambda t: t.pop("optimiser.0.exp_avg")),
    "a moment of another shape": lambda path: change_tensors(
        path, lambda t: t.update({"optimiser.0.exp_avg": torch.zeros(3)})
    ),
    "a moment of no parameter": lambda path: change_tensors(
        path, lambda t: t.update({"optimiser.77.exp_avg": torch.zeros(3)})
    ),
    "a moment without a number": lambda path: change_tensors(
        path, lambda t: t.update({"optimiser.x.exp_avg": torch.zeros(3)})
    ),
    "filters missing": lambda path: change_tensors(path, lambda t: t.pop("loss.sharpness.weight")),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_state_is_refused_in_one_line(run, unfinished, damage):
    damage(unfinished)
    with pytest.raises(TrainingError) as caught:
        run("run")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith((str(unfinished), f"{unfinished.parent} holds a run"))
    assert "away" in line
    assert len(line) < 600


def test_random_damage_is_refused_or_harmless(run, unfinished):
    whole, draw = unfinished.read_bytes(), random.Random(0)  # noqa: S311
    sound = read_state(unfinished)
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(draw.choice([1, 1, 5])):
            content[draw.randrange(len(content))] = draw.randrange(256)
        if draw.random() < 0.2:
            del content[draw.randrange(len(content)) :]
        unfinished.write_bytes(bytes(content))
        try:
            state = read_state(unfinished)
        except TrainingError:
            continue
        assert state.rows == sound.rows
        assert all(torch.equal(state.tensors[name], tensor) for name, tensor in sound.tensors.items())
