# Everything from a fresh clone that has Python >= 3.11 with venv, and make; test-rig also needs Go and a C++ compiler.
# Stamps in .venv say what is installed; delete .venv to begin anew.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
ARGS ?=
RIG_TESTS ?= $(filter-out tests/rig/test_alike.py,$(sort $(wildcard tests/rig/test_*.py)))
# Leaks are found by `make test`; here a socket that is still closing at the end must not hide what a real server said.
RIG_WARN := -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning
JOBS ?= 2

UI := $(shell find src/sealane/console/ui -type f -not -path '*/node_modules/*' 2>/dev/null)

.PHONY: run test test-rig test-alike bench check format images clean

run: $(VENV)/.product
	@$(BIN)/sealane up $(ARGS)

# The browser's driver keeps an event loop running in its process, so those tests run apart from the asynchronous ones.
test: $(VENV)/.dev
	$(BIN)/pytest -n $(JOBS) --dist loadgroup -m "not browser" tests $(ARGS)
	$(BIN)/pytest -n $(JOBS) --dist loadgroup -m browser -rs tests $(ARGS)

# Each file gets a rig of its own, so that what one leaves in queues and on nodes is no part of another.
test-rig: $(VENV)/.dev
	$(BIN)/python -m rig build
	@set -e; for file in $(RIG_TESTS); do echo "== $$file"; $(BIN)/python -m rig run -- $(BIN)/pytest $$file -m rig $(RIG_WARN) $(ARGS); done

# 984 conversations with kubectl, held with the real server and with the sandbox: ten minutes, so apart from test-rig.
test-alike:
	@$(MAKE) test-rig RIG_TESTS=tests/rig/test_alike.py

bench: $(VENV)/.dev
	@for file in bench/[a-z]*.py; do echo "== $$file"; $(BIN)/python -m bench.$$(basename $$file .py) || exit 1; done

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

images: $(VENV)/.dev
	$(BIN)/python scripts/screenshots.py

# The product: locked dependencies and an editable install, whose build hook bundles the front end.
$(VENV)/.product: $(UV) requirements/run.txt pyproject.toml hatch_build.py $(UI)
	@echo "Installing Sealane into $(VENV) (only when something changed) ..."
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/run.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.product requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

$(UV): requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sealane needs Python 3.11 or newer; say which with: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .import_linter_cache src/sealane/console/static/dist

# Hashed lock files from pyproject.toml; they name no registry, so any mirror serves.
LOCK := $(UV) pip compile pyproject.toml --python-version 3.11 --universal --generate-hashes --no-header --no-annotate --quiet
.PHONY: lock
lock: $(UV)
	$(LOCK) -o requirements/run.txt
	$(LOCK) --group dev --group rig -o requirements/dev.txt
