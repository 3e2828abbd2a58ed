# Targets for people and for CI; `make help` lists them. Works with GNU make 3.81 (macOS) and later.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SOURCES := operator tests examples
# Integration tests mostly wait; each parallel worker has its own control plane.
WORKERS ?= 3
# This test needs the whole machine and runs last.
STRESS := tests/integration/test_receiver_stress.py
# A word is a group of steps that run side by side, two at a time.
STEPS := chart+lint+workflows+docs+types+layers+contract+gitops unit integration e2e-short
# make 4 and later print the lines of such steps one step after another.
SIDE_BY_SIDE := -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
NOT_RUN := .run/not-run
# The test cluster: kind (containers, real Pods) or embedded (control plane and a simulated kubelet).
# Without a choice the demo uses kind where kind works.
CLUSTER ?=

.DEFAULT_GOAL := help
.PHONY: help python venv lock tools cluster cluster-stop image kind kind-stop e2e e2e-short check hooks fmt lint types layers unit integration soak soak-short bench browser contract screenshots test crds chart chart-files release release-publish release-check version workflows audit gitops gitops-files docs docs-serve docs-files demo demo-programs demo-recording clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required; set PYTHON=...")'

venv: $(INSTALLED) ## Create the virtual environment .venv from the lock

$(INSTALLED): requirements.lock pyproject.toml | python
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $(INSTALLED)

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-header --no-emit-index-url --no-emit-find-links --upgrade -q

lock: $(INSTALLED) ## Update the locks of development, image build and image
	$(COMPILE) pyproject.toml --group dev -o requirements.lock
	$(COMPILE) pyproject.toml -c requirements.lock -o requirements-runtime.lock
	echo hatchling | $(COMPILE) - -c requirements.lock -o requirements-build.lock

tools: python ## Build or find the programs of the test cluster; `make -s tools` prints their folder
	@$(PYTHON) -m tests.cluster.binaries

cluster: $(INSTALLED) ## Run a kind cluster with our images until Ctrl-C; CLUSTER=embedded: control plane, CRDs, a simulated node
ifeq ($(CLUSTER),embedded)
	@$(BIN)/python -m tests.cluster
else ifneq ($(filter kind auto,$(CLUSTER) $(if $(CLUSTER),,kind)),)
	@$(BIN)/python -m tests.kind run
else
	$(error CLUSTER is $(CLUSTER); use embedded or kind)
endif

cluster-stop: $(INSTALLED) ## Stop the test cluster of this checkout
	@$(BIN)/python -m tests.cluster --stop

image: $(INSTALLED) ## Build the images of meetingbots and the example bot; BASE_IMAGE=... sets their base
	@$(BIN)/python -m tests.kind.project_images

kind: $(INSTALLED) ## Start a kind cluster with the images; KIND_NAME=... sets its name
	@$(BIN)/python -m tests.kind start $(if $(KIND_NAME),--name $(KIND_NAME))

kind-stop: $(INSTALLED) ## Delete that kind cluster
	@$(BIN)/python -m tests.kind stop $(if $(KIND_NAME),--name $(KIND_NAME))

# Where a release is published, such as ghcr.io/OWNER, and the architectures of its images.
REGISTRY ?= registry.example
ARCHITECTURES ?= amd64,arm64

release: $(INSTALLED) ## Build a release into dist/: images, chart, packages, CRDs, SBOMs, plugin; REGISTRY=... ARCHITECTURES=...
	@$(BIN)/python -m tests.release build --registry "$(REGISTRY)" --architectures "$(ARCHITECTURES)"

release-publish: $(INSTALLED) ## Push and sign the release in dist/
	@$(BIN)/python -m tests.release publish

version: $(INSTALLED) ## Print the version
	@$(BIN)/meetingbots --version

workflows: $(INSTALLED) ## Check the workflows of GitHub Actions with actionlint
	@$(BIN)/python -m tests.checks.workflows

