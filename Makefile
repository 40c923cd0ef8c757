# make demo    install, then train, evaluate and predict on generated data
# make test    install, then run the tests
# make lint    install, then check the style
# make venv    install only

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

.PHONY: venv demo test lint

venv: $(STAMP)

$(STAMP): requirements.txt requirements-base.txt requirements-extra.txt \
		requirements-prepare.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check \
		-r requirements-dev.txt
	$(BIN)/python -m pip check
	touch $@

demo: venv
	$(BIN)/python tools/demo.py

test: venv
	$(BIN)/python -m pytest -q

lint: venv
	$(BIN)/ruff check .
