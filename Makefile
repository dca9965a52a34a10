# One environment, made here and only here. `make` says what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
BENCH_READY := $(VENV)/ready-bench
SLOW_READY := $(VENV)/ready-slow
LOWEST := $(VENV)-lowest
JOBS ?= 2
TEST_TOOLS := pytest pytest-xdist hypothesis
# Extras that install in a minute together; `boosting` as its packages, for XGBoost without its 800 MB for GPUs.
EXTRAS := dask,hydra,mlflow,optuna,plot,postgres,ray,slurm,tensorboard,wandb,yaml
BESIDE := catboost lightgbm xgboost-cpu ConfigSpace
OF_EXTRAS := tests/contract/test_remote_executors.py \
	$(addprefix tests/integration/test_,$(addsuffix .py,boosted callbacks dask hydra leakage \
	optuna_carried optuna_sampler postgres_store postgres_workers ray sklearn_search slurm tracking)) \
	$(addprefix tests/unit/test_,$(addsuffix .py,formats plots spaces_elsewhere))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check format test-slow test-lowest test-lowest-extras docs package coverage bench clean

help: ## show this list
	@echo "make TARGET [PYTHON=python3.12] [JOBS=2]"
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  %-12s %s\n", $$1, $$2}'

demo: $(READY) ## tune a real model on real data and write report.html
	$(BIN)/assay demo --report report.html

test: check ## check, then every fast test
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: $(READY) ## style, types and imports: what a change must pass first
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/architecture

format: $(READY) ## put the code into its one form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

test-slow: $(SLOW_READY) ## the long tests: published findings, coverage of intervals, kills
	$(BIN)/python -m pytest -m slow -n $(JOBS) --dist worksteal

test-lowest: ## the fast tests with the oldest versions that we promise to support
	@$(call need-python)
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet -c constraints-lowest.txt -e ".[all]" $(TEST_TOOLS)
	$(LOWEST)/bin/python -m pytest -n $(JOBS) --dist worksteal -W default tests/unit tests/contract

test-lowest-extras: ## the tests of the integrations with the oldest versions of their packages
	@$(call need-python)
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet -c constraints-lowest.txt -e ".[all,$(EXTRAS)]" $(BESIDE) $(TEST_TOOLS)
	$(LOWEST)/bin/python -m pytest -n $(JOBS) --dist worksteal -W default -rs $(OF_EXTRAS)

docs: $(READY) ## build the documentation in docs/build; a warning fails
	$(BIN)/python -m pip install --quiet -e ".[docs,optuna]"
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/build
	$(BIN)/python -m pytest -q tests/docs/test_site.py
	@echo "Open docs/build/index.html"

package: $(READY) ## build the wheel and try it in a clean environment
	$(BIN)/python -m pytest -q -m slow tests/slow/test_wheel.py

coverage: $(READY) ## which lines and branches the fast tests reach
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term

bench: $(BENCH_READY) ## CPU time and memory beside Optuna's
	$(BIN)/python -m benchmarks

clean: ## remove what was made, the environments too
	rm -rf $(VENV) $(LOWEST) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf dist .coverage .coverage.* htmlcov report.html assay-demo*
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@$(call need-python)
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); $(call no-venv); }
	$(BIN)/python -m pip install --quiet -e ".[all,dev]"
	@touch $@

$(SLOW_READY): $(READY)
	$(BIN)/python -m pip install --quiet -e ".[ray,proofs]" ipykernel jupyterlab nbclient
	@touch $@

$(BENCH_READY): $(READY)
	$(BIN)/python -m pip install --quiet -e ".[bench]"
	@touch $@

define need-python
command -v $(PYTHON) >/dev/null || { \
  echo "There is no '$(PYTHON)' here. Assay needs Python 3.11 or newer; name yours: make PYTHON=/path/to/python3" >&2; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "Assay needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V). Name another: make PYTHON=python3.12" >&2; exit 1; }
endef

define no-venv
echo "'$(PYTHON) -m venv' failed. On Debian or Ubuntu: apt-get install python3-venv, then make again." >&2; exit 1
endef
