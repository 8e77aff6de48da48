# `make demo` and `make test` set themselves up in .venv; everything they need comes from pyproject.toml.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Threads that spin while they wait make several torch processes on the same cores many times slower.
export OMP_WAIT_POLICY ?= PASSIVE
# A shell that asks Python to keep nothing of what it compiles would have each process compile all of torch again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow docs ray lint format clean

demo: $(VENV)/ready
	$(RUN) tools/demo.py --out runs/demo

test: $(VENV)/ready lint
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n auto --dist worksteal -m "not slow"

test-slow: $(VENV)/ready
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n auto --dist worksteal -m slow

# The pages of docs/ and the docstrings, for a browser: build/docs/index.html.
docs: $(VENV)/ready
	$(RUN) -m sphinx -q -W --keep-going docs build/docs

# Ray Data, 600 MB: its tests are among the slow ones, and skip without it.
ray: $(VENV)/ray

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/basedpyright --pythonpath $(RUN)

format: $(VENV)/ready
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# Python compiles what is imported when it is first; all of torch and transformers is several times that.
$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --no-compile --editable ".[test]"
	touch $@

$(VENV)/ray: $(VENV)/ready
	$(VENV)/bin/pip install --quiet --no-compile --editable ".[ray]"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache
