"""The table of modules and tests is complete, and a mutant differs from the code in one place."""

import ast
import importlib.util
from difflib import unified_diff
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("mutants", Path(__file__).with_name("mutants.py"))
mutants = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(mutants)


def test_every_module_of_the_parts_has_tests_that_exist():
    assert mutants.missing_modules() == []
    for files in mutants.TESTS.values():
        for file, tests in files.items():
            assert (mutants.ROOT / "src/dnsp" / file).is_file(), file
            assert all((mutants.ROOT / test).exists() for test in tests), tests


@pytest.mark.parametrize("file", ["io/text_files.py", "io/names.py", "acquisition/noise.py"])
def test_a_mutant_differs_in_one_place_and_says_where(file):
    source = (mutants.ROOT / "src/dnsp" / file).read_text()
    plain = ast.unparse(ast.parse(source)).splitlines()
    count = len(mutants.places_of(ast.parse(source)))
    assert count > 5
    texts = set()
    for number in range(count):
        text, line = mutants.mutate(source, number)
        compile(text, file, "exec")
        changed = [one for one in unified_diff(plain, text.splitlines(), n=0) if one[0] in "+-"][2:]
        assert len(changed) == 2, changed
        assert line.startswith("line ")
        texts.add(text)
    assert len(texts) == count
