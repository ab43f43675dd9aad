"""Settings and recipes: only what exists, only values that can be meant, and one line for everything else."""

import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dnsp.errors import SettingError
from dnsp.priors import LossSettings
from dnsp.training import (
    FilterPatchSettings,
    OptimiserSettings,
    PairSettings,
    PatchSettings,
    Resources,
    TrainingConfig,
    make_config,
)

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.toml"))


@pytest.fixture
def write(tmp_path):
    def write_recipe(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_recipe


def test_defaults_are_the_paper_s():
    config = TrainingConfig()
    assert (config.pairs.slices_per_subject, config.pairs.sigma_px, config.pairs.scale) == (40, 1.0, 2)
    assert (config.patches.size, config.patches.per_slice * 400) == (40, 6400)
    assert (config.optimiser.batch_size, config.optimiser.epochs, config.optimiser.learning_rate) == (64, 50, 1e-4)
    assert 6400 // config.optimiser.batch_size == 100
    assert config.filter_patch_size == 40


def test_an_empty_recipe_changes_nothing(write):
    assert make_config(write("")) == TrainingConfig() == make_config()


def test_a_recipe_changes_what_it_names_and_changes_change_the_recipe(write):
    path = write('seed = 3\n[optimiser]\nlearning_rate = 1\nschedule = "cosine"\n[loss]\nprior = "LR"\n')
    config = make_config(str(path))
    assert (config.seed, config.optimiser.learning_rate, config.optimiser.schedule) == (3, 1.0, "cosine")
    assert config.optimiser.epochs == 50
    changed = make_config(
        path, {"optimiser": {"epochs": 2, "schedule": None}, "seed": None, "loss": {"form": "matched"}}
    )
    assert changed == replace(
        config, optimiser=replace(config.optimiser, epochs=2), loss=LossSettings(prior="LR", form="matched")
    )


def test_what_a_configuration_says_can_be_read_again():
    config = make_config(changes={"network": "dcsrn", "network_arguments": {"growth": 4}, "loss": {"form": "paper"}})
    settings = config.to_dict()
    assert (settings["loss"]["reduction"], settings["loss"]["bounded_filters"]) == ("sum", False)
    assert make_config(changes=settings).to_dict() == settings


def test_arguments_change_a_named_network():
    config = make_config(changes={"network": "edsr-small", "network_arguments": {"blocks": 3}})
    assert config.network_description.arguments["blocks"] == 3
    assert config.network_description.arguments["filters"] == 32  # the preset's own


WRONG = [
    ("sead = 3", "no setting is called 'sead'; choose from network, network_arguments"),
    ("[optimiser]\nepoch = 3", "no setting is called 'optimiser.epoch'; choose from epochs, batch_size"),
    ("[pairs.low_field]\ntr = 2000", "no setting is called 'pairs.low_field.tr'"),
    ('seed = "3"', "seed must be a whole number of at least 0 and up to"),
    ("seed = true", "seed must be a whole number"),
    ("seed = -1", "seed must be a whole number of at least 0.*not -1"),
    ("seed = 99999999999999999999999", "seed must be a whole number"),
    ("optimiser = 3", "optimiser must be a table of settings, not 3"),
    ("network_arguments = 3", "network_arguments must be a table of settings, not 3"),
    ('[optimiser]\nschedule = "sine"', "optimiser.schedule must be one of constant, cosine, not 'sine'"),
    ("[optimiser]\nepochs = 0", "optimiser.epochs must be a whole number of at least 1.*not 0"),
    ("[optimiser]\nepochs = 2.0", "optimiser.epochs must be a whole number.*not 2.0"),
    ("[optimiser]\nlearning_rate = 1e300", "optimiser.learning_rate must be a number above 0 and up to 10, not 1e.300"),
    ("[optimiser]\nlearning_rate = nan", "optimiser.learning_rate must be a number above 0.*not nan"),
    ("[patches]\nper_slice = 0", "patches.per_slice must be a whole number of at least 1 and up to 10000, not 0"),
    ("[patches]\nper_slice = 1000000000", "patches.per_slice must be .* up to 10000, not 1000000000"),
    ("[patches]\nper_slice = 1e9", "patches.per_slice must be a whole number"),
    ("[patches]\nsize = 1000000000", "patches.size must be"),
    ("[patches]\naugment = 1", "patches.augment must be true or false, not 1"),
    ("[pairs]\nscale = 5", "pairs.scale must be a whole number of at least 1 and up to 4, not 5"),
    ("[pairs]\nscale = 1", "with degradation blur, scale must be 2 or 3 or 4, not 1"),
    ("[pairs]\nsigma_px = inf", "pairs.sigma_px must be a number of at least 0 and up to 100, not inf"),
    ("[pairs]\nsigma_px = 1e5", "pairs.sigma_px must be"),
    ("[pairs]\nkernel_a = nan", "pairs.kernel_a must be a number of at least -3 and up to 0, not nan"),
    ("[pairs]\ndepth = 1000000000", "pairs.depth must be"),
    ("[pairs]\nslices_per_subject = 1000000000", "pairs.slices_per_subject must be"),
    ('[pairs]\nplane = "oblique"', "pairs.plane must be one of axial, coronal, sagittal, not 'oblique'"),
    ('[pairs]\ndegradation = "low-field"\nscale = 2', "with degradation low-field, scale must be 1, not 2"),
    ('[pairs]\ndegradation = ["blur"]', "pairs.degradation must be one of blur, kspace, low-field, paired"),
    ('[pairs]\ndegradation = "low-field"', "needs a table pairs.low_field"),
    ("[pairs.low_field]\nrepetition_time_ms = 2000", "pairs.low_field needs echo_time_ms, flip_angle_deg"),
    (
        '[pairs.low_field]\nrepetition_time_ms=1\necho_time_ms="3"\nflip_angle_deg=1',
        "echo_time_ms must be a number, not",
    ),
    ("[pairs]\nlow_field = 3", "pairs.low_field must be a table of settings, not 3"),
    ('[loss]\nprior = "XX"', "loss.prior must be one of NP, LR, FS, LS, AP, TVLR, not 'XX'"),
    ("[loss]\ndelta = 1e300", "delta must be from"),
    ("[loss]\nalpha = -1.0", "alpha must be"),
    ("[loss]\nfilters = 1000000000", "filters must be from 1 to 1024"),
    ('[loss]\nreduction = "max"', "loss.reduction must be one of mean, sum, not 'max'"),
    ("[filter_patches]\nsize = 2", "filter_patches.size must be a whole number of at least 3"),
    ("[filter_patches]\nminimum_head = 1.5", "filter_patches.minimum_head must be a number of at least 0 and up to 1"),
    ('network = "vdsr"', "no network is called 'vdsr'"),
    ('network = "srcnn"\n[network_arguments]\nside = 3', "has no argument 'side'"),
    ('network = "edsr-small"\n[network_arguments]\nblocks = 1000000', "blocks must be"),
    ('network = "srcnn"\nnetwork_size_multiple = 8', "network_size_multiple is for networks of your own"),
    ('network = "srcnn"\ninitial_model = "edsr-small"', "initial_model states its network: leave network out"),
    ('initial_model = "edsr-small"\n[network_arguments]\nblocks = 3', "initial_model states its network: leave"),
    ("validation_subjects = -1", "validation_subjects must be a whole number of at least 0"),
    ("fraction = 0.0", "fraction must be a number above 0 and up to 1, not 0.0"),
    ("fraction = nan", "fraction must be a number above 0 and up to 1, not nan"),
    ('precision = "float8"', "precision must be one of float32, bfloat16, not 'float8'"),
    ('network = "dcsrn-3d"\n[pairs]\ndepth = 4', "learnable filters are for slices"),
    ("seed = ", "not a readable TOML"),
    ("seed = 1\nseed = 2", "not a readable TOML"),
    ("a = " + "[" * 25_000 + "]" * 25_000, "not a readable TOML recipe .tables too deep"),
    ("a = " + "{b=" * 10_000 + "1" + "}" * 10_000, "not a readable TOML recipe .tables too deep"),
    (".".join(["a"] * 25_000) + " = 1", "a key has more than 100 dots"),
    ("[" + ".".join(["a"] * 25_000) + "]", "a key has more than 100 dots"),
    (".".join(["a"] * 100) + " = 1", "no setting is called 'a'"),
    ("[patches]\nsize." + ".".join(["a"] * 99) + " = 1", "patches.size must be a whole number"),
    (f'network = "{"x" * 50_000}"', "no network is called"),
    ("# a comment\n" * 6000, "larger than 64 KiB"),
    ("\0", "not a readable TOML"),
]


@pytest.mark.parametrize(("text", "complaint"), WRONG, ids=[text[:40].strip() for text, _ in WRONG])
def test_what_cannot_be_meant_is_refused_in_one_line_within_a_second(write, text, complaint):
    path = write(text)
    started = time.perf_counter()
    with pytest.raises(SettingError, match=complaint) as caught:
        make_config(path)
    assert time.perf_counter() - started < 1
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "make",
    [
        lambda: OptimiserSettings(epochs=0),
        lambda: OptimiserSettings(learning_rate=float("nan")),
        lambda: PatchSettings(per_slice=0),
        lambda: PairSettings(degradation="smear"),
        lambda: PairSettings(sigma_px=float("inf")),
        lambda: FilterPatchSettings(minimum_head=2.0),
        lambda: TrainingConfig(seed=-1),
        lambda: TrainingConfig(patches=PairSettings()),
        lambda: replace(TrainingConfig(), precision="bf16-mixed"),
        lambda: Resources(workers=0),
    ],
)
def test_settings_are_checked_in_python_too(make):
    with pytest.raises(SettingError, match="must be"):
        make()


