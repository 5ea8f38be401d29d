# These do everything on a machine with Python 3.11, make and g++:
#   make repro      the pipeline, from nothing to verified firmware and tables
#   make test       lint, types and the quick tests
#   make test-all   the same, then the slow tests
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Not $(abspath): make would take a folder with a space for two.
ON_PATH := PATH="$$(cd $(BIN) && pwd):$$PATH"
PYTEST := $(ON_PATH) $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: repro test test-all lint types quick slow lock clean
.DELETE_ON_ERROR:

repro: $(INSTALLED)
	$(BIN)/python -m pipeline.params
	$(BIN)/python -m pipeline.repository
	$(ON_PATH) dvc repro

test: lint types quick

# One after the other, in this order, also under `make -j`.
test-all: test
	$(MAKE) slow

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

quick: $(INSTALLED)
	$(PYTEST) -m "not slow"

slow: $(INSTALLED)
	$(PYTEST) -m slow

# Every package by version and hash. Installed with --no-deps: the lock is complete,
# which `pip check` confirms.
$(INSTALLED): requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "error: Python 3.11 is needed, found " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip check
	touch $@

# After a change of the dependencies in pyproject.toml.
lock: $(INSTALLED)
	$(BIN)/uv pip compile pyproject.toml --group dev --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .search .stack .stack