# Images: feed their SBOMs to a scanner.
audit: $(INSTALLED) ## Look for known vulnerabilities in the locks of the image and of development (says NOT AUDITED, and fails, where there is no database)
	@$(BIN)/python -m tests.checks.audit

release-check: $(INSTALLED) ## Build a release, publish it to a registry of the test, verify and install it; ARGS=... goes to pytest
	$(BIN)/pytest tests/release $(ARGS)

fmt: $(INSTALLED) ## Format the code and apply ruff's fixes
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lint: $(INSTALLED) ## Check format and style
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(INSTALLED) ## Check types (mypy --strict)
	$(BIN)/mypy

layers: $(INSTALLED) ## Check that imports go only down the layers
	$(BIN)/lint-imports

unit: $(INSTALLED) ## Tests without Kubernetes; ARGS=... goes to pytest
	$(BIN)/pytest tests/unit -n auto --maxprocesses 4 $(ARGS)

integration: $(INSTALLED) ## Tests on a real API server; ARGS=... goes to pytest
	@$(PYTHON) -m tests.cluster.binaries >/dev/null
	$(BIN)/pytest tests/integration -n $(WORKERS) --dist worksteal --ignore=$(STRESS) $(ARGS)
	$(BIN)/pytest $(STRESS) $(ARGS)

# How long faults happen in make soak, and the seed of a run to repeat.
MINUTES ?= 10
SEED ?=

soak: $(INSTALLED) ## Everything fails at random for MINUTES=..., then rules are checked; SEED=... repeats a run's faults
	@$(PYTHON) -m tests.cluster.binaries >/dev/null
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

soak-short: ## One minute of soak, with the same faults each time
	@$(MAKE) --no-print-directory soak MINUTES=1 SEED=1

bench: $(INSTALLED) ## Benchmarks beside bare loops; PART=... selects some (load, scale, stress, burst, shards, credentials, hostile, outcomes, decisions)
	@$(PYTHON) -m tests.cluster.binaries >/dev/null
	@$(BIN)/python -m tests.bench $(PART)

e2e: $(INSTALLED) ## Tests on a kind cluster; ARGS=... goes to pytest, MEETINGBOTS_E2E_IMAGE_DELAY=180 delays an image by 180 s
	$(BIN)/pytest tests/e2e $(ARGS)

e2e-short: $(INSTALLED) ## A short selection of the tests on kind; where kind cannot run it prints the reason
	@mkdir -p $(dir $(NOT_RUN)); why=$$($(BIN)/python -m tests.kind prepare); code=$$?; \
	if [ $$code = 0 ]; then $(BIN)/pytest tests/e2e -m short $(ARGS); \
	elif [ $$code = 3 ]; then echo "e2e-short: $$why" | tee -a $(NOT_RUN); \
	else exit $$code; fi

browser: $(INSTALLED) ## Tests of the connect pages in Chromium, installed by itself for root on Debian; ARGS=... goes to pytest
	@$(PYTHON) -m tests.cluster.binaries >/dev/null
	@$(BIN)/python -m tests.browser.chromium >/dev/null
	$(BIN)/pytest tests/browser $(ARGS)

screenshots: ## Update the pictures in docs/screenshots
	MEETINGBOTS_SCREENSHOTS=docs/screenshots $(MAKE) --no-print-directory browser ARGS="-k test_screenshots $(ARGS)"

check: $(INSTALLED) ## Format, lint, types, layers, dead code, and the unit tests of what changed since main: about a minute
	@begun=$$(date +%s); \
	$(BIN)/ruff format -q $(SOURCES) && $(BIN)/ruff check $(SOURCES) && $(BIN)/lint-imports >/dev/null && $(BIN)/vulture && \
	$(BIN)/mypy && tests=$$($(BIN)/python -m tests.checks.changed_tests) && \
	{ [ -z "$$tests" ] || $(BIN)/pytest -q -n 2 tests/unit/checks $$tests; } && \
	echo "== make check: passed in $$(( $$(date +%s) - begun )) s"

