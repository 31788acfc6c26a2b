# Every command makes the environment it needs; a second run reuses it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo dev test nightly lint bench docs statistics lock clean

BIN := .venv/bin
# Some machines switch byte code off, and then every process compiles every library again.
export PYTHONDONTWRITEBYTECODE :=
export UV_COMPILE_BYTECODE := 1
export UV_NO_PROGRESS := 1

help: ## Show the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

demo: .venv/.ready ## Audit the lending demo on made data, play a year of its production, show what was planted and found
	@$(BIN)/rai demo

dev: .venv/.ready ## Dagster's web server and daemon on the same state
	@$(BIN)/rai dev

test: .venv/.ready ## The tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not nightly"

nightly: .venv/.ready ## All tests, the long ones too
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest

lint: .venv/.ready ## Style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: .venv/.ready ## Speed and memory beside the peers, one JSON line each
	@for script in benchmarks/[a-z]*.py; do OMP_NUM_THREADS=1 $(BIN)/python $$script; done

.venv/.ready: requirements/dev.txt requirements/tools.txt pyproject.toml
	@requirements/make-environment

docs: .venv/.ready ## Write the reference pages from the code
	@$(BIN)/python docs/generate.py

statistics: .venv/.ready ## Write docs/statistics.md and docs/drift_calibration.md: intervals, verdicts, alarms (40 minutes)
	@PYTHONPATH=. OMP_NUM_THREADS=1 $(BIN)/python docs/simulate.py
	@PYTHONPATH=. OMP_NUM_THREADS=1 $(BIN)/python docs/simulate_drift.py

lock: ## Renew the hash-pinned requirements from pyproject.toml
	@requirements/make-lock

clean: ## Remove the environment
	rm -rf .venv .tools
