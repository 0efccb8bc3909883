# make demo   classify the sample digits on the simulated board, print a table, write demo.png
# make test   lint, types and the tests
# make docs   the documentation, docs/_build/html/index.html
# Each does all of its own set-up in .venv; needs Python 3.10 to 3.12 with venv, g++ and make.

# The first that runs: a name on the PATH may be a stand-in that only tells which Pythons could be switched on.
running = $(firstword $(foreach python,$(1),$(shell $(python) -c pass 2>/dev/null && echo $(python))))
pyenv = $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/$(1).*/bin/python)
ifndef PYTHON
PYTHON := $(or $(call running,python3.11 python3.10 python3.12 $(foreach minor,11 10 12,$(call pyenv,3.$(minor)))),python3)
endif
VENV ?= .venv
# An empty CXX is none.
ifeq ($(strip $(CXX)),)
override CXX := g++
endif
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO_FLAGS ?=
SOAK_FLAGS ?=

# Named exactly: pynq 3.1 depends on a git repository, at which pip gives up should it come to consider that release.
PYNQ ?= pynq==4.0.0
# A release of PyTorch whose default build for this machine is a small one can be named here.
TORCH ?= torch==2.13.0

# What an editable installation depends on: the compiled engine is built then.
SETUP := setup.py pyproject.toml $(wildcard pynq_ee/remainder/native*)

# Archives are the same, byte for byte, whoever builds them: they bear the time of the commit, or that of the archive that
# this was unpacked from.
SOURCE_DATE_EPOCH ?= $(shell if [ -f PKG-INFO ]; then stat -c %Y PKG-INFO; else git log -1 --format=%ct; fi)

# What the image of a PYNQ-Z1 or Z2 carries, so far as it matters here: Python 3.10, and these releases.
IMAGE_TOOLS := pip==22.0.2 setuptools==59.6.0 wheel==0.37.1
IMAGE := numpy==1.21.5 pillow==9.0.1 cffi==1.15.0 pycparser==2.19 pydantic==1.9.1 jsonschema==4.9.0 ipython==8.10.0 \
	tqdm==4.64.0 nest-asyncio==1.5.5 python-magic==0.4.27 pynqmetadata==0.1.9 pynqutils==0.1.3

.PHONY: test-arm arm-shell arm-footprint
.PHONY: help demo test test-long docs notebooks lint soak soak-short soak-rtl soak-rtl-short test-pynq301 test-packaging test-image dist test-matrix fuzz clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo "make lint   ruff and mypy"
	@echo "make test-long   the tests that take minutes, which make test leaves out"
	@echo "make notebooks   execute the notebooks, and keep their outputs and screenshots"
	@echo "make soak   a million images with random faults on the simulated board, each result compared; some ten minutes"
	@echo "make soak-short   the same for a quarter of a minute"
	@echo "make soak-rtl   a hundred thousand images through the overlay in RTL, clock by clock, under stalls and faults; for a night"
	@echo "make soak-rtl-short   two thousand of them"
	@echo "make test-pynq301   the runtime's tests on pynq 3.0.1, in a venv of its own"
	@echo "make test-packaging   what users get, built and installed in fresh environments"
	@echo "make test-image   installation where Python and all packages are those of a PYNQ-Z2's image; needs Python 3.10"
	@echo "make test-arm ARCH=armhf   on an emulated ARM board's root filesystem, as a board's owner; or ARCH=arm64; as root"
	@echo "make arm-shell ARCH=armhf   a shell in that root filesystem"
	@echo "make arm-footprint   what runtime and driver take there: instructions, counted, and memory; ARM_FLAGS=--write into the pages"
	@echo "make test-matrix   the runtime's tests on the versions of Python, pynq and NumPy that it supports, as far as they are here"
	@echo "make fuzz SECONDS=60   coverage-guided fuzzing, so long for each kind of file"
	@echo "make dist   the source distribution and the wheel, in dist"
	@echo "make clean  remove what was built"

