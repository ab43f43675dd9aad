"""What each experiment asks for, which cells they share, and what the name of a cell follows from."""

from collections import Counter
from dataclasses import replace

import pytest

from dnsp.errors import DataError, SettingError
from dnsp.reproduction import (
    BUDGETS,
    EXPERIMENTS,
    PAIRED_KEYS,
    EvidenceExperiment,
    Trainings,
    Variant,
    change_loss,
    choose_experiments,
    data_needed,
    make_plan,
)
from dnsp.training import TrainingConfig

PAPER = BUDGETS["paper"]
EVIDENCE_BUDGET = BUDGETS["evidence"]


@pytest.fixture
def whole_plan(make_data):
    return make_plan(PAPER, make_data(), experiments=EXPERIMENTS)


def test_the_papers_plan_has_as_many_cells_as_counted_by_hand(make_data, whole_plan):
    sizes = {one: len(make_plan(PAPER, make_data(), experiments=[one])) for one in EXPERIMENTS}
    assert sizes == {
        "table1": 2 * (5 + len(PAPER.chosen)) * 5,  # data sets, variants, seeds
        "table2": 2 * 9 * 3,  # data sets, methods (LRTV twice), scales
        "table3": 1 + 3 * 3,  # the input; methods, seeds
        "table4": 2 * 3 * 5,  # data sets, methods, draws
        "table5": 2 * 2 * 5,
        "figure9": 2 * 6 * 5,
        "figure15": 2 * (6 + len(PAPER.chosen)) * 4 * 3,  # data sets, methods that learn, fractions, seeds
        "crossvalidation": (1 + len(PAPER.cross_validated)) * 3,  # no prior and variants, folds
        "confirmation": (1 + len(PAPER.chosen)) * 10,  # no prior and what was chosen, seeds
    }
    # Shared: EDSR NP and AP at x2 (4), the draws of AP (10), all variants and SRCNN of one seed (50 + 2), all of x2 with one
    # seed (12), and with two more seeds EDSR NP and AP (8) and SRCNN (4); three seeds of what was chosen (6), and five of
    # the confirmation (5 and 5).
    assert len(whole_plan) == sum(sizes.values()) - 4 - 10 - 52 - 12 - 8 - 4 - 6 * len(PAPER.chosen) - 5 - 5 * len(
        PAPER.chosen
    )
    assert len(whole_plan) == 257 + 6 + 20 + (10 + 24 - 6 + 5) * len(PAPER.chosen) + sizes["crossvalidation"]


def test_a_cell_that_experiments_share_is_there_once(whole_plan):
    ids = [planned.cell.id for planned in whole_plan]
    assert len(set(ids)) == len(ids)
    (shared,) = (planned for planned in whole_plan if planned.cell.id.startswith("adni-x2-edsr-AP-100-seed0-"))
    assert shared.experiments == ("table1", "table2", "figure9", "figure15")


def test_the_name_of_a_cell_follows_from_every_setting_and_from_nothing_else(make_data):
    def identity(budget=PAPER, data=None, experiments=("table1",)):
        plan = make_plan(budget, data or make_data(), experiments=experiments)
        return next(one.cell.id for one in plan if one.cell.method == "edsr-AP" and one.cell.dataset == "adni")

    same = identity()
    assert identity() == same
    assert identity(experiments=EXPERIMENTS) == same
    assert identity(replace(PAPER, name="other", seeds=(0, 7), scales=(2,))) == same
    for other in (
        replace(PAPER, test_slices_per_subject=39),
        replace(PAPER, loss=replace(PAPER.loss, alpha=2e-5)),
        replace(PAPER, optimiser=replace(PAPER.optimiser, epochs=49)),
        replace(PAPER, subjects_per_side=9),
        replace(PAPER, edsr="edsr-small"),
    ):
        assert identity(other) != same
    assert identity(data=make_data(digest="other")) != same


