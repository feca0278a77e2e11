SHELL := /bin/bash
.DEFAULT_GOAL := help

TAGS     := nomsgpack
# What is compiled in one checkout is not compiled again in another.
export GOFLAGS := $(shell go env GOFLAGS) -trimpath
PACKAGES ?= ./...
# What packages and images are for.
ARCHITECTURES ?= $(shell go env GOARCH)
# How many random histories of each kind are played, and which: 0 has a seed drawn.
HISTORIES ?= 1000
SEED      ?= 0
# How long "make soak" lasts, its requests a second, and more flags of hack/soak.
SOAK       ?= 2h
SOAK_RATE  ?= 50
SOAK_FLAGS ?=
# What "make bench" measures: names of scenarios, or all of them; "make bench-go" takes a regular expression.
export BENCH ?=
# What "make bench-go" compares with.
export BASE ?= HEAD^
BENCH_RUN = go run -tags $(TAGS) ./hack/bench $(BENCH_FLAGS) $(if $(filter list,$(BENCH)),-list,-scenarios "$(BENCH)")
# How long each fuzz target runs: 1h for hours.
export FUZZTIME ?= 1m

.PHONY: help build test test-unit test-sim test-e2e engines histories fuzz lint audit demo bench bench-quick bench-go soak engine engine-down images browser prometheus receiver quotas race-compiler clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## .bin/lightd, one static binary
	@hack/package/build program

test: ## lint and all three tiers, with the race detector
	@$(MAKE) --no-print-directory -j 2 --output-sync=target lint images browser prometheus receiver quotas
	@hack/test -race unit sim e2e

test-unit: ## the first tier: needs no engine, under a minute
	@hack/test unit

test-sim: race-compiler ## the second: random histories and a crash at every point, on the simulated engine
	@hack/test -race sim

test-e2e: engine images browser prometheus receiver quotas race-compiler ## the third: a real engine and registry, a browser, kills
	@hack/test -race e2e

histories: race-compiler ## many random histories of a node; HISTORIES=1000 of each kind, SEED=0 has one drawn
	LIGHTD_TEST_HISTORIES=$(HISTORIES) LIGHTD_TEST_SEED=$(SEED) \
		go test -race -tags $(TAGS) -timeout 0 -v -run TestHistories ./controller

fuzz: ## each fuzz target for FUZZTIME=1m; "make test" runs their seeds alone
	@hack/fuzz

# Lint and tests share what the compiler makes of a package: both want it with the race detector.
lint: race-compiler ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		if [ -n "$$unformatted" ]; then echo "gofmt these:"; echo "$$unformatted"; exit 1; fi
	go vet -race -tags $(TAGS) $(PACKAGES)
	GOFLAGS="$$(go env GOFLAGS) -race" $$(go tool -n staticcheck) -tags $(TAGS) $(PACKAGES)

audit: ## known vulnerabilities of what is linked, and the direct dependencies with their reasons
	@hack/audit

demo: engine images build ## the whole daemon at work, from a spec to a running container
	@hack/demo/demo.sh

bench: engine images build ## what the daemon takes, beside the engine alone; BENCH="starts crash" for some scenarios, BENCH=list names them
	@$(BENCH_RUN)

bench-quick: engine images build ## the most telling of it in small sizes, at most 4 minutes
	@$(BENCH_RUN) -quick

bench-go: ## Go benchmarks of the hot paths, BASE=HEAD^ and what is here in turn, compared; BENCH=Reconcile for some
	@hack/bench-go

soak: engine build ## mixed load for SOAK=2h on an engine of its own: what is lost, left or grows; plots in .bin/soak
	@hack/images >/dev/null
	go run -tags $(TAGS) ./hack/soak -duration $(SOAK) -rate $(SOAK_RATE) -seed $(SEED) $(SOAK_FLAGS)

.PHONY: package image package-test reproducible
package: ## .bin/lightd_*.deb for ARCHITECTURES="amd64 arm64"
	@hack/package/build deb $(ARCHITECTURES)

image: ## .bin/lightd_*.image.tar, a container image of the daemon for docker load
	@hack/package/build image $(ARCHITECTURES)

package-test: engine ## install, upgrade, reload, hang, remove and purge the package under a real systemd
	@hack/package/test

reproducible: ## package and image of this commit, made twice and compared byte by byte
	@hack/package/reproducible

engine: ## a Docker engine, started where none answers
	@hack/engine up

engines: engine images ## the main job on each kind of engine, in a table; KINDS="docker28 podman5.4" for some
	@hack/engines $(KINDS)

engine-down: ## stop what the tests started: the engine and the registry
	@hack/images registry down
	@hack/engine down

images: engine # the test images, and the registry to pull from
	@hack/images
	@hack/images registry up

browser: # headless Chromium, for the test of hack/console.html
	@command -v chromedriver >/dev/null || hack/apt chromium chromium-driver

prometheus: # for the test of hack/prometheus
	@command -v promtool >/dev/null || hack/apt prometheus

receiver: # of the OpenTelemetry Collector, for the test of the traces
	@go build -C hack/otlp -o ../../.bin/otlp .

quotas: # for the tests of project quotas, in a network without a way to Debian's packages
	@hack/quota-kernel --install

race-compiler: # the race detector is linked with a C compiler
	@command -v "$$(go env CC)" >/dev/null || hack/apt gcc libc6-dev

clean: ## remove what was built
	rm -rf .bin
