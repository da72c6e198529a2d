# What there is to do with this project; `make` alone prints it.

PYTHON ?= python3
BIN := .venv/bin
WORKSPACE := $(PYTHON) deploy/workspace.py

.DEFAULT_GOAL := help
.PHONY: help run test nightly lint install lock bench clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

run: ## start everything, run the examples, and print every change of a status; Ctrl-C stops
	@$(WORKSPACE) install requirements.txt
	@exec $(BIN)/python -m gef_project.devserver

test: install ## run the tests, on DATABASE_URL or the embedded PostgreSQL; ARGS="-k word" selects
	@$(BIN)/python -m pytest -n 2 $(ARGS)

lint: install ## check style, types, imports, migrations, settings and the API's schema
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py check --fail-level WARNING
	@$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	@$(WORKSPACE) check-locks

install: ## make .venv with everything for development
	@$(WORKSPACE) install requirements-dev.txt

lock: ## lock every dependency as the requirements say; ARGS=--upgrade takes the newest versions of theirs
	@$(WORKSPACE) lock $(ARGS)

# What its options make longer: properties and state machines, requests made from the schema, kills, restarts.
NIGHTLY := hypothesis or state_machine or schemathesis or kills or feed_restarts

nightly: install ## look for longer: random examples and requests, kills and restarts; about half an hour
	@$(BIN)/python -m pytest -n 2 -k "$(NIGHTLY)" --timeout 3600 --hypothesis-profile explore \
		--requests-per-operation 300 --kills 30 --restarts 10 $(ARGS)

bench: install ## measure; benchmarks/RESULTS.md gets the figures
	@$(WORKSPACE) install benchmarks/requirements.txt
	@$(BIN)/python -m benchmarks.run $(ARGS)

clean: ## remove .venv, the data in var, and the caches; not while anything runs
	@$(WORKSPACE) clean
