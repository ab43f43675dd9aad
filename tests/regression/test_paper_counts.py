"""The paper's numbers of slices, patches and steps come out of real scans exactly."""

import math

import pytest

from dnsp.data import choose_subjects, find_scans
from dnsp.training import (
    PairSettings,
    Patches,
    PatchSettings,
    Resources,
    TrainingCallback,
    TrainingConfig,
    TrainingData,
    cache_pairs,
    train_network,
)

pytestmark = pytest.mark.shared_data


@pytest.fixture
def scans(shared):
    return choose_subjects(find_scans(shared / "data" / "ds002748"), [f"{number:02d}" for number in range(1, 11)])


def test_ten_subjects_give_400_slices_and_6400_or_8000_patches(scans, tmp_path):
    pairs = cache_pairs(scans, settings=PairSettings(), folder=tmp_path, workers=2)
    assert [len(subject.reference) for subject in pairs] == [40] * 10
    assert len(Patches(pairs, settings=PatchSettings(), seed=0, epoch=0)) == 6400
    assert len(Patches(pairs, settings=PatchSettings(per_slice=20), seed=0, epoch=0)) == 8000


@pytest.mark.parametrize(("per_slice", "steps_per_epoch"), [(16, 100), (20, 125)])
def test_without_validation_an_epoch_has_100_or_125_steps(scans, tmp_path, per_slice, steps_per_epoch):
    class StopError(Exception):
        pass

    class Started(TrainingCallback):
        def on_start(self, counts, steps, done):
            self.counts, self.steps = counts, steps
            raise StopError

    started = Started()
    config = TrainingConfig(
        network="srcnn", patches=PatchSettings(per_slice=per_slice), validation_subjects=0, test_subjects=0
    )
    resources = Resources(accelerator="cpu", cache=tmp_path / "cache")
    with pytest.raises(StopError):
        train_network(TrainingData(scans), tmp_path / "run", config=config, resources=resources, callbacks=[started])
    assert started.counts == {"training_slices": 400, "validation_slices": 0, "patches": 400 * per_slice}
    assert started.steps == 50 * steps_per_epoch
    assert math.ceil(started.counts["patches"] / config.optimiser.batch_size) == steps_per_epoch
