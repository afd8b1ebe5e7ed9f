# Everything a developer runs. `make` alone lists the commands; each creates what it needs.

PYTHON ?= python3
# How many processes share the tests; each has servers of its own.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo demo-mongo test test-drivers explore torture check clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.installed ## real flights on PostgreSQL and Valkey, uncached and cached side by side
	.venv/bin/ormcache demo

demo-mongo: .venv/.installed ## the same flights as documents in MongoDB, through PyMongo
	.venv/bin/ormcache demo --mongo --picture ormcache-demo-mongo.png

# What SQLAlchemy has no part in, or what is about the store, is not repeated on its second version.
WITHOUT_SQLALCHEMY = $(wildcard tests/integration/conformance_mongo tests/integration/test_*mongo* \
  tests/integration/test_servers* tests/integration/test_store_outage.py tests/integration/test_slots.py \
  tests/integration/test_full_store.py tests/integration/test_rights.py tests/integration/test_takeover.py \
  tests/integration/test_torture.py tests/properties/*mongo* tests/properties/test_rows* \
  tests/integration/test_stored_bytes.py)

test: .venv/.installed .venv-sa20/.installed ## every test on SQLAlchemy 2.1, those that meet SQLAlchemy on 2.0 too
	@echo "==> 1 of 2: the whole suite, SQLAlchemy 2.1"
	.venv/bin/python -m pytest -n $(WORKERS)
	@echo "==> 2 of 2: what meets SQLAlchemy and its servers, SQLAlchemy 2.0"
	.venv-sa20/bin/python -m pytest -n $(WORKERS) tests/integration tests/properties $(addprefix --ignore=,$(WITHOUT_SQLALCHEMY))

# What of each database's usual drivers `make test` runs, this runs of all; a quarter of an hour.
WAYS = tests/integration/conformance tests/integration/test_ways.py \
  tests/integration/test_writes.py tests/integration/test_session_reads.py
test-drivers: .venv/.installed .venv-sa20/.installed ## the scenarios on every driver that is installed, on both versions
	.venv/bin/python -m pytest -n $(WORKERS) --every-driver $(WAYS)
	.venv-sa20/bin/python -m pytest -n $(WORKERS) --every-driver $(WAYS)

explore: .venv/.installed ## every order of events that the cache's promises must survive; minutes
	PYTHONPATH=. .venv/bin/python -m tests.interleavings.run

# For example: make torture TORTURE="--seconds 3600 --json"
TORTURE ?= --seconds 600
torture: .venv/.installed ## ten minutes: everything around the cache breaks, and every read is checked
	.venv/bin/python -m ormcache.testing.torture $(TORTURE)

check: .venv/.installed ## lint, format, types, import contracts
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

clean: ## remove the virtual environments and everything built
	rm -rf .venv .venv-sa20 build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find ormcache tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so an installation that was cut off is taken up again.
.venv/.installed: REQUIREMENTS = '.[dev]' 'SQLAlchemy>=2.1,<2.2'
.venv-sa20/.installed: REQUIREMENTS = '.[dev]' 'SQLAlchemy>=2.0.40,<2.1'
.venv/.installed .venv-sa20/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ormcache needs Python 3.11 or newer, and '$(PYTHON)' is not one." >&2; \
	  echo "Name another, for example: make $(or $(MAKECMDGOALS),test) PYTHON=python3.12" >&2; \
	  exit 1; }
	@echo "==> Creating $(@D) with $(REQUIREMENTS) from the package index; some minutes, once"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --editable $(REQUIREMENTS)
	@touch $@
