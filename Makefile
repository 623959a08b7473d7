# `make setup` builds .venv; everything else does that first. Only relative paths: make splits names at spaces.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup run test fuzz lint audit bench pressure soak docs screenshots format lock clean
.DEFAULT_GOAL := help

# Without it each process of the tests compiles the whole of the code anew.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo 'make setup    everything that is needed, in .venv (PYTHON=python3.12 to choose one of 3.11 to 3.13)'
	@echo 'make run      vestnik up: own PostgreSQL and Redis, API, worker, bots'
	@echo 'make test     all tests (ARGS="tests/hub -k name" for some)'
	@echo 'make fuzz     rubbish at every door until FUZZ_MINUTES (10) are over; ARGS="--seed 17 --rounds 1" for one again'
	@echo 'make lint     ruff, mypy, import-linter'
	@echo 'make audit    known weaknesses of the locked dependencies'
	@echo 'make bench    figures of this machine: intake, time to the provider, sending'
	@echo 'make pressure a dead provider: the same figures before and with a million messages waiting for it'
	@echo 'make soak     work while everything is killed, and whether anything was lost; then the tests that `make test`'
	@echo '              leaves out (ARGS="--help" for the first alone)'
	@echo 'make docs     the tables of providers in the README and docs anew from the registry'
	@echo 'make screenshots  each page of the console as it looks, in .screenshots (needs Chromium)'
	@echo 'make format   ruff puts the layout right'
	@echo 'make lock     the lock files anew from pyproject.toml'
	@echo 'make clean    .venv and caches away; the data in .vestnik stays'

setup: $(READY)

# Of the Pythons at hand the first that was built with its optimisations: without them (as pyenv builds by itself) a message
# takes up to a fourth more of the processor's time. Distributions build theirs with them and do not say so.
define CHOOSE
for one in python3 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11; do
    if "$$one" -c 'import ensurepip, os, sys, sysconfig, venv
built = sysconfig.get_config_var("CONFIG_ARGS") or ""
system = os.path.realpath(sys.executable).startswith("/usr/bin/")
fits = (3, 11) <= sys.version_info[:2] < (3, 14)
sys.exit(not (fits and (system or "--enable-optimizations" in built)))' 2>/dev/null; then
        [ "$$one" = python3 ] ||
            echo "python3 does not fit, or was built without optimisations: $$one is taken (make setup PYTHON=... for another)" >&2
        echo "$$one"
        exit
    fi
done
python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null &&
    echo "python3 was built without optimisations: all works, and takes up to a fourth more of the processor's time" >&2
echo python3
endef
export CHOOSE

$(READY): requirements-dev.lock pyproject.toml
	@set -e; python='$(PYTHON)'; [ -n "$$python" ] || python=$$(sh -c "$$CHOOSE"); \
	command -v "$$python" >/dev/null || { echo "There is no $$python: install Python 3.11 to 3.13, or name it: make setup PYTHON=..." >&2; exit 1; }; \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { echo "Vestnik needs Python 3.11 to 3.13, $$python is $$("$$python" -V 2>&1); name another: make setup PYTHON=python3.13" >&2; exit 1; }; \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null || { echo 'This Python has no venv: install it (Debian, Ubuntu: apt install python3-venv)' >&2; exit 1; }; \
	"$$python" -m venv --clear $(VENV)
	@# An older pip warns of how one of them is built; our own build of folders with the names of our packages, which they are.
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

run: setup
	@exec $(BIN)/vestnik up $(ARGS)

test: setup
	$(BIN)/python -m pytest -n 4 --dist loadfile $(ARGS)

fuzz: setup
	$(BIN)/python -m tests.fuzz $(ARGS)

lint: setup
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

audit: setup
	$(BIN)/python -m tests.rules.audit $(ARGS)

bench: setup
	$(BIN)/python -m bench $(ARGS)

pressure: setup
	$(BIN)/python -m bench.pressure $(ARGS)

soak: setup
	$(BIN)/python -m tests.soak $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m pytest -m soak -n 4 --dist loadfile)

docs: setup
	$(BIN)/python -m tests.rules.provider_tables

screenshots: setup
	VESTNIK_SCREENSHOTS=.screenshots $(BIN)/python -m pytest -q -m 'soak or not soak' tests/console $(ARGS)

format: setup
	$(BIN)/python -m ruff check --fix
	$(BIN)/python -m ruff format

# Its own tool, so that it can lock what does not install yet.
lock:
	@command -v uv >/dev/null || { echo 'make lock needs uv: https://docs.astral.sh/uv/' >&2; exit 1; }
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