def test_methods_that_do_not_learn_are_run_once_for_all_seeds(make_data):
    plan = make_plan(replace(PAPER, seeds_elsewhere=5), make_data(), experiments=["table2"])
    counted = {
        method: sum(one.cell.method == method for one in plan)
        for method in ("bicubic", "lrtv", "lrtv-tuned", "edsr-NP")
    }
    assert counted == {"bicubic": 6, "lrtv": 6, "lrtv-tuned": 6, "edsr-NP": 30}


def test_no_subject_is_on_two_sides_and_cohorts_are_split_by_name(whole_plan):
    for planned in whole_plan:
        split = planned.cell.split
        assert len({*split.training, *split.test, *split.validation}) == sum(
            map(len, (split.training, split.test, split.validation))
        )
        if planned.cell.dataset in PAIRED_KEYS:
            assert (len(split.training), len(split.test)) == (0 if planned.cell.method == "input" else 5, 10)
        elif not planned.cell.is_fold:
            assert split.test == tuple(f"{number:02d}" for number in range(11, 21))
    for key in PAIRED_KEYS:
        found = [one.cell for one in whole_plan if one.cell.method == "edsr-TVLR" and one.cell.dataset == key]
        assert len({cell.split for cell in found}) == len(found) == 5


def test_a_cross_validation_splits_the_training_subjects_and_never_sees_a_test_subject(make_data):
    plan = make_plan(PAPER, make_data(), experiments=["crossvalidation"])
    training = {f"{number:02d}" for number in range(1, 11)}
    for method in {planned.cell.method for planned in plan}:
        folds = [planned.cell.split for planned in plan if planned.cell.method == method]
        assert sorted(name for fold in folds for name in fold.test) == sorted(training)
        assert all({*fold.training, *fold.test} == training and not fold.validation for fold in folds)


def trained_on(plan, dataset="adni"):
    cells = [planned for planned in plan if isinstance(planned.cell.settings, TrainingConfig)]
    return [planned for planned in cells if planned.cell.dataset == dataset and not planned.cell.is_fold]


def test_the_papers_counts_are_exact_with_and_without_a_validation_subject(make_data):
    for count in (20, 21):
        plan = trained_on(make_plan(PAPER, make_data(count), experiments=EXPERIMENTS))
        assert plan
        for planned in plan:
            config, split = planned.cell.settings, planned.cell.split
            slices = len(split.training) * config.pairs.slices_per_subject
            patches = slices * config.patches.per_slice
            assert (slices, patches, patches / config.optimiser.batch_size) == (400, 6400, 100)
            assert not set(split.validation) & {*split.training, *split.test}
            assert config.validation_subjects == len(split.validation)
            plotted = {"figure9", "table1"} & set(planned.experiments)
            if count == 20:
                assert not split.validation
            elif plotted:
                assert split.validation == ("21",)
            elif planned.cell.fraction < 1 or planned.cell.scale != 2:
                assert not split.validation


def test_a_budget_may_take_its_validation_subject_from_the_training_subjects(make_data):
    cpu = BUDGETS["cpu"]
    (held_out,) = {p.cell.split.validation for p in trained_on(make_plan(cpu, make_data(), experiments=["table1"]))}
    for planned in trained_on(make_plan(cpu, make_data(), experiments=EXPERIMENTS)):
        assert len(planned.cell.split.training) == 9
        assert not set(held_out) & set(planned.cell.split.training)


