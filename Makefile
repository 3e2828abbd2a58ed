# Verbs for people and for CI: `make help` lists them. Works with GNU make 3.81 (macOS) and later.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SOURCES := operator tests examples
# Integration tests mostly wait: so many side by side, each worker with a control plane of its own.
WORKERS ?= 3
# The one that needs the machine for itself comes after them.
STRESS := tests/integration/test_receiver_stress.py
STEPS := lint docs types layers unit gitops integration chart e2e-short
NOT_RUN := .run/not-run
# The test cluster: kind (containers, real Pods) or embedded (control plane and a double of a kubelet).
# Without a choice the demo takes kind where it can be had.
CLUSTER ?=

.DEFAULT_GOAL := help
.PHONY: help python venv lock tools cluster cluster-stop image kind kind-stop e2e e2e-short fmt lint types layers unit integration bench browser screenshots test crds chart chart-files gitops gitops-files docs docs-serve docs-files demo demo-recording clean

help: ## List the verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=...")'

venv: $(INSTALLED) ## Make the virtual environment .venv from the lock

$(INSTALLED): requirements.lock pyproject.toml | python
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $(INSTALLED)

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-header --no-emit-index-url --no-emit-find-links --upgrade -q

lock: $(INSTALLED) ## Pin all dependencies anew: of development, and of the image to build it and to run
	$(COMPILE) pyproject.toml --group dev -o requirements.lock
	$(COMPILE) pyproject.toml -c requirements.lock -o requirements-runtime.lock
	echo hatchling | $(COMPILE) - -c requirements.lock -o requirements-build.lock

tools: python ## Build or find the test cluster's programs; `make -s tools` prints only their folder
	@$(PYTHON) -m tests.cluster.binaries

cluster: $(INSTALLED) ## Run a kind cluster with our images until Ctrl-C; CLUSTER=embedded: control plane, CRDs, a double of a node
ifeq ($(CLUSTER),embedded)
	@$(BIN)/python -m tests.cluster
else ifneq ($(filter kind auto,$(CLUSTER) $(if $(CLUSTER),,kind)),)
	@$(BIN)/python -m tests.kind run
else
	$(error CLUSTER is $(CLUSTER); embedded and kind are known)
endif

cluster-stop: $(INSTALLED) ## Stop the test cluster that runs from this checkout
	@$(BIN)/python -m tests.cluster --stop

image: $(INSTALLED) ## Build the images of meetingbots and of the example bot; BASE_IMAGE=... sets their base
	@$(BIN)/python -m tests.kind.project_images

kind: $(INSTALLED) ## Start a kind cluster that has the images; KIND_NAME=... for another one
	@$(BIN)/python -m tests.kind start $(if $(KIND_NAME),--name $(KIND_NAME))

kind-stop: $(INSTALLED) ## Delete that kind cluster
	@$(BIN)/python -m tests.kind stop $(if $(KIND_NAME),--name $(KIND_NAME))

fmt: $(INSTALLED) ## Format the code and mend what ruff can
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lint: $(INSTALLED) ## Check format and style
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(INSTALLED) ## Check types (mypy --strict)
	$(BIN)/mypy

layers: $(INSTALLED) ## Check that imports go down the layers only
	$(BIN)/lint-imports

unit: $(INSTALLED) ## Tests without Kubernetes; ARGS=... goes to pytest
	$(BIN)/pytest tests/unit $(ARGS)

integration: $(INSTALLED) ## Tests on a real API server; ARGS=... goes to pytest
	@$(PYTHON) -m tests.cluster.binaries >/dev/null
	$(BIN)/pytest tests/integration -n $(WORKERS) --dist worksteal --ignore=$(STRESS) $(ARGS)
	$(BIN)/pytest $(STRESS) $(ARGS)

bench: $(INSTALLED) ## Measure load, stress and bursts, beside bare loops; PART=... only some (load, stress, burst, credentials)
	@$(PYTHON) -m tests.cluster.binaries >/dev/null
	@$(BIN)/python -m tests.bench $(PART)

