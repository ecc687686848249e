# make run    serve on http://localhost:8080 (PORT=9000 make run: elsewhere)
# make test   everything that must hold before a change is merged
#
# Both set up .venv first, from the locked versions; all that the machine needs is Python 3.11 or newer.

PORT ?= 8080
MANAGEMENT_PORT ?= 8081
# More than there are processors: some tests wait for leases, brokers and servers that were killed.
JOBS ?= 4

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
PACKAGES := -e . $(patsubst %/,-e %,$(sort $(dir $(wildcard plugins/*/pyproject.toml))))
MANIFESTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
EXPORT := $(UV) export --quiet --all-packages --no-emit-workspace --no-header --no-annotate \
	--format requirements-txt

# Servers are started by the hundred in tests: without bytecode each compiles the whole house again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test lint format bench lock clean help

help:
	@sed -n '1,4p' Makefile
	@echo "# make lint | format | bench | lock | clean"

run: $(VENV)/.run
	$(BIN)/windhover server standalone --port $(PORT) --management-port $(MANAGEMENT_PORT)

# All checks run, whichever of them fails; the tests come last and end with pytest's own summary.
test: $(VENV)/.dev
	@status=0; \
	$(MAKE) --no-print-directory lint || status=1; \
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal || status=1; \
	exit $$status

lint: $(VENV)/.dev
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	exit $$status

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# The newest versions that pyproject.toml allows. uv.lock names the registry it was made from, so it is not
# kept; the exported files name versions and hashes only.
lock: $(UV)
	$(UV) lock --quiet --upgrade
	$(EXPORT) --no-dev --output-file requirements.lock >/dev/null
	$(EXPORT) --output-file requirements-dev.lock >/dev/null

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamps make a second `make` instant; a changed lock or manifest installs again.
$(VENV)/.run: requirements.lock $(MANIFESTS) | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps $(PACKAGES)
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(MANIFESTS) | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps $(PACKAGES)
	@touch $@ $(VENV)/.run

$(UV):
	@python=$(PYTHON); \
	for candidate in python3 python3.13 python3.12 python3.11; do \
	  if [ -z "$$python" ] && $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then python=$$candidate; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer is needed and none was found; PYTHON=/path/to/python make … names one." >&2; \
	  exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	  exit 1; \
	fi; \
	set -x; $$python -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv
