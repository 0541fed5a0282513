# `make cluster` brings up a proven Kubernetes network on this machine, `make test` proves flatnet itself.
# Both start from nothing but git, make, Go and Python 3.11; what else they need they install themselves.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
export PATH := $(CURDIR)/.venv/bin:$(PATH)

HOSTS := python -m tests.container_hosts

.PHONY: help cluster destroy test test-all ci lint unit integration browser molecule benchmark docs programs clean machine venv

help:
	@awk -F ':.*## ' '/^[-a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

cluster: machine venv ## three hosts on this machine with a proven pod network, left running
	@python -m tests.pipeline cluster
	@tests/show-cluster

destroy: venv ## remove the hosts of `make cluster` and of every test, with all that belongs to them
	@$(HOSTS) destroy --all

test: machine venv ## every tier: lint, unit, contract, integration, a real cluster per scenario
	@python -m tests.pipeline test

test-all: machine venv ## the same, with the backends whose programs take many minutes to build
	@python -m tests.pipeline test-all

ci: machine venv ## the same as test, with those of them that are built already
	@python -m tests.pipeline ci

lint: venv ## every linter
	@tests/lint

unit: venv ## unit and contract tests: no root, no network, seconds
	@python -m pytest

integration: machine venv ## tests with real hosts, without a cluster on them
	@python -m pytest tests/integration

browser: machine venv ## the page of a plan in a headless browser
	@python -m pytest tests/browser

molecule: machine venv ## a real cluster per scenario; SCENARIOS="default flannel" picks some
	@python -m tests.pipeline molecule $(SCENARIOS)

benchmark: machine venv ## how long provisioning takes
	@python tests/benchmark/provision.py

docs: venv ## write the pages that are made from the code: filters, backends, settings
	@python -m tests.docs.filters
	@python -m tests.docs.backends
	@python -m tests.docs.settings
	@python -m tests.docs.plan_schema
	@python -m tests.docs.contract

programs: machine venv ## build the programs of Kubernetes and friends into the cache
	@python -m flatnet.programs build

clean: ## remove what was made in this checkout; the cache of programs and images stays
	@rm -rf .venv reports .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache flatnet.egg-info
	@find . -name __pycache__ -prune -exec rm -rf {} +

machine:
	@tests/setup-machine

venv:
	@tests/make-venv