e2e: $(INSTALLED) ## Tests on a kind cluster; ARGS=... goes to pytest, MEETINGBOTS_E2E_IMAGE_DELAY=180 lets an image be that late
	$(BIN)/pytest tests/e2e $(ARGS)

e2e-short: $(INSTALLED) ## The most telling of them, where a kind cluster can be had; else the reason why not
	@mkdir -p $(dir $(NOT_RUN)); why=$$($(BIN)/python -m tests.kind prepare); code=$$?; \
	if [ $$code = 0 ]; then $(BIN)/pytest tests/e2e -m short $(ARGS); \
	elif [ $$code = 3 ]; then echo "e2e-short: $$why" | tee -a $(NOT_RUN); \
	else exit $$code; fi

browser: $(INSTALLED) ## Tests of the connect pages in Chromium; as root on Debian it is installed; ARGS=... goes to pytest
	@$(PYTHON) -m tests.cluster.binaries >/dev/null
	@$(BIN)/python -m tests.browser.chromium >/dev/null
	$(BIN)/pytest tests/browser $(ARGS)

screenshots: ## Take the pictures in docs/screenshots anew
	MEETINGBOTS_SCREENSHOTS=docs/screenshots $(MAKE) --no-print-directory browser ARGS="-k test_screenshots $(ARGS)"

test: ## Everything that CI checks, step by step
	@begun=$$(date +%s); rm -f $(NOT_RUN); \
	for step in $(STEPS); do \
	    echo "== make $$step"; $(MAKE) --no-print-directory $$step || exit 1; \
	done; \
	echo "== all of it ($(STEPS)) passed in $$(( $$(date +%s) - begun )) s"; \
	if [ -s $(NOT_RUN) ]; then echo "!! NOT RUN on this machine:"; cat $(NOT_RUN); fi; \
	echo "   Verbs of their own, not part of this run: make browser (connect pages in Chromium), make e2e (all on kind), make bench."

crds: $(INSTALLED) ## Write crds/*.yaml from the models
	$(BIN)/meetingbots crds -o crds

chart: $(INSTALLED) ## Check the Helm chart: lint, helm-unittest, kubeconform, drift, installs; ARGS=... goes to pytest
	@$(PYTHON) -m tests.cluster.binaries >/dev/null
	@$(PYTHON) -m tests.chart.programs
	$(BIN)/pytest tests/chart $(ARGS)

chart-files: $(INSTALLED) ## Bring what the chart has from elsewhere up to date: CRDs, the README's table
	rm -f charts/meetingbots/files/crds/*.yaml
	cp crds/*.yaml charts/meetingbots/files/crds/
	$(BIN)/python -m tests.chart.readme

gitops: $(INSTALLED) ## Check how Flux, Argo CD and kstatus see our objects, with their own engines; ARGS=... goes to pytest
	@$(PYTHON) -m tests.gitops.engines
	$(BIN)/pytest tests/gitops $(ARGS)

gitops-files: $(INSTALLED) ## Bring examples/gitops up to date: Argo CD's ConfigMap from the scripts beside it
	$(BIN)/python -m tests.gitops.argocd_cm

docs: $(INSTALLED) ## Build the documentation into .run/site; fails on a broken link or a page outside the navigation
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

docs-serve: $(INSTALLED) ## Serve the documentation and rebuild it on each change
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

docs-files: $(INSTALLED) ## Update what the documentation has from elsewhere: tables from the code, pictures from their sources
	$(BIN)/python -m tests.tables
	$(BIN)/python -m tests.pictures

demo: $(INSTALLED) ## Show the whole path with real Pods on kind, else CLUSTER=embedded; KEEP=1 leaves it up
	@$(BIN)/python -m tests.demo --cluster $(or $(CLUSTER),auto) $(if $(KEEP),--keep)

demo-recording: $(INSTALLED) ## Record the demo for the README (docs/screenshots/demo.svg)
	@$(BIN)/python -m tests.demo.record

clean: ## Remove what was made in the checkout (the programs' cache stays)
	rm -rf .venv .run dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find operator tests examples -name __pycache__ -type d -prune -exec rm -rf {} +
