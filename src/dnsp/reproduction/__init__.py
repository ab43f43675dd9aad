"""The paper's experiments: what each asks for, run cell by cell, into a folder that reports read."""

from dnsp.reproduction.assemble import assemble
from dnsp.reproduction.budgets import BUDGETS, Budget, BudgetName
from dnsp.reproduction.cell import Cell, DatabaseConfig
from dnsp.reproduction.data import DataKey, DataSet, find_data
from dnsp.reproduction.plan import (
    EXPERIMENTS,
    Experiment,
    Planned,
    choose_experiments,
    data_needed,
    make_plan,
    methods_of,
)
from dnsp.reproduction.quality import Quality, measure_quality
from dnsp.reproduction.run import Outcome, run_cells
from dnsp.reproduction.run_cell import ImageRow, folder_of, is_finished, run_cell
from dnsp.reproduction.run_record import RunRecord
from dnsp.reproduction.simulated_pairs import Partner, make_partner, register_partner
from dnsp.reproduction.variants import Variant, change_loss

__all__ = [
    "BUDGETS",
    "EXPERIMENTS",
    "Budget",
    "BudgetName",
    "Cell",
    "DataKey",
    "DataSet",
    "DatabaseConfig",
    "Experiment",
    "ImageRow",
    "Outcome",
    "Partner",
    "Planned",
    "Quality",
    "RunRecord",
    "Variant",
    "assemble",
    "change_loss",
    "choose_experiments",
    "data_needed",
    "find_data",
    "folder_of",
    "is_finished",
    "make_partner",
    "make_plan",
    "measure_quality",
    "methods_of",
    "register_partner",
    "run_cell",
    "run_cells",
]
