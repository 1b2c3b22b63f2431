# The README's commands, and what .ci/run calls.

GO      ?= go
FUZZTIME ?= 10s
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X imzo/internal/cli.version=$(VERSION)

.PHONY: all build release test race lint fuzz cover bench bench-timing bench-parts cross up clean

all: lint test build

build:            ## one static binary in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/imzo ./cmd/imzo

release:          ## dist/: the six binaries, their SBOMs and SHA256SUMS; the same bytes everywhere
	$(GO) run ./scripts/release -go '$(GO)' -version '$(VERSION)' -out dist

test:             ## every test; those that need an absent program say so and skip
	$(GO) test ./...

race:             ## every test under the race detector
	$(GO) test -race -timeout 30m ./...

lint:
	@out="$$(gofmt -l .)"; if [ -n "$$out" ]; then echo "gofmt: $$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

fuzz:             ## each fuzz target for FUZZTIME
	./scripts/fuzz.sh $(FUZZTIME)

cover:            ## statement coverage of the libraries, at least 85 %
	./scripts/cover.sh 85 ./gost/... ./pki/... ./verify/...

bench:            ## ours and the peers in one run, in one table; flags in BENCH, such as BENCH='-only crypto'
	$(GO) run ./bench $(BENCH)

bench-timing:     ## whether the time of private-key operations tells of keys; flags in BENCH
	$(GO) run ./bench/timing $(BENCH)

bench-parts:      ## the benchmarks of single packages
	$(GO) test -run '^$$' -bench . -benchmem ./gost/... ./pki/... ./verify/... ./internal/eimzo/...

cross:            ## the binary builds for every system we promise
	for os in linux darwin windows; do for arch in amd64 arm64; do \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -o /dev/null ./cmd/imzo || exit 1; done; done

up: 
	$(GO) run ./cmd/imzo up

clean:
	rm -rf bin dist coverage.out
