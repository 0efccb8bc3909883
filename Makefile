# make demo   classify the sample digits on the simulated board, print a table, write demo.png
# make test   lint, types and all tests
# Each does all of its own set-up in .venv; needs Python 3.10 to 3.12 with venv, g++ and make.

PYTHON ?= $(firstword $(foreach version,3.11 3.10 3.12,$(shell command -v python$(version) 2>/dev/null)) python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO_FLAGS ?=

# Named exactly: pynq 3.1 depends on a git repository, at which pip gives up should it come to consider that release.
PYNQ ?= pynq==4.0.0
# A release of PyTorch whose default build for this machine is a small one can be named here.
TORCH ?= torch==2.13.0

# What an editable installation depends on: the compiled engine is built then.
SETUP := setup.py pyproject.toml $(wildcard pynq_ee/remainder/native*)

.PHONY: help demo test lint test-pynq301 clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo "make lint   ruff and mypy"
	@echo "make test-pynq301   the runtime's tests on pynq 3.0.1, in a venv of its own"
	@echo "make clean  remove what was built"

demo: $(VENV)/.demo
	$(BIN)/pynq-ee demo --device sim $(DEMO_FLAGS)

test: $(VENV)/.test lint
	$(MAKE) --no-print-directory -C hw csim PYTHON=$(abspath $(BIN))/python
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The line of pynq that PYNQ-Z1 and Z2 images carry, with the tests that need no PyTorch.
test-pynq301: .venv-pynq301/.test
	.venv-pynq301/bin/python -m pytest tests/unit tests/sim

$(VENV)/.demo: $(SETUP) | $(VENV)/bin/python
	$(PIP) install --quiet --editable '.[demo]' '$(PYNQ)'
	@touch $@

$(VENV)/.test: $(SETUP) | $(VENV)/bin/python
	$(PIP) install --quiet --editable '.[dev]' '$(PYNQ)' '$(TORCH)'
	@touch $@ $(VENV)/.demo

.venv-pynq301/.test: $(SETUP)
	$(PYTHON) -m venv .venv-pynq301
	.venv-pynq301/bin/python -m pip --disable-pip-version-check install --quiet wheel
	.venv-pynq301/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[test]' 'pynq==3.0.1'
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; assert (3, 10) <= sys.version_info < (3, 13), sys.version' \
	|| { echo "Python 3.10 to 3.12 is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) .venv-pynq301 build dist *.egg-info demo.png
	$(MAKE) -C hw clean