def test_a_recipe_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.toml", tmp_path, tmp_path / "binary.toml", tmp_path / ("x" * 300)):
        with pytest.raises(SettingError, match="not a readable TOML") as caught:
            make_config(path)
        assert "\n" not in str(caught.value)


def test_the_changes_are_to_blame_where_they_are_wrong(write):
    path = write('network = "srcnn"\n')
    with pytest.raises(SettingError) as caught:
        make_config(path, {"optimiser": {"epochs": 0}})
    assert str(caught.value).startswith("optimiser.epochs must be")
    with pytest.raises(SettingError) as caught:
        make_config(write("seed = -1"), {"optimiser": {"epochs": 1}})
    assert str(caught.value).startswith(f"{path}: seed must be")


def test_an_initial_model_takes_the_place_of_the_recipe_s_network(write):
    path = write('network = "dcsrn"\nseed = 4\n[network_arguments]\ngrowth = 4\n')
    config = make_config(path, {"initial_model": "edsr-small"})
    assert (config.initial_model, config.network_arguments, config.seed) == ("edsr-small", {}, 4)
    own = make_config(write('network = "mine:Sharpen"\n'), {"initial_model": "model.safetensors"})
    assert own.network == "mine:Sharpen"  # it names the class that is trusted
    with pytest.raises(SettingError, match="leave network out"):
        make_config(changes={"initial_model": "edsr-small", "network": "dcsrn"})


