# make demo   one model's whole life on real flights, then Airflow stays up
# make quick  lint, types and the tests that need neither Postgres nor Airflow; under a minute
# make test   lint, types and the tests, with one of Airflow's two auth managers
# make test-all  the same, and the tests with both auth managers; what .ci/run runs
# Each sets itself up.
.DEFAULT_GOAL := help
.PHONY: help install demo up down status marquez quick quick-tests test test-all reference lint types unit unit-shuffled system system-gates system-rest system-more system-fab system-upgrade bench check requirements clean
.ONESHELL:
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEED ?= $(shell date +%s)

help:
	@echo "make demo     take one model through its whole life on real flights, leave Airflow up"
	@echo "make up       start the platform alone, for a person to press the buttons"
	@echo "make marquez  start Marquez, to look at the lineage (needs Java 17, and Maven once)"
	@echo "make down     stop it"
	@echo "make quick    lint, types and the tests that need neither Postgres nor Airflow"
	@echo "make test     lint, types and the tests"
	@echo "make test-all the same, with both of Airflow's auth managers, the quick tests also in a shuffled order"
	@echo "make bench    measure data movement, artifacts and DAG parsing against peers and limits"
	@echo "make check    read all specs, policies and SQL"
	@echo "make reference write the pages and the schemas that are made from the code"

$(STAMP): requirements.txt requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) found. Install Python 3.11 or newer, or name one: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed, e.g. make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "· making $(VENV) and installing (a few minutes the first time)"
	$(PYTHON) -m venv --clear $(VENV) || { echo "python3-venv is missing: install it (Debian: apt install python3-venv)" >&2; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt --requirement requirements-dev.txt
	echo "$(CURDIR)/plugins" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mlops.pth"
	touch $@

install: $(STAMP)

demo: $(STAMP)
	@$(BIN)/python -m demo life

up: $(STAMP)
	@$(BIN)/python -m demo up

down: $(STAMP)
	@$(BIN)/python -m demo down

marquez: $(STAMP)
	@$(BIN)/python -m demo marquez

status: $(STAMP)
	@$(BIN)/python -m demo status

check: $(STAMP)
	@$(BIN)/python -m mlops check --include demo/include

test: lint types unit system

test-all: lint types unit quick-tests system system-more

# Side by side: types take one core, once, and the tests take both.
quick: $(STAMP)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint types quick-tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy

quick-tests: $(STAMP)
	$(BIN)/pytest -q --quick --numprocesses=2 --randomly-seed=$(SEED)

# Each core takes whole files, and the tests of a file keep their order.
unit: $(STAMP)
	$(BIN)/pytest -q -m "not system" -p no:randomly --numprocesses=2 --dist=loadfile

# No test depends on another one that ran before it: the seed shuffles the order.
unit-shuffled: $(STAMP)
	$(BIN)/pytest -q -m "not system" --randomly-seed=$(SEED) --numprocesses=2

# They wait for Airflow most of the time, so two platforms side by side take little more than one.
# A real scheduler and a real browser on a busy machine may miss a deadline once: such a test is
# run a second time, and the summary says that it was. The tests of one file follow one life.
SYSTEM := $(BIN)/pytest -q -rR --reruns 1 -m system -p no:randomly

system: $(STAMP)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target system-gates system-rest

system-gates: $(STAMP)
	$(SYSTEM) tests/system/governance

system-rest: $(STAMP)
	$(SYSTEM) --ignore=tests/system/governance --ignore=tests/system/governance_fab --ignore=$(UPGRADE)

# What only `make test-all` runs.
system-more: $(STAMP)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target system-fab system-upgrade

# The approvals once more, with FAB's users and roles in the place of the simple auth manager's.
system-fab: $(STAMP)
	$(SYSTEM) tests/system/governance_fab

# From the copied folders of 0.1.0 to the wheel.
UPGRADE := tests/system/install/test_upgrade.py
system-upgrade: $(STAMP)
	$(SYSTEM) $(UPGRADE)

# What docs/ has of the code: its reference and the JSON Schemas.
reference: $(STAMP)
	@$(BIN)/python -m tests.reference

bench: $(STAMP)
	@$(BIN)/python -m bench

requirements: $(STAMP)
	CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-options --no-header --output-file requirements.txt requirements.in
	CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-options --no-header --output-file requirements-dev.txt requirements-dev.in

clean: $(STAMP)
	-$(BIN)/python -m demo down
	rm -rf $(VENV) .demo .bench .mypy_cache .ruff_cache .pytest_cache