demo: $(VENV)/.demo
	@command -v $(firstword $(CXX)) >/dev/null || { echo "$(firstword $(CXX)) is needed (on Debian and Ubuntu:" \
	"sudo apt install g++); without it: $(BIN)/pynq-ee demo --device sim-numpy"; exit 1; }
	$(BIN)/pynq-ee demo --device sim $(DEMO_FLAGS)

# A file's tests share what they build, so each file goes to one core, those with slow tests first (tests/conftest.py); a
# browser with a notebook wants all of them.
test: $(VENV)/.test lint
	$(MAKE) --no-print-directory -C hw csim PYTHON=$(if $(filter /%,$(BIN)),,../)$(BIN)/python
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m 'not long' --ignore=tests/packaging \
	    --ignore=tests/arm --ignore=tests/notebooks
	$(BIN)/python -m pytest tests/notebooks

# What takes minutes and is not of every change.
test-long: $(VENV)/.test
	$(BIN)/python -m pytest -n auto -m long tests/hw

# All notebooks again on the simulated board, minutes of training among them, and the screenshots of two of them.
notebooks: $(VENV)/.test
	$(BIN)/python tests/notebook_execution.py
	PYNQ_EE_PICTURES='$(CURDIR)/docs/pictures' $(BIN)/python -m pytest tests/notebooks/test_browser.py

# A warning is an error, so all is read anew; the notebooks are shown with the outputs that they were committed with.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build -q -j auto -E -a -W --keep-going -n -b html docs docs/_build/html
	@echo docs/_build/html/index.html

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# No wrong or lost label, whatever the board does; SOAK_FLAGS="--seed 7" makes other faults, --help tells the rest.
soak: $(VENV)/.test
	$(BIN)/python -m pynq_ee.bench.reliability.soak $(SOAK_FLAGS)

soak-short: $(VENV)/.test
	$(BIN)/python -m pynq_ee.bench.reliability.soak --seconds 15 $(SOAK_FLAGS)

soak-rtl: $(VENV)/.test
	$(BIN)/python -m pynq_ee.bench.reliability.soak --kernel rtl --images 100000 $(SOAK_FLAGS)

soak-rtl-short: $(VENV)/.test
	$(BIN)/python -m pynq_ee.bench.reliability.soak --kernel rtl --images 2000 $(SOAK_FLAGS)

# The line of pynq that PYNQ-Z1 and Z2 images carry, with the tests that need no PyTorch.
test-pynq301: .venv-pynq301/.test
	.venv-pynq301/bin/python -m pytest tests/unit tests/sim tests/board

# Builds the distributions and installs them in fresh environments. It compiles the kernel anew.
test-packaging: $(VENV)/.test
	$(BIN)/python -m pytest tests/packaging

# The stock image's releases, with what runs the tests beside them. No later pip could be asked to leave them alone.
test-image: .venv-image/.test
	.venv-image/bin/python -m pytest tests/packaging/test_distributions.py tests/packaging/test_installed.py

# Root filesystems are kept in the user's cache by what is in them; see tests/arm/userland.py.
ARCH ?= armhf
ARM_FLAGS ?=
test-arm: $(VENV)/.test
	PYTHONPATH=tests $(BIN)/python -m arm.userland $(ARCH) uname -m
	$(BIN)/python -m pytest tests/arm -n auto --dist loadfile --architecture $(ARCH) $(ARM_FLAGS)

arm-shell: $(VENV)/.test
	PYTHONPATH=tests $(BIN)/python -m arm.userland $(ARCH)

# Minutes; ARM_FLAGS="--only transfers" for the driver alone, --help tells the rest.
arm-footprint: $(VENV)/.test
	PYTHONPATH=tests $(BIN)/python -m arm.footprint --architecture $(ARCH) $(ARM_FLAGS)

# See noxfile.py. MATRIX="-s table" prints the table of the last run again.
test-matrix: $(VENV)/.matrix
	PYNQ_IMAGE='$(IMAGE)' $(BIN)/python -m nox $(MATRIX)

