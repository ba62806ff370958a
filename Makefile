# The only entry points: the same here, in CI and in the docs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test check lock bench docs parity clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## make .venv with every pinned dependency

$(STAMP): requirements/dev.txt requirements/uv.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "shipway needs Python 3.11 or newer; set PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

run: $(STAMP) ## train an example, serve it on http://localhost:8000
	$(BIN)/python examples/breast-cancer/train.py
	@# With job control a terminal's Ctrl-C goes to the server alone, and make sees it end well.
	@test -t 0 && set -m; $(BIN)/shipway serve examples/breast-cancer/models/model.pkl; exit $$?

test: $(STAMP) ## everything that this machine can test; says what it skipped and why
	$(BIN)/python -m pytest

check: $(STAMP) ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## measure Shipway beside other model servers (PEERS="handwritten shipway" for a few)
	$(BIN)/python -m bench $(PEERS)

docs: $(STAMP) ## write the reference pages that the program knows by itself
	$(BIN)/python docs/generate.py

parity: $(STAMP) ## prove the conversion of every model again, and write the table of docs/conversion.md
	$(BIN)/python -m tests.parity.table

lock: $(STAMP) ## pin every dependency anew, by version and hash
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --annotation-style line pyproject.toml --extra sklearn --extra skops --extra onnx --extra xgboost \
	  --extra lightgbm --extra catboost --extra convert --extra mlflow --extra pandas \
	  --group test --group check --group build -o requirements/dev.txt
	grep -A99 '^uv==' requirements/dev.txt | awk 'NR>1 && !/^ /{exit} {print}' > requirements/uv.txt

clean: ## remove what setup and test made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .bench
