# `make run` and `make test` set everything up by themselves; `make help` lists the rest.

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
BENCH_ARGS ?=
MINUTES ?= 60

# Setting up ends with compiling the kernels, so that no run waits for it.
# A stamp carries a checksum of what it was made from: after a change of branch the environment is made
# again exactly when these files differ, whatever their dates say.
RUN_STAMP := $(VENV)/.stamp-run-$(shell cat requirements/run.txt pyproject.toml | cksum | cut -d' ' -f1)
DEV_STAMP := $(VENV)/.stamp-dev-$(shell cat requirements/dev.txt pyproject.toml | cksum | cut -d' ' -f1)
# Containers often forbid byte code, and pytest would then rewrite every test file in every worker.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup run test quick check bench soak lock clean

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(DEV_STAMP)  ## make the environment in .venv/

run: $(if $(wildcard $(DEV_STAMP)),$(DEV_STAMP),$(RUN_STAMP))  ## run the demo: make run ARGS="--orders 1000"
	@$(BIN)/omo demo $(ARGS)

test: $(DEV_STAMP) check  ## every check and every test
	$(BIN)/pytest -n 2

quick: $(DEV_STAMP) check  ## types, lint and unit tests, in under a minute
	$(BIN)/pytest -n 2 --hypothesis-profile=quick -m "not slow and not postgres and not file"

check: $(DEV_STAMP)  ## types, lint, format and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: $(DEV_STAMP)  ## every benchmark at its smallest size; JSON in build/
	$(BIN)/python -m benchmarks --every --smallest --out build $(BENCH_ARGS)

soak: $(DEV_STAMP)  ## every reliability proof for longer, going on where it stopped: make soak MINUTES=60
	$(BIN)/python -m tools.soak --minutes $(MINUTES)

lock: $(DEV_STAMP)  ## resolve the dependencies again; newer versions with make lock ARGS=--upgrade
	$(BIN)/python tools/lock.py $(ARGS)

clean:  ## remove the environment and everything that was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks

$(BIN)/python:
	@sh tools/make_venv.sh $(VENV)

$(RUN_STAMP): | $(BIN)/python
	@echo "Setting up $(VENV) for the demo ..."
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/omo warmup
	@rm -f $(VENV)/.stamp-run-* && touch $@

$(DEV_STAMP): | $(BIN)/python
	@echo "Setting up $(VENV) for development ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/omo warmup
	@rm -f $(VENV)/.stamp-dev-* && touch $@
