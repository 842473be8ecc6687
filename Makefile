# Every target sets up what it needs. Settings: ROUNDS= MESSAGES= HIERARCHY= SEED= EXAMPLE= (demo), SEEDS=FIRST:LAST (simulate),
# ARGS= (demo, simulate, scale, bench, test), LEDA_PORT= and LEDA_SHOP_PORT= (environment), PYTHON=

PYTHON ?= python3
leda := .venv/bin/leda

# What a shell sets for its own Python does not reach ours.
unexport $(filter-out PYTHON PYTHONIOENCODING PYTHONUTF8,$(filter PYTHON%,$(.VARIABLES)))

.DEFAULT_GOAL := help
.PHONY: help setup demo simulate scale bench up down status build docs test test-fast lint fmt clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

.venv: FORCE ; @$(PYTHON) scripts/bootstrap
FORCE:

setup: .venv ## install everything into the checkout: Python environments, LocalStack, its emulators
	@$(leda) setup

demo: .venv ## start local AWS, deploy, play the game under faults, prove every total exact (ROUNDS=3 MESSAGES=10000); or EXAMPLE=scores
	@$(if $(EXAMPLE),$(leda) example $(EXAMPLE) $(ARGS),$(leda) up && $(leda) demo $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(MESSAGES),--messages $(MESSAGES)) $(if $(HIERARCHY),--hierarchy $(HIERARCHY)) $(if $(SEED),--seed $(SEED)) $(ARGS))

simulate: .venv ## hunt for a wrong total in seeded schedules of deliveries and failures (SEEDS=1:300)
	@$(leda) simulate $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

scale: .venv ## how late totals are at a rate, and which limit is reached first, in a model
	@$(leda) scale $(ARGS)

bench: .venv ## measure LEDA beside the published design; writes docs/performance.md (ARGS="--only stages,units")
	@$(leda) bench $(ARGS)

up: .venv ## start local AWS with the stack applied; writes .local/env and .local/outputs.json
	@$(leda) up

down: .venv ## stop local AWS; what it held is gone
	@$(leda) down

status: .venv ## show what runs, and where
	@$(leda) status

build: .venv ## build the functions' packages: build/<function>.zip
	@$(leda) build

docs: .venv ## build the documentation's site: .local/site/index.html
	@$(leda) docs

test: .venv ## run every test, on a local AWS of its own (ARGS= is passed to pytest)
	@$(leda) test $(ARGS)

test-fast: .venv ## run the tests that are quick and need no emulator
	@$(leda) test --fast $(ARGS)

lint: .venv ## black, ruff, mypy, import-linter, terraform fmt and validate, checkov, the words and links of the pages
	@$(leda) lint

fmt: .venv ## format Python and Terraform
	@$(leda) fmt

clean: .venv ## stop local AWS and remove everything generated
	@$(leda) clean
