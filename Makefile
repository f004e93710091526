# Two commands do everything from a clean clone, on a machine with Python 3.11+ and make:
#   make demo    environment, then the whole job on tiny models, offline, on a CPU
#   make test    environment, then the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXTRAS := demo,test
# vLLM only where there is an NVIDIA GPU to use it.
ifneq ($(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | head -n 1),)
EXTRAS := $(EXTRAS),vllm
endif

.PHONY: help setup demo test check bench format clean

help:
	@echo "make setup | demo | test | check | bench | format | clean"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/curate demo --output demo-output

test: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check curate tests
	$(BIN)/ruff format --check curate tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/docs

bench: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.bench

format: $(READY)
	$(BIN)/ruff check --fix curate tests
	$(BIN)/ruff format curate tests

clean:
	rm -rf $(VENV) demo-output build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
