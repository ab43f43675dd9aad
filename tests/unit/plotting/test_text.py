"""Names in figures are drawn as they are written."""

import warnings

import numpy as np
import pytest

from dnsp.plotting.contact_sheet import ContactPrint, draw_contact_sheet
from dnsp.plotting.text import as_plain_text

NAMES = ["sub-$x_1$", r"$\frac{1}{$", "$", r"a\$b", "a\x00b", "a\x1bb", "$\\undefined$"]


@pytest.mark.parametrize("name", NAMES)
def test_matplotlib_shows_the_name_and_no_formula(name):
    text = pytest.importorskip("matplotlib.text").Text(0, 0, as_plain_text(name))
    shown, is_formula = text._preprocess_math(text.get_text())
    assert not is_formula
    assert shown == name.replace("\x00", " ").replace("\x1b", " ")


@pytest.mark.parametrize("name", NAMES)
def test_a_sheet_with_such_a_name_is_drawn(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_contact_sheet([ContactPrint(np.zeros((4, 4)), name)], tmp_path / "sheet.png", title=name)
    assert (tmp_path / "sheet.png").stat().st_size > 500
