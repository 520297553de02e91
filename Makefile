# SPDX-License-Identifier: Apache-2.0
# One command each; `make help` lists them. What they do is in tools/, here is only what comes
# before what. Stamps in the virtual environment make a second run quick.

PYTHON ?= python3
# none: use $(PYTHON) as it is, with its meson, ninja, torch ...; nothing is fetched
VENV ?= .venv
# auto: kernels if there is an nvcc or an NVIDIA driver   0: never   1: always
CUDA ?= auto
TORCH ?= torch==2.13.0
IMAGE ?=

ifeq ($(VENV),none)
STAMPS := build/native.stamps
export PY := $(shell command -v $(PYTHON))
export PYTHONPATH := $(CURDIR)/build/native/site:$(CURDIR)/compat/savant$(if $(PYTHONPATH),:$(PYTHONPATH))
else
STAMPS := $(VENV)
export PY := $(CURDIR)/$(VENV)/bin/python
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
endif
export VENV

SOURCES := $(shell find include src python compat -type f ! -name '*.pyc' 2>/dev/null) \
	meson.build meson.options pyproject.toml tools/install.sh tools/embed.sh tools/version.sh
PIP := @$(PY) -m pip install -q --disable-pip-version-check

.DEFAULT_GOAL := build

.PHONY: help
help:
	@echo "make            build and install into $(VENV)"
	@echo "make demo       build, install into $(VENV), run the demo (IMAGE=path: on that picture); without a GPU, 26 MB"
	@echo "make test       lint, C tests, Python tests; with an NVIDIA driver the GPU tests too"
	@echo "make test-clang the C tests, built by clang with -Werror"
	@echo "make test-musl  the C library built by musl-gcc, and programs with it"
	@echo "make test-arm64 the C tests for arm64 under qemu-user, and the Python tests on the arm64 wheel in dist/"
	@echo "make test-sanitizers the Python tests on an extension built with ASan and UBSan; threads with TSan"
	@echo "make test-gpu   the tests that need a GPU, once for each CUDA-enabled OpenCV"
	@echo "make test-ray   Images in Ray, Dask and joblib, and examples/ray_pipeline.py; installs them into build/ray (0.3 GB)"
	@echo "make gpu-record all of it, and what came of it in tests/gpu/record.md (PIECES=tests alone kernels stress)"
	@echo "make kcheck     every kernel against plain C, on the GPU (KCHECK=--bench: GB/s too)"
	@echo "make soak       millions of conversions and of frames between processes, and killed processes: memory"
	@echo "                stays flat (SOAK_COUNT=10000000)"
	@echo "make bench      nanoseconds per call and GB/s, beside the usual ways"
	@echo "make fuzz       the fuzz targets with clang (FUZZ_SECONDS=60 of each, FUZZ_TARGETS='copy dlpack')"
	@echo "make lint       check the layout and the layers of the sources; make format lays them out"
	@echo "make docs       the site in build/site; warnings are errors, and a browser reads it if there is one"
	@echo "make wheel      sdist and wheels, with kernels, into dist/ (PYTHONS='python3.11 python3.13')"
	@echo "make clean      remove build/, dist/ and $(VENV)"
	@echo
	@echo "CUDA=auto|0|1   kernels: if there is an nvcc or a driver, never, always"
	@echo "PYTHON=python3  the Python to build with      TORCH=$(TORCH)  the torch to install"
	@echo "BENCH=--save    arguments of the bench; --save puts the table into bench/results"
	@echo "VENV=none       use PYTHON's own packages and the meson on the PATH; fetch nothing"

# ---- steps, each with its stamp ----

FORCE:

# Written anew only when the answer changes, so that what depends on it is made again.
$(STAMPS)/.choice: FORCE | $(STAMPS)/.ready
	@echo '$(CUDA)' | cmp -s - $@ || echo '$(CUDA)' >$@

$(STAMPS)/.pixview: $(SOURCES) $(STAMPS)/.ready $(STAMPS)/.choice
	@tools/install.sh $(CUDA)
	@touch $@

ifeq ($(VENV),none)

$(STAMPS)/.ready:
	@sh tools/preflight.sh $(PYTHON) ready
	@mkdir -p $(@D) && touch $@

# A ready-made environment has what it has.
$(STAMPS)/.demo $(STAMPS)/.test $(STAMPS)/.lint $(STAMPS)/.docs $(STAMPS)/.torch: | $(STAMPS)/.ready
	@touch $@

else

$(STAMPS)/.ready: tools/requirements-build.txt
	@sh tools/preflight.sh $(PYTHON)
	@echo "pixview: making $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)
	$(PIP) -U -r tools/requirements-build.txt
	@touch $@

