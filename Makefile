# Two commands to start with: make demo (photos through the whole workflow, no AWS account) and make test.
.DEFAULT_GOAL := help
SHELL := bash
# The first that runs: what a version manager has switched off is found and does not.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13; do $$name -c "" 2>/dev/null && echo $$name && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
# Much of a test run is waiting. A file's tests stay in one process, which has its embedded AWS.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
IMAGES ?=
MODEL ?= model/pretrained

.PHONY: help demo test check format events bench verify chaos notebook papers lock clean

help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

# A stamp per extra: what is installed already is not installed again.
$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11, 3.12 or 3.13 found: install one, or name it: make demo PYTHON=path"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.extra-%: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing the extra '$*' into $(VENV) ..."
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
	@touch $@

demo: $(VENV)/.extra-local ## Photos through the whole workflow on this machine; more: IMAGES="a.jpg b.heic" MODEL=folder
	@$(RUN) -m local demo --model $(MODEL) $(IMAGES)

test: $(VENV)/.extra-dev ## Every test that this machine can run; what it skips says why
	$(RUN) -m pytest $(SIDE_BY_SIDE)

check: $(VENV)/.extra-dev ## Lint and type-check; changes nothing
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy cli local ops model benchmarks
	for step in functions/*/; do $(VENV)/bin/mypy $$step || exit 1; done

format: $(VENV)/.extra-dev ## Rewrite the code in the project's format
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(RUN) -m tests.support.asl_layout

events: $(VENV)/.extra-local ## Capture the sample document of each step anew
	$(RUN) -m local events

bench: $(VENV)/.extra-dev ## Speed, memory and size, each beside its floor
	$(RUN) -m tests.support.build
	$(RUN) -m benchmarks

verify: $(VENV)/.extra-dev ## Every offline check of the deployment, with what each cannot see: five minutes
	$(RUN) -m tests.verify

chaos: $(VENV)/.extra-dev ## 1,000 uploads while everything fails, twice, then 10,000 at once: three quarters of an hour
	$(RUN) -m tests.chaos
	$(RUN) -m tests.chaos --type EXPRESS
	$(RUN) -m tests.chaos --burst --uploads 10000

notebook: $(VENV)/.extra-notebook ## Execute notebooks/walkthrough.ipynb and keep its outputs
	$(RUN) -m tests.support.notebook

papers: $(VENV)/.extra-dev ## Write the tables and the output that README.md and docs/ quote anew
	$(RUN) -m tests.support.readme

lock: $(VENV)/.extra-dev ## Write constraints.txt anew: the newest versions that pyproject.toml allows
	$(VENV)/bin/pip install --dry-run --ignore-installed --quiet --disable-pip-version-check \
	  --report $(VENV)/lock.json --editable '.[dev,notebook,endpoint]'
	$(RUN) -m tests.support.lock $(VENV)/lock.json

clean: ## Remove what the targets made
	rm -rf $(VENV) .aws-sam .demo .local .verify .mypy_cache .ruff_cache .pytest_cache .hypothesis
