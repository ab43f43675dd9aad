"""The paper budget trains on the paper's numbers of slices, patches and steps, on real scans."""

import math

import pytest

from dnsp.data import choose_subjects
from dnsp.reproduction import BUDGETS, find_data, make_plan
from dnsp.training import Patches, cache_pairs

pytestmark = pytest.mark.shared_data


def test_the_paper_budget_trains_on_400_slices_6400_or_8000_patches_and_100_steps(shared, tmp_path):
    cohort, budget = shared / "data" / "ds002748", BUDGETS["paper"]
    keys = ["adni", "brainweb"]
    data = find_data(budget, keys=keys, cohort=cohort, heads=cohort, pairs={}, folder=tmp_path / "data")
    plan = make_plan(budget, data, experiments=["table1"], methods=["edsr-AP"])
    for dataset, patches_of_epoch in (("adni", 6400), ("brainweb", 8000)):
        cell = next(planned.cell for planned in plan if planned.cell.dataset == dataset)
        scans = choose_subjects(data[dataset].scans, cell.split.training)
        pairs = cache_pairs(scans, settings=cell.settings.pairs, folder=tmp_path / "cache", workers=2)
        assert [len(subject.reference) for subject in pairs] == [40] * 10
        patches = Patches(pairs, settings=cell.settings.patches, seed=0, epoch=0)
        assert len(patches) == patches_of_epoch
        assert math.ceil(len(patches) / cell.settings.optimiser.batch_size) == patches_of_epoch // 64