# What reaches something new is kept in .fuzz, what breaks a target beside it; see tests/fuzz/guided.py.
SECONDS ?= 60
FUZZ ?= $(notdir $(wildcard tests/fuzz/corpus/*))
fuzz: $(VENV)/.fuzz
	@for target in $(FUZZ); do mkdir -p .fuzz/$$target; echo "$$target, $(SECONDS) s"; \
	PYTHONPATH=tests $(BIN)/python -m fuzz.guided $$target -max_total_time=$(SECONDS) -max_len=60000 -timeout=10 \
	-rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix=.fuzz/$$target- .fuzz/$$target tests/fuzz/corpus/$$target \
	>.fuzz/$$target.log 2>&1 || { tail -n 40 .fuzz/$$target.log; exit 1; }; \
	grep -a number_of_executed_units .fuzz/$$target.log; done

# Byte for byte the same anywhere: see setup.py. A list of files from an earlier build would be taken over.
dist: $(VENV)/.dist
	rm -rf dist pynq_ee.egg-info
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) PYNQ_EE_PURE=1 $(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

$(VENV)/.demo: $(SETUP) | $(VENV)/.checkout
	@echo "Installing into $(VENV): a minute or two, once."
	$(PIP) install --quiet --editable '.[demo]' '$(PYNQ)'
	@touch $@

$(VENV)/.test: $(SETUP) | $(VENV)/.checkout
	@echo "Installing into $(VENV), PyTorch among others: some minutes, once."
	$(PIP) install --quiet --editable '.[dev]' '$(PYNQ)' '$(TORCH)'
	@touch $@ $(VENV)/.demo

.venv-pynq301/.test: $(SETUP)
	$(PYTHON) -m venv .venv-pynq301
	.venv-pynq301/bin/python -m pip --disable-pip-version-check install --quiet wheel
	.venv-pynq301/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[test]' 'pynq==3.0.1'
	@touch $@

$(VENV)/.matrix: $(SETUP) | $(VENV)/.checkout
	$(PIP) install --quiet --editable '.[matrix]' '$(PYNQ)'
	@touch $@

$(VENV)/.fuzz: $(SETUP) | $(VENV)/.checkout
	$(PIP) install --quiet --editable '.[fuzz]' '$(PYNQ)'
	@touch $@

$(VENV)/.docs: $(SETUP) | $(VENV)/.checkout
	$(PIP) install --quiet --editable '.[docs]' '$(PYNQ)'
	@touch $@

$(VENV)/.dist: $(SETUP) | $(VENV)/.checkout
	$(PIP) install --quiet --editable '.[dist]' '$(PYNQ)'
	@touch $@

.venv-image/.test: Makefile
	$(or $(call running,python3.10 $(call pyenv,3.10)),$(error no Python 3.10 here, which PYNQ images have)) -m venv .venv-image
	.venv-image/bin/python -m pip --disable-pip-version-check install --quiet $(IMAGE_TOOLS)
	.venv-image/bin/python -m pip --disable-pip-version-check install --quiet $(IMAGE) pytest hypothesis build
	.venv-image/bin/python -m pip --disable-pip-version-check install --quiet --no-build-isolation --no-deps \
		pynq==3.0.1 'mlxtend<0.24'
	@touch $@

# Type checkers run no code, so an editable installation that is an import hook is nothing to them, and the --config-settings
# that make it another one are unknown to pip 22.0. A path in a file is read by Python and by them.
$(VENV)/.checkout: | $(VENV)/bin/python
	@$(BIN)/python -c 'import pathlib, sysconfig; \
	pathlib.Path(sysconfig.get_path("purelib"), "pynq_ee_checkout.pth").write_text(f"{pathlib.Path.cwd()}\n")'
	@touch $@

# Half of an environment, as where Debian's python3-venv is missing, would be taken for a whole one.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || { echo "Python 3.10 to 3.12" \
	"is needed, $(PYTHON) is $$($(PYTHON) --version): make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

clean:
	rm -rf $(VENV) .matrix .fuzz .venv-pynq301 .venv-image build dist docs/_build docs/reference *.egg-info demo.png
	$(MAKE) -C hw clean
