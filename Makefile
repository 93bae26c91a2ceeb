# Everything one does with a checkout. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?=
ARGS ?=
TESTERS ?= 4
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
export PYTHON
# What Python has compiled is kept, whatever the environment says: else every process of every test compiles
# all of it again, which is half of its start.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install install-test install-services install-page serve test test-services test-faults test-page \
	test-lab lab demo check \
	format bench soak lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

install: ## make .venv with .venv/bin/wicket
	@sh scripts/install.sh

serve: install ## start Wicket (ARGS="--port 4300" passes options)
	@exec $(BIN)/wicket serve $(ARGS)

install-test:
	@sh scripts/install.sh test

test: install-test ## all tests that need neither torch nor Node (about five minutes on two cores); `make check` reads the source
	@$(PYTEST) -m "not lab and not services and not faults and not page" -p no:schemathesis \
		--ignore tests/test_architecture.py \
		-n $(TESTERS) --dist loadfile --no-loadscope-reorder $(or $(ARGS),tests/unit tests/contract tests/path)

install-services:
	@sh scripts/install.sh services

test-services: install-services ## real clients: Node SDKs and others
	@$(PYTEST) -m services $(ARGS)

test-faults: install-test ## what happens when things break
	@$(PYTEST) -m faults $(ARGS)

install-page: install-test
	@sh scripts/install-page.sh

test-page: install-page ## the page at / in headless Chromium
	@$(PYTEST) -m page $(ARGS)

lab: install-test ## install what training needs (torch)
	@sh scripts/install-lab.sh

test-lab: lab ## tests against plain torch
	@$(PYTEST) -m lab $(ARGS)

demo: lab ## the whole loop on the real model, unattended, with a page at the end (under 15 minutes on two cores)
	@$(BIN)/python scripts/demo.py $(ARGS)

check: install-test ## format, lint, types, architecture
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(PYTEST) tests/test_architecture.py

format: install-test ## format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: install-test ## measure; docs/benchmarks.md is made of this
	@$(BIN)/python -m bench $(ARGS)

soak: install-test ## ten minutes of all faults at once, workers killed meanwhile (ARGS="--seconds 60" for less)
	@$(BIN)/python bench/soak.py $(ARGS)

lock: ## lock the dependencies again (needs uv; ARGS=--upgrade takes newer ones)
	@sh scripts/lock.sh $(ARGS)

clean: ## remove what was made, except your data
	@rm -rf .venv .mypy_cache .ruff_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
