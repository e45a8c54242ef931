# The front door. `make` lists what there is; demo and test set everything up by themselves on a Debian machine (as root).

SHELL := /bin/bash
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin
export HOME ?= /root
export CGO_ENABLED := 0
BUILD ?= build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what building and testing need (apt-get, as root)
	@test/vm/setup

build: setup ## compile the three programs into ./build; then: meson install -C build
	@[ -d $(BUILD)/meson-info ] || meson setup $(BUILD)
	@meson compile -C $(BUILD)

packages: setup ## build .deb, .rpm and Arch packages into ./build/packages (docs/packages.md)
	@packaging/build $(BUILD)/packages && ls $(BUILD)/packages

demo: $(if $(HOST),,setup) ## boot a virtual Debian and watch one file become a container; HOST=1: on this very host, which is as before then
	@$(if $(HOST),test/vm/demo,test/vm/run --image trixie demo)

test: test-unit test-kernel ## unit tests, kernel tests, journeys on bookworm and trixie: the most important ones, and how the wiki page begins
	@test/vm/suites bookworm:quick trixie:quick trixie:journey=wiki/create

# journeys on hosts of their own: with more packages, which would be in each other's way, without what meson installs, or with nspawn-exec
# under the name systemd-nspawn
others := networkmanager docker ufw firewalld packages wiki

# what races is repeated a thousand times
test-all: export NSPAWNKIT_LONG_TESTS = 1
test-all: test-unit test-kernel test-escape ## the same with sid, without systemd-container, with systemd-nspawn itself and with /bin/true
	@test/vm/run --image trixie selinux
	@test/vm/run --image trixie apparmor
	@test/vm/suites bookworm trixie sid bookworm:no-container-package:quick trixie:no-container-package trixie:no-container-package:journey=packages \
	    bookworm:oracle trixie:oracle sid:oracle trixie:with-true trixie:journey=sysvinit $(foreach journey,$(others),$(foreach suite,bookworm trixie sid,$(suite):journey=$(journey)))

test-unit: lint ## lint and go test; needs no root, takes seconds
	@go test ./...

lint: ## gofmt, go vet, staticcheck (staticcheck.conf)
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt: $$unformatted"; exit 1; }
	@go vet ./...
	@go tool -modfile=test/tools/go.mod staticcheck ./...

watch: ## unit tests of each package as you save its files, and of those that import it
	@test/watch

golden: ## write anew the golden files and tables in docs/ and man/ that unit tests compare; then read git diff
	@go test -count=1 $$(git grep -l '"update", false' -- '*_test.go' | xargs -n 1 dirname | sort -u | sed 's,^,./,') -update
	@git status --short

# where journey plays: bookworm, trixie or sid
IMAGE ?= trixie

journey: setup ## one journey of test/vm/journeys: make journey NAME=ports IMAGE=bookworm
	@test/vm/run --image $(IMAGE) $(or $(NAME),$(error NAME= one of: $(basename $(notdir $(wildcard test/vm/journeys/*.sh)))))

shell: setup ## a shell on a virtual host with everything installed, containers too: make shell IMAGE=sid
	@test/vm/run --image $(IMAGE) --shell

recording: setup ## play the demo and draw the picture in the README of it (docs/demo.cast for asciinema, docs/demo.svg)
	@set -o pipefail; test/vm/run --image trixie demo | go run ./test/recording docs/demo.cast docs/demo.svg

screenshot: setup ## draw with a program in a container on an X server of a virtual host, and keep the picture (docs/x11.png)
	@command -v xwdtopnm >/dev/null || apt-get -qq install -y --no-install-recommends netpbm >/dev/null
	@test/vm/run --image trixie --logs $(BUILD)/x11 wiki/x11
	@set -o pipefail; xwdtopnm -quiet $(BUILD)/x11/files/screenshot.xwd | pnmtopng -quiet >docs/x11.png

release: setup ## build dist/VERSION twice, compare, and tag this commit: make release VERSION=1.2.3; pushes nothing
	@release/release "$(VERSION)"

# tests that are parallel wait for answers most of the time
test-kernel: setup ## the tests that need root and this machine's kernel, in namespaces of their own
	@NSPAWNKIT_KERNEL_TESTS=1 go test -count=1 -parallel 6 -timeout 60m ./...

test-escape: setup ## take out one protection after the other: its test must turn red; then try to escape from ours and the peers
	@go run ./test/escape
	@set -o pipefail; NSPAWNKIT_KERNEL_TESTS=1 go test -count=1 -v -run '^TestBesidePeers$$' ./cmd/nspawn-exec | sed -n 's/^ *peers_test.go:[0-9]*: //p;/^--- \|^FAIL\|^ok/p'

bench-generator: ## nspawn-generator beside podman's quadlet: time and memory on 1 to 5000 files (docs/performance.md)
	@mkdir -p bin
	@go build -trimpath -ldflags '-s -w' -o bin/ ./cmd/nspawn-generator ./test/bench
	@quadlet=$$(test/bench/quadlet) && realtime=$$(chrt -r 1 echo chrt -r 1 2>/dev/null); \
	    $$realtime bin/bench bin/nspawn-generator "$$quadlet"

bench-start: ## nspawn-exec beside systemd-nspawn and crun, installed and of sid: start to exit, idle memory, 100 containers at once
	@mkdir -p bin
	@go build -trimpath -ldflags '-s -w' -o bin/ ./cmd/nspawn-exec ./test/bench/start
	@peers=$$(test/bench/peers) && bin/start -sid "$$peers" bin/nspawn-exec

bench-network: ## networkd-lite beside dnsmasq, kea and systemd-networkd of sid: DHCP exchanges a second, latency, memory; then 500 links
	@mkdir -p bin
	@go build -trimpath -ldflags '-s -w' -o bin/ ./cmd/networkd-lite ./test/bench/network
	@servers=$$(test/bench/dhcp-servers) && bin/network -sid "$$servers" bin/networkd-lite

.PHONY: help setup build packages demo test test-all test-unit lint watch golden journey shell recording screenshot release test-kernel test-escape bench-generator bench-start bench-network
