# make demo   seven pull requests through the whole pipeline, on embedded defaults
# make test   installs what the tests need and runs them
# make check  style, types, layers
# make bench  every benchmark; one table with plots in bench/out
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench clean

.venv/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Greenlane needs Python 3.11 or later: set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing Greenlane into .venv ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@touch $@

demo: .venv/.runtime
	@$(BIN)/greenlane demo $(ARGS)

test: .venv/.dev
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@# Side by side, but for the kills, which are watched by the clock. All run, whatever those before them say.
	@# The long files come first, in the order given: none of them is begun when the other process has nothing left.
	@status=0; \
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/contract tests/unit || status=$$?; \
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/acceptance || status=$$?; \
	$(BIN)/python -m pytest tests/crash || status=$$?; \
	exit $$status
endif

check: .venv/.dev
	@$(BIN)/ruff format --check src tests bench
	@$(BIN)/ruff check src tests bench
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: .venv/.dev
	@$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf .venv .greenlane bench/out