SEQUENCE = {"repetition_time_ms": 2000.0, "echo_time_ms": 30.0, "flip_angle_deg": 90.0}


@pytest.mark.parametrize(
    ("recipe", "change", "expected"),
    [
        ({}, {}, ("blur", 2)),
        ({"scale": 3}, {"degradation": "kspace"}, ("kspace", 3)),
        ({"scale": 3}, {"degradation": "low-field"}, ("low-field", 1)),
        ({"degradation": "low-field"}, {}, ("low-field", 1)),
        ({"degradation": "low-field"}, {"degradation": "blur"}, ("blur", 2)),
        ({"degradation": "low-field", "scale": 1}, {"degradation": "blur"}, ("blur", 2)),
        ({"degradation": "low-field", "scale": 1}, {"degradation": "blur", "scale": 4}, ("blur", 4)),
        ({"degradation": "paired"}, {"scale": None}, ("paired", 1)),
    ],
)
def test_a_degradation_brings_a_scale_that_fits(write, recipe, change, expected):
    lines = [f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}" for name, value in recipe.items()]
    sequence = [f"{name} = {value}" for name, value in SEQUENCE.items()]
    path = write("\n".join(["[pairs]", *lines, "[pairs.low_field]", *sequence]))
    pairs = make_config(path, {"pairs": change}).pairs
    assert (pairs.degradation, pairs.scale) == expected


OLD = """
precision = "bf16-mixed"
network = "edsr-small"
[objective]
preset = "LR"
form = "literal"
alpha = 2e-5
"""


def test_the_names_of_dnsp_0_1_are_read_with_one_warning(write):
    path = write(OLD)
    with pytest.warns(FutureWarning) as caught:
        config = make_config(path)
    assert config == TrainingConfig(precision="bfloat16", loss=LossSettings(prior="LR", form="balanced", alpha=2e-5))
    (warning,) = caught
    line = str(warning.message)
    assert line.startswith(f"{path}: ")
    for renamed in (
        "objective is now loss",
        "preset is now prior",
        "form literal is now balanced",
        "precision bf16-mixed",
    ):
        assert renamed in line
    assert "\n" not in line


def test_an_option_may_have_its_old_value(write):
    with pytest.warns(FutureWarning, match="^form literal is now balanced; version 0.3"):
        assert make_config(changes={"loss": {"form": "literal"}}).loss.form == "balanced"


@pytest.mark.parametrize("text", ['[objective]\n[loss]\nprior = "NP"', '[loss]\npreset = "NP"\nprior = "NP"'])
def test_old_and_new_name_together_are_refused(write, text):
    with pytest.raises(SettingError, match="is the old name of"):
        make_config(write(text))


def test_every_setting_has_a_place_in_a_recipe():
    assert make_config(changes=asdict(TrainingConfig())) == TrainingConfig()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_of_the_repository_are_valid_and_up_to_date(path):
    assert make_config(path) != TrainingConfig()
