# Sentinels: `make` alone lists what it can do. Nothing is installed outside of this folder.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --generate-hashes --no-annotate --no-header \
	--universal --python-version 3.11
AS_TESTED := --constraints requirements/dev.txt

# Compiled modules make every start of a function and of MLflow twice as fast.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test test-chart test-services test-cluster test-node cluster cluster-down lint bench lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

venv: $(READY) ## the Python environment in .venv, from requirements/dev.txt

demo: $(READY) ## real experiments through the real Sentinels on this machine
	$(BIN)/sentinels demo

test: $(READY) ## the tests that need nothing but this machine; ARGS='-k word' chooses
	$(BIN)/python -m pytest $(ARGS)

test-chart: $(READY) ## what the Helm chart would install, without a cluster
	$(BIN)/python -m pytest tests/chart $(ARGS)

test-services: $(READY) ## against a real search node, Prometheus, Alertmanager and browser
	$(BIN)/python -m pytest tests/services $(ARGS)

test-cluster: $(READY) ## against a real Kubernetes control plane with simulated nodes
	$(BIN)/python -m pytest tests/cluster $(ARGS)

test-node: $(READY) ## against a real kubelet that runs real containers; needs root
	$(BIN)/python -m pytest tests/node $(ARGS)

cluster: $(READY) ## start a Kubernetes control plane with simulated nodes, to try things
	$(BIN)/python -m tests.cluster up

cluster-down: $(READY) ## stop it
	$(BIN)/python -m tests.cluster down

lint: $(READY) ## ruff, mypy and the layers' contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## the benchmarks, as ratios measured in one go
	$(BIN)/python -m benchmarks $(ARGS)

lock: $(READY) ## resolve the requirement files anew
	$(LOCK) --extra local --extra kubernetes --group dev --output-file requirements/dev.txt
	$(LOCK) --extra local $(AS_TESTED) --output-file requirements/local.txt
	$(LOCK) --extra functions --extra kubernetes $(AS_TESTED) --output-file requirements/functions.txt
	$(LOCK) $(AS_TESTED) --output-file requirements/cli.txt
	echo 'hatchling>=1.27' | $(BIN)/uv pip compile - --quiet --generate-hashes --no-annotate --no-header \
		--universal --python-version 3.11 $(AS_TESTED) --output-file requirements/build.txt
	echo uv | $(BIN)/uv pip compile - --quiet --generate-hashes --no-annotate --no-header \
		--universal --python-version 3.11 --output-file requirements/bootstrap.txt

clean: ## remove what make has made here; the demo's data stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements/dev.txt requirements/bootstrap.txt pyproject.toml requirements/make_venv.sh
	@sh requirements/make_venv.sh $(VENV)
	@touch $@
