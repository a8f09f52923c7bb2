# Two commands to start with: make demo (photos through the whole workflow, no AWS account) and make test.
.DEFAULT_GOAL := help
SHELL := bash
# The first that runs: what a version manager has switched off is found and does not.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13; do $$name -c "" 2>/dev/null && echo $$name && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
INSTALL := $(VENV)/bin/pip install --quiet --disable-pip-version-check
TORCH := train notebook # what needs torch, which has a lock of its own
# Much of a test run is waiting. A file's tests stay in one process, which has its embedded AWS.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# uv knows the hash of each file of a release, for every platform; pip's own report does not.
# Releases of the last week are left out: a broken or hostile one is often withdrawn within days.
COMPILE := $(VENV)/bin/uv pip compile --quiet --system-certs --upgrade --exclude-newer "7 days" --universal \
  --python-version 3.11 --fork-strategy fewest --generate-hashes --no-annotate --custom-compile-command "make lock" pyproject.toml
IMAGES ?=
OPEN ?=
MODEL ?= model/pretrained

.PHONY: help demo test check format events bench verify chaos notebook papers screenshots lock clean

help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

# A stamp per extra: what is installed already is not installed again. The project itself is not
# installed: its folder is where everything starts from.
$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11, 3.12 or 3.13 found: install one, or name it: make demo PYTHON=path"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.extra-%: locks/%.txt | $(VENV)/bin/python
	@echo "Installing the extra '$*' into $(VENV) ..."
	@$(INSTALL) --require-hashes --no-deps --requirement $<
	@$(if $(filter $*,$(TORCH)),$(INSTALL) --retries 1 --require-hashes --no-deps --requirement locks/torch.txt)
	@touch $@

$(TORCH:%=$(VENV)/.extra-%): locks/torch.txt

demo: $(VENV)/.extra-local ## Photos through the whole workflow on this machine; more: IMAGES="a.jpg b.heic" MODEL=folder OPEN=1
	@$(RUN) -m local demo --model $(MODEL) $(if $(OPEN),--open) $(IMAGES)

test: $(VENV)/.extra-dev ## Every test that this machine can run; what it skips says why
	$(RUN) -m pytest $(SIDE_BY_SIDE)

check: $(VENV)/.extra-dev ## Lint and type-check; changes nothing
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy cli local ops model benchmarks
	for step in functions/*/ examples/*/ examples/*.py; do $(VENV)/bin/mypy $$step || exit 1; done

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

screenshots: $(VENV)/.extra-dev ## Write the pictures of pages in docs/ anew; needs Chromium
	$(RUN) -m tests.support.screenshots

# All together first, so that a version is the same in every file.
lock: $(VENV)/.extra-lock ## Write locks/ and what ships anew: the newest versions that pyproject.toml allows, with hashes
	$(COMPILE) --all-extras --output-file $(VENV)/lock.txt
	for extra in $(basename $(notdir $(filter-out locks/torch.txt,$(wildcard locks/*.txt)))); do \
	  $(COMPILE) --constraint $(VENV)/lock.txt --no-emit-package torch --extra $$extra --output-file locks/$$extra.txt || exit 1; \
	done
	$(COMPILE) --constraint $(VENV)/lock.txt --extra serialize --output-file functions/serialize/requirements.txt
	# The rest of what onnxruntime asks for serves its conversion tools, not inference.
	$(COMPILE) --constraint $(VENV)/lock.txt --extra serve --no-deps --output-file model/serving/requirements.txt
	# The training container brings torch; nothing is served there.
	$(COMPILE) --constraint $(VENV)/lock.txt --extra train --excludes <(echo torch) --no-emit-package waitress \
	  --output-file model/training/requirements.txt

clean: ## Remove what the targets made
	rm -rf $(VENV) .aws-sam .demo .local .verify .mypy_cache .ruff_cache .pytest_cache .hypothesis
