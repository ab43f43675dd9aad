"""The paper's experiments: what each asks for, run cell by cell, into a folder that reports read."""

from dnsp.experiments.budgets import BUDGETS, Budget, BudgetName
from dnsp.experiments.cell import ImageRow, folder_of, is_finished, run_cell
from dnsp.experiments.data import DataKey, DataSet, find_data
from dnsp.experiments.partners import Partner, make_partner
from dnsp.experiments.plan import (
    EXPERIMENTS,
    METHODS,
    Cell,
    DatabaseConfig,
    Experiment,
    Planned,
    choose_experiments,
    data_needed,
    make_plan,
)
from dnsp.experiments.results import RunRecord, assemble
from dnsp.experiments.run import Outcome, run_cells

__all__ = [
    "BUDGETS",
    "EXPERIMENTS",
    "METHODS",
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
    "RunRecord",
    "assemble",
    "choose_experiments",
    "data_needed",
    "find_data",
    "folder_of",
    "is_finished",
    "make_partner",
    "make_plan",
    "run_cell",
    "run_cells",
]