$(STAMPS)/.torch: $(STAMPS)/.ready
	@echo "pixview: installing $(TORCH) (0.2 GB, with CUDA several GB)" >&2
	$(PIP) '$(TORCH)'
	@touch $@

$(STAMPS)/.demo: tools/requirements-demo.txt $(STAMPS)/.ready
	@echo "pixview: installing NumPy and Pillow (23 MB)" >&2
	$(PIP) -r tools/requirements-demo.txt
	@touch $@

$(STAMPS)/.test: tools/requirements-test.txt $(STAMPS)/.ready
	@echo "pixview: installing what the tests use (CuPy: 70 MB)" >&2
	$(PIP) -r tools/requirements-test.txt
	@touch $@

$(STAMPS)/.lint: tools/requirements-lint.txt $(STAMPS)/.ready
	$(PIP) -r tools/requirements-lint.txt
	@touch $@

$(STAMPS)/.docs: tools/requirements-docs.txt $(STAMPS)/.ready
	$(PIP) -r tools/requirements-docs.txt
	@touch $@

endif

need-gpu-for-%: FORCE
	@sh tools/need_gpu.sh $*

# ---- commands ----

.PHONY: build demo test test-c test-c-sanitized test-c-package test-c-threads test-clang test-musl test-arm64 test-sanitizers test-driver test-packages test-python test-gpu test-ray gpu-record kcheck soak bench fuzz lint
.PHONY: format docs wheel clean

build: $(STAMPS)/.pixview
	@echo "pixview: installed for $(PY); make help lists what else there is"

demo: $(STAMPS)/.demo $(STAMPS)/.pixview
	@! sh tools/demo_torch.sh '$(origin TORCH)' || $(MAKE) --no-print-directory $(STAMPS)/.torch
	@tools/demo.sh $(if $(IMAGE),'$(IMAGE)')

# Lint first, because it is quick; the Python tests last, so that their closing line is the last one.
test: lint
	@$(MAKE) --no-print-directory -j3 test-packages test-c test-driver
	@. tools/lib.sh; ! has_driver || tools/test.sh gpu
	@tools/test.sh python

test-c: test-c-sanitized test-c-package test-c-threads

test-c-sanitized: $(STAMPS)/.ready
	@tools/test.sh c

test-c-package: $(STAMPS)/.ready
	@tools/test.sh c-package

test-c-threads: $(STAMPS)/.ready
	@tools/test.sh c-threads

test-clang: $(STAMPS)/.ready
	@tools/test.sh clang

test-musl: $(STAMPS)/.ready
	@tools/test.sh musl

test-arm64: $(STAMPS)/.ready
	@tools/test.sh arm64

test-sanitizers: $(STAMPS)/.torch $(STAMPS)/.test $(STAMPS)/.pixview
	@tools/test.sh sanitizers

test-driver: $(STAMPS)/.ready
	@tools/test.sh driver

# One after the other: two pips must not write to one environment.
test-packages: $(STAMPS)/.ready
	@for stamp in .torch .test .pixview; do $(MAKE) --no-print-directory $(STAMPS)/$$stamp || exit 1; done
	@tools/opencv.sh stock cuda >/dev/null

test-python: $(STAMPS)/.torch $(STAMPS)/.test $(STAMPS)/.pixview
	@tools/test.sh python

test-gpu: need-gpu-for-test-gpu $(STAMPS)/.torch $(STAMPS)/.test $(STAMPS)/.pixview
	@tools/test.sh gpu

test-ray: $(STAMPS)/.torch $(STAMPS)/.test $(STAMPS)/.pixview
	@tools/test.sh ray

gpu-record: need-gpu-for-gpu-record $(STAMPS)/.torch $(STAMPS)/.test $(STAMPS)/.pixview
	@$(PY) tools/gpu_record.py $(PIECES)

kcheck: $(STAMPS)/.ready
	@tools/test.sh kcheck

soak: $(STAMPS)/.torch $(STAMPS)/.test $(STAMPS)/.pixview
	@tools/test.sh soak

bench: need-gpu-for-bench $(STAMPS)/.torch $(STAMPS)/.test $(STAMPS)/.pixview
	@tools/test.sh bench

fuzz: $(STAMPS)/.ready
	@tools/fuzz.sh

lint: $(STAMPS)/.lint $(STAMPS)/.ready
	@tools/lint.sh

format: $(STAMPS)/.lint
	@tools/lint.sh fix

docs: $(STAMPS)/.docs $(STAMPS)/.ready
	@tools/docs.sh

wheel: $(STAMPS)/.ready
	@tools/wheel.sh

clean:
	rm -rf build dist $(filter-out none,$(VENV))
