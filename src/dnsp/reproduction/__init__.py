"""The paper's experiments, and those that decide its claim: run cell by cell, into a folder that reports read."""

from dnsp.reproduction.assemble import assemble
from dnsp.reproduction.budgets import BUDGETS, Budget, BudgetName
from dnsp.reproduction.cell import Cell, DatabaseConfig
from dnsp.reproduction.data import PAIRED_KEYS, DataKey, DataSet, find_data
from dnsp.reproduction.evidence import EVIDENCE, SCREEN, EvidenceExperiment, Trainings
from dnsp.reproduction.gradient_cosines import PriorGradient, measure_prior_gradients, screen_networks
from dnsp.reproduction.pipeline import Reproduction, reproduce
from dnsp.reproduction.plan import (
    EXPERIMENTS,
    PlannedCell,
    choose_experiments,
    data_needed,
    experiments_of,
    make_plan,
    methods_of,
)
from dnsp.reproduction.quality import Quality, measure_quality
from dnsp.reproduction.run import Outcome, run_cells
from dnsp.reproduction.run_cell import folder_of, is_finished, run_cell
from dnsp.reproduction.run_record import RunRecord
from dnsp.reproduction.simulated_pairs import LowQuality, register_low_quality, simulate_low_quality
from dnsp.reproduction.variants import Variant, change_loss

__all__ = [
    "BUDGETS",
    "EVIDENCE",
    "EXPERIMENTS",
    "PAIRED_KEYS",
    "SCREEN",
    "Budget",
    "BudgetName",
    "Cell",
    "DataKey",
    "DataSet",
    "DatabaseConfig",
    "EvidenceExperiment",
    "LowQuality",
    "Outcome",
    "PlannedCell",
    "PriorGradient",
    "Quality",
    "Reproduction",
    "RunRecord",
    "Trainings",
    "Variant",
    "assemble",
    "change_loss",
    "choose_experiments",
    "data_needed",
    "experiments_of",
    "find_data",
    "folder_of",
    "is_finished",
    "make_plan",
    "measure_prior_gradients",
    "measure_quality",
    "methods_of",
    "register_low_quality",
    "reproduce",
    "run_cell",
    "run_cells",
    "screen_networks",
    "simulate_low_quality",
]
