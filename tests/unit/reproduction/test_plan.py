"""What each experiment asks for, what they share, and what a cell is told apart by."""

from dataclasses import replace

import pytest

from dnsp.errors import DataError, SettingError
from dnsp.reproduction import (
    BUDGETS,
    EXPERIMENTS,
    Variant,
    change_objective,
    choose_experiments,
    data_needed,
    make_plan,
)
from dnsp.training import TrainingConfig

PAPER = BUDGETS["paper"]


@pytest.fixture
def whole_plan(make_data):
    return make_plan(PAPER, make_data(), experiments=EXPERIMENTS)


def test_the_papers_plan_has_as_many_cells_as_counted_by_hand(make_data, whole_plan):
    sizes = {one: len(make_plan(PAPER, make_data(), experiments=[one])) for one in EXPERIMENTS}
    assert sizes == {
        "table1": 2 * (5 + len(PAPER.chosen)) * 5,  # data sets, variants, seeds
        "table2": 2 * 8 * 3,  # data sets, methods, scales
        "table3": 1 + 3 * 3,  # the input; methods, seeds
        "table4": 3 * 5,  # methods, draws
        "table5": 2 * 5,
        "figure9": 2 * 6 * 5,
        "figure15": 2 * (6 + len(PAPER.chosen)) * 4 * 3,  # data sets, methods that learn, fractions, seeds
        "crossvalidation": (1 + len(PAPER.tried)) * 3,  # no prior and variants, folds
        "confirmation": (1 + len(PAPER.chosen)) * 10,  # no prior and what was chosen, seeds
    }
    # Shared: EDSR NP and AP at x2 (4), the draws of AP (5), all variants and SRCNN of one seed (50 + 2), all of x2 with one
    # seed (12), and with two more seeds EDSR NP and AP (8) and SRCNN (4); three seeds of what was chosen (6), and five of
    # the confirmation (5 and 5).
    assert len(whole_plan) == sum(sizes.values()) - 4 - 5 - 52 - 12 - 8 - 4 - 6 * len(PAPER.chosen) - 5 - 5 * len(
        PAPER.chosen
    )
    assert len(whole_plan) == 257 + (10 + 24 - 6 + 5) * len(PAPER.chosen) + sizes["crossvalidation"]


def test_a_cell_that_experiments_share_is_there_once(whole_plan):
    ids = [planned.cell.id for planned in whole_plan]
    assert len(set(ids)) == len(ids)
    (shared,) = (planned for planned in whole_plan if planned.cell.id.startswith("adni-x2-edsr-AP-100-seed0-"))
    assert shared.experiments == ("table1", "table2", "figure9", "figure15")


def test_a_cell_is_told_apart_by_everything_it_follows_from_and_by_nothing_else(make_data):
    def identity(budget=PAPER, data=None, experiments=("table1",)):
        plan = make_plan(budget, data or make_data(), experiments=experiments)
        return next(one.cell.id for one in plan if one.cell.method == "edsr-AP" and one.cell.dataset == "adni")

    same = identity()
    assert identity() == same
    assert identity(experiments=EXPERIMENTS) == same
    assert identity(replace(PAPER, name="other", seeds=(0, 7), scales=(2,))) == same
    for other in (
        replace(PAPER, test_slices_per_subject=39),
        replace(PAPER, objective=replace(PAPER.objective, alpha=2e-5)),
        replace(PAPER, optimiser=replace(PAPER.optimiser, epochs=49)),
        replace(PAPER, subjects_per_side=9),
        replace(PAPER, edsr="edsr-small"),
    ):
        assert identity(other) != same
    assert identity(data=make_data(digest="other")) != same


def test_methods_that_do_not_learn_are_run_once_for_all_seeds(make_data):
    plan = make_plan(replace(PAPER, seeds_elsewhere=5), make_data(), experiments=["table2"])
    counted = {method: sum(one.cell.method == method for one in plan) for method in ("bicubic", "lrtv", "edsr-NP")}
    assert counted == {"bicubic": 6, "lrtv": 6, "edsr-NP": 30}


def test_no_subject_stands_on_two_sides_and_cohorts_are_parted_by_name(whole_plan):
    for planned in whole_plan:
        split = planned.cell.split
        assert len({*split.training, *split.test, *split.validation}) == sum(
            map(len, (split.training, split.test, split.validation))
        )
        if planned.cell.dataset == "paired":
            assert (len(split.training), len(split.test)) == (0 if planned.cell.method == "input" else 5, 10)
        elif not planned.cell.is_fold:
            assert split.test == tuple(f"{number:02d}" for number in range(11, 21))
    draws = {one.cell.seed: one.cell.split for one in whole_plan if one.cell.method == "edsr-TVLR"}
    assert len(set(draws.values())) == 5


def test_a_cross_validation_parts_the_training_subjects_and_never_sees_a_test_subject(make_data):
    plan = make_plan(PAPER, make_data(), experiments=["crossvalidation"])
    training = {f"{number:02d}" for number in range(1, 11)}
    for method in {planned.cell.method for planned in plan}:
        folds = [planned.cell.split for planned in plan if planned.cell.method == method]
        assert sorted(name for fold in folds for name in fold.test) == sorted(training)
        assert all({*fold.training, *fold.test} == training and not fold.validation for fold in folds)


