# Everything a developer or CI calls. `make` alone lists the targets.

BIN := .venv/bin
STAMP := .venv/.setup-done
CELERY_55 := .venv-celery-5.5
# Test files go to so many processes, each with servers of its own, in the order of tests/conftest.py.
JOBS ?= 2
PARALLEL := --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

# A `uv` on PATH may be a shim that refuses in this folder: it counts only when it runs.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .venv-uv/bin/uv)
# Any Python that can make a venv may install uv; uv then finds or fetches Python 3.12.
BOOTSTRAP := $(shell for p in python3.12 python3; do $$p -c 'import venv, ensurepip' >/dev/null 2>&1 && echo $$p && break; done)

# The tests start hundreds of processes: without compiled modules each of them compiles its imports anew.
unexport PYTHONDONTWRITEBYTECODE

ifdef CI
export UV_PYTHON_DOWNLOADS := never
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-celery-5.5 lint fmt types imports check services-test acceptance faults soak mutants bench docs lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything in it (instant when nothing changed)

$(STAMP): pyproject.toml $(wildcard */pyproject.toml) .python-version $(filter .venv-uv/bin/uv,$(UV))
	$(UV) sync --all-packages --all-extras
	@touch $@

.venv-uv/bin/uv:
	@test -n "$(BOOTSTRAP)" || { echo "Python 3.12 with venv is needed (Debian: apt install python3.12-venv)" >&2; exit 1; }
	$(BOOTSTRAP) -m venv .venv-uv
	.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check uv

demo: setup ## Make sample documents, run the main job on them, show the result
	@$(BIN)/docfleet demo

dev: setup ## Start everything on this machine and stay (Ctrl-C stops it)
	@$(BIN)/docfleet dev

test: setup ## Run the tests (JOBS=2: in so many processes)
	$(BIN)/pytest $(PARALLEL)

acceptance: setup ## Run the tests that start the real processes
	$(BIN)/pytest tests/acceptance

services-test: setup ## Run the tests that need PostgreSQL and RabbitMQ; missing servers are an error
	REQUIRE_SERVICES=1 $(BIN)/pytest tests/integration tests/contract tests/acceptance

faults: setup ## Run the fault suite: real servers, kill -9 at named points (SHORT=1: what CI runs; FAULTS="-k NAME"; JOBS)
	REQUIRE_SERVICES=1 DOCFLEET_FAULT_SUITE=full $(BIN)/pytest $(PARALLEL) tests/faults $(if $(SHORT),-m short) $(FAULTS)

soak: setup ## Kill something every few seconds while executions run, then check them all (SECONDS=300 RUNS=200 LEG=redis|rabbitmq SEED=)
	DOCFLEET_FAULT_SUITE=full DOCFLEET_SOAK_SECONDS=$(or $(SECONDS),300) DOCFLEET_SOAK_RUNS=$(or $(RUNS),200) DOCFLEET_FAULT_SEED=$(SEED) \
		REQUIRE_SERVICES=1 $(BIN)/pytest -s --basetemp=/tmp/docfleet-soak tests/faults/test_soak.py $(if $(LEG),-k $(LEG))

mutants: setup ## For each guard: its test has to fail without it (MUTANTS="NAME ..." for some of them; JOBS=2 side by side)
	MUTANT_JOBS=$(JOBS) $(BIN)/python -m tests.faults.mutations $(MUTANTS)

test-celery-5.5: setup ## Run unit and acceptance tests with Celery 5.5.3 and the kombu and redis it asks for
	UV_PROJECT_ENVIRONMENT=$(CELERY_55) $(UV) sync --all-packages --all-extras --quiet
	$(UV) pip install --no-config --quiet --python $(CELERY_55)/bin/python 'celery[redis]==5.5.3'
	$(CELERY_55)/bin/python -c 'import celery; assert celery.__version__ == "5.5.3", celery.__version__'
	$(CELERY_55)/bin/pytest $(PARALLEL) tests/unit tests/acceptance $(TESTS)

lint: setup ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

fmt: setup ## Put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup ## Check types
	$(BIN)/mypy

imports: setup ## Check that imports flow one way
	$(BIN)/lint-imports

check: lint types imports test ## All of the above: what has to pass before a commit lands

bench: setup ## Measure; prints a table, writes bench/results.json (SHORT=1: smaller runs; BENCH="--only NAME")
	$(BIN)/python -m bench $(if $(SHORT),--short) $(BENCH)

docs: setup ## Write the pages of docs/reference from the code
	$(BIN)/python -m docs.generator

lock: $(filter .venv-uv/bin/uv,$(UV)) ## Pin the versions of the whole closure (UPGRADE=1: the newest ones)
	UV="$(UV)" $(BOOTSTRAP) deploy/lock.py $(if $(UPGRADE),--upgrade)

clean: ## Remove what was built, the data folder too
	rm -rf .venv .venv-uv .docfleet dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
