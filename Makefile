# Each target makes .venv itself and installs what it needs. It takes Python 3.11 or newer
# (with venv), make and git; PYTHON=/path/to/python3 names another Python than the one found.
#
#   make demo                    a real connection in three panes; SCENARIO=half-close for others
#   make test                    the tests; TESTS="tests/core -k reuse" for some of them
#   make lint                    format, style, types, import contracts
#   make check-all               lint, and every test, the slow ones too
#   make bench                   how fast it is here
#   make pictures                the README's pictures, made anew from real runs
#   make recordings              the recordings in demos/, made anew from real runs
#   make words                   the catalogue of translations, in step with the sources
#   make man                     the manual page, dist/tcpviz.1
#   make pyz                     all in one file for a server with only Python, dist/tcpviz.pyz
#   make format                  put every file into the project's format

BIN := .venv/bin
PYTHON ?=
SCENARIO ?=
ARGS ?=
TESTS ?= tests
# How many tests at a time; 0 runs them in one process, as a debugger wants it.
JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint format check-all bench pictures recordings words pyz clean

help:
	@sed -n '4,14s/^# *//p' Makefile

venv:
	@PYTHON='$(PYTHON)' sh .ci/venv

demo: venv
	@$(BIN)/tcpviz demo $(SCENARIO) $(ARGS)

test: venv
	@$(BIN)/pytest -n $(JOBS) -m 'not slow' $(TESTS) $(ARGS)

lint: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check-all: lint
	@TCPVIZ_HYPOTHESIS=explore $(BIN)/pytest -n $(JOBS) tests $(ARGS)

bench: venv
	@$(BIN)/python -m tests.bench $(ARGS)

pictures: venv
	@$(BIN)/python -m tests.scenes $(ARGS)

recordings: venv
	@$(BIN)/python -m tests.scenes --record $(ARGS)

words: venv
	@$(BIN)/python -m tests.messages $(ARGS)

man: venv
	@mkdir -p dist
	@$(BIN)/argparse-manpage --pyfile tcpviz/manual.py --function parser --project-name tcpviz \
		--prog tcpviz --manual-title 'User Commands' --format single-commands-section \
		--output dist/tcpviz.1
	@echo dist/tcpviz.1

pyz: venv
	@$(BIN)/python .ci/pyz.py

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
