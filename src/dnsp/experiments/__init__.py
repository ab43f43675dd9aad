"""The paper's experiments: what each asks for, run cell by cell, into a folder that reports read."""

from dnsp.experiments.budgets import BUDGETS, Budget, BudgetName
from dnsp.experiments.cell import Cell, DatabaseConfig
from dnsp.experiments.data import DataKey, DataSet, find_data
from dnsp.experiments.partners import Partner, make_partner, register_partner
from dnsp.experiments.plan import (
    EXPERIMENTS,
    Experiment,
    Planned,
    choose_experiments,
    data_needed,
    make_plan,
    methods_of,
)
from dnsp.experiments.quality import Quality, measure_quality
from dnsp.experiments.record import RunRecord
from dnsp.experiments.run import Outcome, run_cells
from dnsp.experiments.run_cell import ImageRow, folder_of, is_finished, run_cell
from dnsp.experiments.tables import assemble
from dnsp.experiments.variants import Variant, change_objective

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
    "change_objective",
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
