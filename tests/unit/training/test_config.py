"""Recipes: only what exists, only of the right kind, nothing silently ignored."""

from pathlib import Path

import pytest

from dnsp.errors import SettingError
from dnsp.training import TrainingConfig, read_recipe

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.toml"))


def write(folder, text):
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_the_paper_s():
    config = TrainingConfig()
    assert (config.pairs.slices_per_subject, config.pairs.sigma_px, config.pairs.scale) == (40, 1.0, 2)
    assert (config.patches.size, config.patches.per_slice * 400) == (40, 6400)
    assert (config.optimiser.batch_size, config.optimiser.epochs, config.optimiser.learning_rate) == (64, 50, 1e-4)
    assert 6400 // config.optimiser.batch_size == 100


def test_an_empty_recipe_changes_nothing(tmp_path):
    assert read_recipe(write(tmp_path, "")) == TrainingConfig()


def test_a_recipe_changes_what_it_names(tmp_path):
    config = read_recipe(write(tmp_path, 'seed = 3\n[optimiser]\nlearning_rate = 1\nschedule = "cosine"\n'))
    assert (config.seed, config.optimiser.learning_rate, config.optimiser.schedule) == (3, 1.0, "cosine")
    assert config.optimiser.epochs == 50


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sead = 3", "no setting is called 'sead'"),
        ("[optimiser]\nepoch = 3", "no setting is called 'epoch'"),
        ('seed = "3"', "seed must be of type int"),
        ("seed = true", "seed must be of type int"),
        ("optimiser = 3", "optimiser is a table"),
        ('[optimiser]\nschedule = "sine"', "schedule must be one of constant, cosine"),
        ("[optimiser]\nepochs = 0", "an epoch"),
        ("[pairs]\nscale = 5", "scale must be 2, 3 or 4, not 5"),
        ('network = "vdsr"', "no network is called 'vdsr'"),
        ("validation_subjects = -1", "validation_subjects must not be negative"),
        ("fraction = 0.0", "fraction must be above 0"),
        ('[pairs]\ndegradation = "low-field"', "keeps the grid: scale must be 1, not 2"),
        ('[pairs]\ndegradation = "low-field"\nscale = 1', "needs a table pairs.low_field"),
        ("[pairs.low_field]\nrepetition_time_ms = 2000", "low_field lacks echo_time_ms, flip_angle_deg"),
        ("[pairs.low_field]\ntr = 2000", "no setting is called 'tr'"),
        ('[pairs.low_field]\necho_time_ms = "3"', "echo_time_ms must be a number"),
        ("[pairs]\nlow_field = 3", "low_field is a table"),
        ("seed = ", "not a readable TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(tmp_path, text, complaint):
    path = write(tmp_path, text)
    with pytest.raises(SettingError, match=complaint) as caught:
        read_recipe(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_is_refused(tmp_path):
    with pytest.raises(SettingError, match="not a readable TOML"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_of_the_repository_are_valid(path):
    assert read_recipe(path) != TrainingConfig()