def test_variants_have_names_of_their_own_and_change_what_they_say():
    assert len(PAPER.variants) == len({variant.name for variant in PAPER.variants.values()})
    assert {"NP", "LR", "FS", "LS", "AP", "TVLR"} <= PAPER.variants.keys()
    variant = Variant(prior="AP", form="matched", unbounded_filters=True, low_rank=0.1, sharpness=10)
    assert variant.name == "AP_matched_unbounded_alpha0.1_beta10"
    changed = change_loss(PAPER.loss, variant)
    assert (changed.prior, changed.form, changed.bounds_filters) == ("AP", "matched", False)
    assert not changed.sums_pixels
    assert (changed.alpha, changed.beta, changed.gamma) == pytest.approx((1e-6, 5e-2, 1e-7))
    assert change_loss(PAPER.loss, Variant(prior="LR")) == replace(PAPER.loss, prior="LR")
    printed = change_loss(PAPER.loss, Variant(prior="AP", form="paper"))
    assert (printed.form, printed.bounds_filters, printed.sums_pixels) == ("paper", False, True)
    assert Variant(prior="AP", form="paper").name == "AP_paper"
    with pytest.raises(SettingError, match="factor of a weight must be above 0"):
        Variant(prior="LR", low_rank=0.0)


def test_the_paper_budget_is_the_papers(whole_plan):
    configs = {
        planned.cell.dataset: planned.cell.settings
        for planned in whole_plan
        if isinstance(planned.cell.settings, TrainingConfig) and planned.cell.method == "edsr-AP"
    }
    for dataset, config in configs.items():
        assert config.network == "edsr-paper"
        assert (config.optimiser.epochs, config.optimiser.batch_size, config.optimiser.learning_rate) == (50, 64, 1e-4)
        assert (config.optimiser.schedule, config.loss.alpha, config.loss.beta) == ("constant", 1e-5, 5e-3)
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
    assert choose_experiments([], data, PAPER) == list(EXPERIMENTS)
    assert choose_experiments([], {"pairs-3t3t": data["pairs-3t3t"]}, PAPER) == ["table4", "table5"]
    assert choose_experiments(["figure15", "table1"], data, PAPER) == ["table1", "figure15"]
    assert data_needed(["table3", "table4"], PAPER) == {"low-field", *PAIRED_KEYS}
    assert choose_experiments([], data, EVIDENCE_BUDGET) == ["A", "B", "D1", "D2", "E1", "E4", "C", "F"]
    assert choose_experiments(["D", "E4"], data, EVIDENCE_BUDGET) == ["D1", "D2", "E4"]
    assert data_needed([], EVIDENCE_BUDGET) == {"adni"}


def test_what_cannot_be_planned_is_refused(make_data):
    with pytest.raises(SettingError, match=r"no experiment of the paper budget is called 'table9'; there are: table1,"):
        data_needed(["table9"], PAPER)
    with pytest.raises(
        SettingError, match=r"no experiment of the evidence budget is called 'table1'; there are: A, B, D1"
    ):
        choose_experiments(["table1"], make_data(), EVIDENCE_BUDGET)
    with pytest.raises(SettingError, match="table3 needs low-field data"):
        choose_experiments(["table3"], {"brainweb": make_data()["brainweb"]}, PAPER)
    with pytest.raises(SettingError, match=r"no method is called 'espcn'; there are: bicubic,"):
        make_plan(PAPER, make_data(), experiments=["table1"], methods=["espcn"])
    with pytest.raises(SettingError, match="nothing to do"):
        make_plan(PAPER, make_data(), experiments=["table1"], methods=["lrtv"])
    with pytest.raises(DataError, match="5 training and 10 test subjects are more than the 12 subjects of the cohort"):
        make_plan(PAPER, make_data(12), experiments=["table4"])
    for subjects in (0, 11):
        with pytest.raises(SettingError, match="training_subjects must be from 1 to 10"):
            replace(PAPER, training_subjects=subjects)
    with pytest.raises(SettingError, match="some training subjects must be left"):
        replace(PAPER, validation_from="training", validation_subjects=10)
    for folds in (1, 11):
        with pytest.raises(SettingError, match="at least two folds"):
            replace(PAPER, folds=folds)
    for seeds in ((), (0, 0), (-1,)):
        with pytest.raises(SettingError, match="at least one seed"):
            replace(PAPER, seeds=seeds)


