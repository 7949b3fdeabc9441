# `make study` and `make test` are all that a first visit needs; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# Stages run `python` and read the package from this checkout.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install study docs reference notebooks test test-long test-gpu mutation ui clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## install into .venv

study: $(INSTALLED)  ## run the study in params.yaml, what is not up to date of it, and print its leaderboard
	@replay run

test: $(INSTALLED)  ## lint and run the tests, but for those that take minutes
	@ruff check .
	@ruff format --check .
	@pytest -n 2

test-long: $(INSTALLED)  ## run the tests that take minutes, too
	@pytest -n 2 -m "not gpu"

mutation: $(INSTALLED)  ## plant errors in the code that decides results, and say how many the tests find
	@python tests/mutation.py

test-gpu:  ## compare the GPU with the CPU, and print a table; without .venv by the python3 that there is
	@python3 -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "error: make test-gpu compares a GPU with the CPU, but torch finds no CUDA device")'
	@PYTHONPATH=src python3 -m pytest -q -o addopts= -m gpu tests/gpu

docs: $(INSTALLED)  ## build the documentation as a site, site/index.html
	@$(BIN)/python -c 'import material, mkdocstrings' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c requirements.lock -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "open site/index.html in any browser; with its search: python3 -m http.server --bind 127.0.0.1 --directory site"

reference: $(INSTALLED)  ## write the pages of docs/reference that are made from the code
	@python docs/from_code/reference.py

notebooks: $(INSTALLED)  ## run the notebooks on the study in params.yaml, and keep their outputs
	@python notebooks/remake.py $(NOTEBOOKS)

ui: $(INSTALLED)  ## browse the runs on http://127.0.0.1:5000
	@replay ui --port $(or $(PORT),5000)

clean:  ## remove the environment, the data and the runs; results stay
	rm -rf .venv data runs predictions .scratch .dvc/cache .dvc/tmp mlflow.db mlartifacts

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed; name one with make PYTHON=python3.11")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "error: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	@echo "installing into .venv, a few minutes at the first time"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