def test_one_subject_is_never_learned_from_and_measured_each_epoch_only_where_figure_9_plots_it(whole_plan):
    learning = [p for p in whole_plan if p.cell.dataset != "paired" and isinstance(p.cell.settings, TrainingConfig)]
    learning = [planned for planned in learning if not planned.cell.is_fold]
    (held_out,) = {name for planned in learning for name in planned.cell.split.validation}
    for planned in learning:
        assert len(planned.cell.split.training) == 9
        assert held_out not in planned.cell.split.training
        assert bool(planned.cell.split.validation) == planned.cell.settings.validation_subjects
        if {"figure9", "table1"} & set(planned.experiments):
            assert planned.cell.split.validation == (held_out,)
        elif planned.cell.fraction < 1 or planned.cell.scale != 2:
            assert not planned.cell.split.validation


def test_variants_are_told_apart_by_name_and_change_what_they_say():
    assert len(PAPER.variants) == len({variant.name for variant in PAPER.variants.values()})
    assert {"NP", "LR", "FS", "LS", "AP", "TVLR"} <= PAPER.variants.keys()
    variant = Variant(preset="AP", form="matched", bounded_filters=False, low_rank=0.1, sharpness=10)
    assert variant.name == "AP_matched_unbounded_alpha0.1_beta10"
    changed = change_objective(PAPER.objective, variant)
    assert (changed.preset, changed.form, changed.bounded_filters) == ("AP", "matched", False)
    assert (changed.alpha, changed.beta, changed.gamma) == pytest.approx((1e-6, 5e-2, 1e-7))
    assert change_objective(PAPER.objective, Variant(preset="LR")) == replace(PAPER.objective, preset="LR")
    with pytest.raises(SettingError, match="factor must be above 0"):
        Variant(preset="LR", low_rank=0.0)


def test_the_paper_budget_is_the_papers(whole_plan):
    configs = {
        planned.cell.dataset: planned.cell.settings
        for planned in whole_plan
        if isinstance(planned.cell.settings, TrainingConfig) and planned.cell.method == "edsr-AP"
    }
    for dataset, config in configs.items():
        assert config.network == "edsr-paper"
        assert (config.optimiser.epochs, config.optimiser.batch_size, config.optimiser.learning_rate) == (50, 64, 1e-4)
        assert (config.optimiser.schedule, config.objective.alpha, config.objective.beta) == ("constant", 1e-5, 5e-3)
        assert config.pairs.slices_per_subject == 40
        assert config.patches.per_slice == (20 if dataset == "brainweb" else 16)
        assert not config.patches.fresh_each_epoch
    assert configs["low-field"].fraction == 0.25


def test_fewer_slices_may_be_given_as_many_steps(make_data):
    def epochs(budget):
        plan = make_plan(budget, make_data(), experiments=["figure15"], methods=["edsr-NP"])
        return sorted({(one.cell.fraction, one.cell.settings.optimiser.epochs) for one in plan})

    assert epochs(PAPER) == [(0.25, 50), (0.5, 50), (0.75, 50), (1.0, 50)]
    assert epochs(replace(PAPER, same_steps=True)) == [(0.25, 200), (0.5, 100), (0.75, 67), (1.0, 50)]


def test_classical_methods_can_be_left_out(make_data):
    plan = make_plan(replace(PAPER, classical=False), make_data(), experiments=EXPERIMENTS)
    assert not {"srsw", "lrtv"} & {one.cell.method for one in plan}
    assert "bicubic" in {one.cell.method for one in plan}


def test_experiments_are_those_that_the_data_allow(make_data):
    data = make_data()
    assert choose_experiments([], data) == list(EXPERIMENTS)
    assert choose_experiments([], {"paired": data["paired"]}) == ["table4", "table5"]
    assert choose_experiments(["figure15", "table1"], data) == ["table1", "figure15"]
    assert data_needed(["table3", "table4"]) == {"low-field", "paired"}


def test_what_cannot_be_planned_is_refused(make_data):
    with pytest.raises(SettingError, match=r"no experiment is called 'table9'; there are: table1,"):
        data_needed(["table9"])
    with pytest.raises(SettingError, match="table3 needs low-field data"):
        choose_experiments(["table3"], {"brainweb": make_data()["brainweb"]})
    with pytest.raises(SettingError, match=r"no method is called 'espcn'; there are: bicubic,"):
        make_plan(PAPER, make_data(), experiments=["table1"], methods=["espcn"])
    with pytest.raises(SettingError, match="nothing to do"):
        make_plan(PAPER, make_data(), experiments=["table1"], methods=["lrtv"])
    with pytest.raises(DataError, match="5 training and 10 test subjects were asked for, there are 12"):
        make_plan(PAPER, make_data(12), experiments=["table4"])
    for folds in (1, 11):
        with pytest.raises(SettingError, match="at least two folds"):
            replace(PAPER, folds=folds)
    for seeds in ((), (0, 0), (-1,)):
        with pytest.raises(SettingError, match="at least one seed"):
            replace(PAPER, seeds=seeds)