def evidence(make_data, name):
    """Give the trainings of an experiment: how many of each method, and the settings of one."""
    plan = make_plan(EVIDENCE_BUDGET, make_data(), experiments=[name])
    assert {planned.experiments for planned in plan} == {(name,)}
    methods = Counter(planned.cell.method for planned in plan)
    first = plan[0].cell
    config = first.settings
    assert config.precision == "float32"
    assert first.scale == 2
    assert first.split.test == tuple(f"{number:02d}" for number in range(11, 21))
    slices = round(len(first.split.training) * config.pairs.slices_per_subject * first.fraction)
    steps = config.optimiser.epochs * -(-slices * config.patches.per_slice // config.optimiser.batch_size)
    return methods, first, config, slices, steps


def test_experiment_a_is_the_cpu_run_in_single_precision_with_ten_seeds(make_data):
    methods, cell, config, _, steps = evidence(make_data, "A")
    assert methods == {f"edsr-{name}": 10 for name in ("NP", "LR", "AP", "AP_matched")}
    before = trained_on(make_plan(BUDGETS["cpu"], make_data(), experiments=["table1"]))[0].cell
    assert config == before.settings
    assert (cell.split, cell.images, steps) == (before.split, before.images, 360)


def test_experiment_b_is_srcnn_at_the_papers_own_settings(make_data):
    methods, cell, config, slices, steps = evidence(make_data, "B")
    assert methods == {"srcnn-NP": 4, "srcnn-AP": 4, "srcnn-AP_matched": 4, "srcnn-AP_paper": 1}
    assert (config.network, slices, slices * config.patches.per_slice, steps) == ("srcnn", 400, 6400, 5000)
    assert (config.optimiser.epochs, config.optimiser.learning_rate, config.optimiser.schedule) == (
        50,
        1e-4,
        "constant",
    )
    assert (config.patches.fresh_each_epoch, config.patches.augment) == (False, False)
    assert (len(cell.split.training), cell.images.slices_per_subject) == (10, 40)


def test_experiment_c_takes_2250_steps_of_64(make_data):
    methods, _, config, _, steps = evidence(make_data, "C")
    assert methods == {f"edsr-{name}": 3 for name in ("NP", "AP", "AP_matched")}
    assert (config.network, config.optimiser.batch_size, steps) == ("edsr-small", 64, 2250)


def test_experiment_d_has_few_slices_and_no_augmentation(make_data):
    for name, subjects, slices in (("D1", 1, 8), ("D2", 10, 40)):
        methods, cell, config, found, steps = evidence(make_data, name)
        assert methods == {f"edsr-{form}": 3 for form in ("NP", "AP", "AP_matched")}
        assert (len(cell.split.training), found, steps) == (subjects, slices, 900)
        assert (config.patches.fresh_each_epoch, config.patches.augment) == (False, False)
    assert cell.fraction == 0.1


def test_experiment_e_has_noise_in_training_and_test_images(make_data):
    for name, percent in (("E1", 1.0), ("E4", 4.0)):
        methods, cell, config, _, steps = evidence(make_data, name)
        assert methods == {f"edsr-{form}": 3 for form in ("NP", "LR", "TVLR", "AP", "AP_matched")}
        assert (config.pairs.noise_percent, cell.images.noise_percent, steps) == (percent, percent, 360)


def test_experiment_f_trains_nothing(make_data):
    assert make_plan(EVIDENCE_BUDGET, make_data(), experiments=["F"]) == []


def test_an_experiment_without_a_reference_is_refused():
    with pytest.raises(SettingError, match="experiment X: the first trainings must be without priors"):
        EvidenceExperiment(name="X", question="", trainings=(Trainings(Variant(prior="AP"), 1),))
    with pytest.raises(SettingError, match="experiment X: every variant needs at least one seed"):
        EvidenceExperiment(name="X", question="", trainings=(Trainings(Variant(prior="NP"), 0),))
