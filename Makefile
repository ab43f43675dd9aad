# Each target does all its own set-up on a machine that has Python 3.11 to 3.13 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# How many damaged inputs each test of the attack makes, and the first seed.
FUZZ ?= 10000
FUZZ_SEED ?= 0

# How many times the attack on runs stops one.
KILLS ?= 200

.PHONY: demo test lint coverage fuzz kills mutants clean

$(VENV)/demo.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[demo]'
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	touch $@

demo: $(VENV)/demo.stamp  ## Enhance a real brain scan, offline, and show what was gained.
	$(BIN)/dnsp demo --output demo_output --overwrite

lint: $(VENV)/dev.stamp  ## Lint, format, types and the import contract.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## Everything that CI runs.
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto

coverage: $(VENV)/dev.stamp  ## Lines and branches of src that no test runs.
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --cov --cov-report=term

fuzz: $(VENV)/dev.stamp  ## The attack, long: damaged files of every kind that is read.
	DNSP_FUZZ=$(FUZZ) DNSP_FUZZ_SEED=$(FUZZ_SEED) OMP_NUM_THREADS=1 $(BIN)/pytest -n auto tests/fuzz

kills: $(VENV)/dev.stamp  ## Stop runs at random moments, start them again, and compare.
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/kills.py --count $(KILLS) --seed $(FUZZ_SEED)

mutants: $(VENV)/dev.stamp  ## Break the code in random places, and list what no test notices.
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutation/mutants.py --seed $(FUZZ_SEED)

clean:
	rm -rf $(VENV) demo_output
