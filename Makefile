SHELL := /bin/bash
.DEFAULT_GOAL := help

TAGS     := nomsgpack
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
PACKAGES ?= ./...
# How many tests of a package run at once: they mostly wait, for an engine or a disk.
PARALLEL ?= $(shell expr 2 \* $$(nproc))
# How many random histories of each kind are played, and which: 0 has a seed drawn.
HISTORIES ?= 1000
SEED      ?= 0

.PHONY: help build test test-unit histories lint demo bench engine engine-down images browser race-compiler clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## .bin/lightd, one static binary
	CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o .bin/lightd ./cmd/lightd

test: lint engine images browser race-compiler ## everything, with the race detector, against a real engine and registry
	go test -race -tags $(TAGS) -timeout 30m -parallel $(PARALLEL) $(PACKAGES)

test-unit: race-compiler ## what needs no engine
	LIGHTD_TEST_NO_ENGINE=1 go test -race -tags $(TAGS) -timeout 10m -parallel $(PARALLEL) $(PACKAGES)

histories: race-compiler ## many random histories of a node; HISTORIES=1000 of each kind, SEED=0 has one drawn
	LIGHTD_TEST_NO_ENGINE=1 LIGHTD_TEST_HISTORIES=$(HISTORIES) LIGHTD_TEST_SEED=$(SEED) \
		go test -race -tags $(TAGS) -timeout 0 -v -run TestHistories ./controller

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		if [ -n "$$unformatted" ]; then echo "gofmt these:"; echo "$$unformatted"; exit 1; fi
	go vet -tags $(TAGS) $(PACKAGES)
	go tool staticcheck -tags $(TAGS) $(PACKAGES)

demo: engine images build ## the whole daemon at work, from a spec to a running container
	go run -tags $(TAGS) ./hack/demo

bench: engine images build ## what the daemon takes, beside the engine alone
	go run -tags $(TAGS) ./hack/bench

engine: ## a Docker engine, started where none answers
	@hack/engine up

engine-down: ## stop what the tests started: the engine and the registry
	@hack/images registry down
	@hack/engine down

images: engine # the test images, and the registry to pull from
	@hack/images
	@hack/images registry up

browser: # headless Chromium, for the test of hack/console.html
	@command -v chromedriver >/dev/null || hack/apt chromium chromium-driver

race-compiler: # the race detector is linked with a C compiler
	@command -v "$$(go env CC)" >/dev/null || hack/apt gcc libc6-dev

clean: ## remove what was built
	rm -rf .bin