hooks: $(INSTALLED) ## Install the commit hooks of .pre-commit-config.yaml
	$(BIN)/pre-commit install

test: ## Everything that CI runs
	@begun=$$(date +%s); rm -f $(NOT_RUN); \
	for group in $(STEPS); do \
	    case $$group in *+*) how="$(SIDE_BY_SIDE)";; *) how="";; esac; steps=$$(echo $$group | tr + ' '); \
	    echo "== make $$steps"; $(MAKE) --no-print-directory $$how $$steps || exit 1; \
	done; \
	echo "== all steps ($(STEPS)) passed in $$(( $$(date +%s) - begun )) s"; \
	if [ -s $(NOT_RUN) ]; then echo "!! NOT RUN on this machine:"; cat $(NOT_RUN); fi; \
	echo "   Not part of this run: make browser (connect pages in Chromium), make e2e (all on kind), make bench, make soak-short, make soak."

contract: $(INSTALLED) ## Check simulator and webhook parser with Zoom's own SDK, in Node.js; ARGS=... goes to pytest
	@mkdir -p $(dir $(NOT_RUN)); why=$$($(BIN)/python -m tests.contract.node); code=$$?; \
	if [ $$code = 0 ]; then $(BIN)/pytest tests/contract $(ARGS); \
	elif [ $$code = 3 ]; then echo "contract: $$why" | tee -a $(NOT_RUN); \
	else exit $$code; fi

crds: $(INSTALLED) ## Write crds/*.yaml from the models
	$(BIN)/meetingbots crds -o crds

chart: $(INSTALLED) ## Check the Helm chart: lint, helm-unittest, kubeconform, drift, installs; ARGS=... goes to pytest
	@$(PYTHON) -m tests.cluster.binaries >/dev/null
	@$(PYTHON) -m tests.chart.programs
	$(BIN)/pytest tests/chart $(ARGS)

chart-files: $(INSTALLED) ## Update the chart's copies: CRDs, the README's table, the schema's descriptions
	rm -f charts/meetingbots/files/crds/*.yaml
	cp crds/*.yaml charts/meetingbots/files/crds/
	$(BIN)/python -m tests.chart.readme
	$(BIN)/python -m tests.chart.schema_texts

gitops: $(INSTALLED) ## Check the health of our objects with the engines of Flux, Argo CD and kstatus; ARGS=... goes to pytest
	@$(PYTHON) -m tests.gitops.engines
	$(BIN)/pytest tests/gitops $(ARGS)

gitops-files: $(INSTALLED) ## Update examples/gitops: Argo CD's ConfigMap from the scripts beside it
	$(BIN)/python -m tests.gitops.argocd_cm

docs: $(INSTALLED) ## Build the documentation into .run/site; fails on a broken link or a page outside the navigation
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

docs-serve: $(INSTALLED) ## Serve the documentation and rebuild it on each change
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

docs-files: $(INSTALLED) ## Update what the documentation has from elsewhere: tables from the code, pictures from their sources
	$(BIN)/python -m tests.tables
	$(BIN)/python -m tests.pictures

demo-programs: python
	@$(PYTHON) -m tests.demo.programs $(or $(CLUSTER),auto) $(if $(KEEP),--keep) &

demo: demo-programs $(INSTALLED) ## Show a recording from end to end on the quickest cluster here; CLUSTER=kind or embedded chooses; KEEP=1 keeps it
	@$(BIN)/python -m tests.demo --cluster $(or $(CLUSTER),auto) $(if $(KEEP),--keep)

demo-recording: $(INSTALLED) ## Record the demo for the README (docs/screenshots/demo.svg)
	@$(BIN)/python -m tests.demo.record

clean: ## Remove generated files from the checkout; the cache of programs stays
	rm -rf .venv .run dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find operator tests examples -name __pycache__ -type d -prune -exec rm -rf {} +
