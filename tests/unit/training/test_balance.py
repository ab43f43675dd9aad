"""The balance of the terms on one's own data, with every kind of network."""

import pytest

from dnsp.errors import DataError, ModelError, SettingError
from dnsp.priors import LossSettings, SpatioStructuralLoss, gradient_norms
from dnsp.training import OptimiserSettings, PairSettings, Patches, make_pairs, measure_balance, shuffled_batches

TERMS = ["data", "low_rank", "sharpness", "total_variation"]


@pytest.fixture
def scans(data):
    return [*data.training]


def test_the_table_is_that_of_the_gradients(scans, make_settings):
    config = make_settings(loss=LossSettings(alpha=3e-5, delta=0.2), optimiser=OptimiserSettings(batch_size=8))
    table = measure_balance(scans, config=config, batches=2, ratio=0.2)
    assert [row.term for row in table] == TERMS
    assert [row.setting for row in table] == ["", "alpha", "beta", "total_variation_weight"]
    assert [row.weight for row in table] == [1.0, 3e-5, 5e-3, 2e-3]

    pairs = [make_pairs(scan, settings=config.pairs) for scan in scans]
    patches = Patches(pairs, settings=config.patches, seed=0, epoch=0)
    batches = list(shuffled_batches(patches, batch_size=8, seed=0, epoch=0))[:2]
    loss = SpatioStructuralLoss("LR", delta=0.2)
    norms = [gradient_norms(loss, (batch.enlarged + batch.reference) / 2, batch.reference) for batch in batches]
    assert table[0].norm == pytest.approx(sum(norm["data"] for norm in norms) / 2)
    assert table[1].norm == pytest.approx(sum(norm["low_rank"] for norm in norms) / 2)
    assert table[0].ratio == table[0].balanced_weight == 1.0
    for row in table[1:]:
        assert row.ratio == pytest.approx(row.weight * row.norm / table[0].norm)
        assert row.balanced_weight * row.norm == pytest.approx(0.2 * table[0].norm)


def test_the_form_chooses_the_data_term(scans, make_settings):
    mean, total = (
        measure_balance(scans, config=make_settings(loss=LossSettings(form=form)), batches=1)[0].norm
        for form in ("balanced", "paper")
    )
    assert total == pytest.approx(144 * mean, rel=1e-5)  # pixels of a patch


MODELS = {
    "lfmri": {"network": "lfmri", "network_arguments": {"filters": [4, 4, 4, 4]}},
    "dcsrn-3d": {
        "network": "dcsrn-3d",
        "network_arguments": {"growth": 4},
        "pairs": PairSettings(slices_per_subject=2, depth=4),
        "loss": LossSettings(prior="LR"),
    },
    "user": {},
}


@pytest.mark.parametrize("kind", list(MODELS))
def test_it_works_at_the_output_of_every_kind_of_network(scans, run, make_settings, kind):
    config = make_settings(**MODELS[kind])
    model = run("run", **MODELS[kind])
    if kind == "user":
        with pytest.raises(ModelError, match="trust"):
            measure_balance(scans, config=config, model=model)
    table = measure_balance(scans, config=config, model=model, trust="torch.nn:Conv2d", batches=2)
    assert [row.term for row in table] == TERMS
    halfway = measure_balance(scans, config=config, batches=2)
    assert table[0].norm != pytest.approx(halfway[0].norm, rel=1e-3)
    assert all(row.norm > 0 for row in [*table, *halfway])


def test_an_included_model_is_taken_at_the_scale_of_the_pairs(scans, make_settings):
    two, three = (
        measure_balance(
            scans, config=make_settings(pairs=PairSettings(slices_per_subject=3, scale=scale)), model="edsr-small"
        )
        for scale in (2, 3)
    )
    assert two[0].norm < three[0].norm  # less to err in


def test_what_cannot_be_balanced_is_refused(scans, make_settings, run, tmp_path):
    for ratio in (0.0, -1.0, float("nan")):
        with pytest.raises(SettingError, match="ratio must be positive"):
            measure_balance(tmp_path / "nowhere", ratio=ratio)
    with pytest.raises(DataError, match="nowhere"):
        measure_balance(tmp_path / "nowhere")
    stacks = run("run", **MODELS["dcsrn-3d"])
    with pytest.raises(SettingError, match="takes stacks"):
        measure_balance(scans, config=make_settings(), model=stacks)
