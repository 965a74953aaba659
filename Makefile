# SPDX-License-Identifier: BSD-3-Clause
# Respite: the one entry point. `make help` lists what there is.
#
# Nothing is listed by name here: a new .c file under src/<folder>/, tests/unit/<folder>/,
# tests/integration/, tests/fuzz/ or utils/bench/, and utils/respite-*.c, is picked up by itself, and so are scripts named
# test_*.sh under tests/integration/ and tests/house/, and programs in redis-compat/clients/. The three of redis-compat/replication/
# are named: they share their files.
#
# Each mode (release, debug, coverage, fuzz, or a sanitizer's) has its own folder under build/:
#   obj/   objects of src/             lib/    one archive a folder of src/, for the tests
#   tests/ objects and programs        flags   the compiler and flags they were made with

MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
AR := $(if $(findstring clang,$(CC)),ar,gcc-ar)

B := build
SAN ?= ## sanitizers (address,undefined): a build of its own, and tests against it
CFLAGS ?= ## more flags for the compiler; WERROR= lets warnings pass, LTO= switches it off
V ?= ## 1 shows the commands
COMPAT_ARGS ?= ## options for make compat, such as --family string
BENCH ?= all## what make bench measures: strings, collections, memory, latency or all
PEERS ?= redis-8 valkey-8## what make bench-peers measures beside
FUZZ_SECONDS ?= 60## how long make fuzz runs each target
PREFIX ?= /usr/local## where make install puts things
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)## where make install puts respite/respite.conf
UNITDIR ?= $(PREFIX)/lib/systemd/system## and where the systemd unit
DESTDIR ?= ## a root to put before PREFIX
WERROR ?= -Werror
LTO ?= -flto=auto
Q := $(if $(strip $(V)),,@)

comma := ,
empty :=
space := $(empty) $(empty)

# ---- packages -----------------------------------------------------------------------------------

# Goals that see to their packages before anything is built (deps/packages.txt has the groups). Then
# make starts again for all goals at once, so that it stays one make that builds, whatever -j says.
# A goal that comes alone uses all cores unless told otherwise; make check tells all findings.
NEEDS_run := build run
NEEDS_test := build test check
NEEDS_test-long := build test
NEEDS_test-replication := build test
NEEDS_compat := build test
NEEDS_repl-stream := build test
NEEDS_interchange := build test
NEEDS_check := build check
NEEDS_bench := build bench
NEEDS_bench-peers := build bench
NEEDS_bench-stall := build bench
NEEDS_bench-reclaim := build bench
NEEDS_bench-expire := build bench
NEEDS_bench-pubsub := build bench
NEEDS_bench-persist := build bench
NEEDS_bench-repl := build bench
NEEDS_bench-table := build
NEEDS_bench-eviction := build bench
NEEDS_profile := build bench profile
NEEDS_pgo := build bench
NEEDS_fuzz := build fuzz
NEEDS_coverage := build test coverage
NEEDED := $(sort $(foreach goal,$(MAKECMDGOALS),$(NEEDS_$(goal))))

ifneq ($(if $(PACKAGES_CHECKED),,$(NEEDED)),)

JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS))$(word 2,$(MAKECMDGOALS)),,-j$(shell nproc))
KEEP_GOING := $(if $(filter check,$(MAKECMDGOALS)),-k)

$(MAKECMDGOALS): again
	@:
again:
	$(Q)deps/install.sh $(NEEDED)
	$(Q)$(MAKE) --no-print-directory PACKAGES_CHECKED=1 $(JOBS) $(KEEP_GOING) $(MAKECMDGOALS)
.PHONY: again $(MAKECMDGOALS)

else

# ---- flags --------------------------------------------------------------------------------------

CPPFLAGS_ALL := -Isrc -D_GNU_SOURCE $(CPPFLAGS)
WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
CFLAGS_ALL := -std=gnu11 -g $(WARNINGS)
CHECKED := -DRESPITE_DEBUG -fno-omit-frame-pointer

SAN_MODE := $(if $(SAN),san-$(subst $(comma),-,$(SAN)))
MODES := release debug coverage fuzz pgo-gen pgo $(SAN_MODE)
# What tests are compiled in, and which server the integration tests start.
TEST_MODE := $(if $(SAN),$(SAN_MODE),debug)
SERVER_MODE := $(if $(SAN),$(SAN_MODE),release)## pgo: make all, run, test and install take the server of make pgo

# Under AddressSanitizer libc's malloc is used (src/base/memory.h), so jemalloc stays out.
JEMALLOC := -l:libjemalloc.a
SYSTEM_LIBS := -l:libev.a -llzf -lm -lpthread -ldl

CC_release := $(CC)
CFLAGS_release := $(CFLAGS_ALL) -O2 $(LTO) $(CFLAGS)
LIBS_release := $(JEMALLOC) $(SYSTEM_LIBS)

CC_debug := $(CC)
CFLAGS_debug := $(CFLAGS_ALL) -Og $(CHECKED) $(CFLAGS)
LIBS_debug := $(JEMALLOC) $(SYSTEM_LIBS)

# Twice the same: pgo-gen counts what is executed, and pgo is compiled with these counts. gcc knows
# static functions by where their object lies, so both are told the same. Warnings that come with other
# inlining, or say that a file was not trained, are not to stop it.
CFLAGS_PGO := $(filter-out -Werror,$(CFLAGS_ALL)) -Wno-maybe-uninitialized -Wno-missing-profile -O2
CC_pgo-gen := $(CC)
CFLAGS_pgo-gen = $(CFLAGS_PGO) -fprofile-generate -fprofile-update=prefer-atomic \
    -dumpdir $(patsubst $(B)/pgo-gen%,$(B)/pgo%,$(@D))/ $(CFLAGS)
LIBS_pgo-gen := $(LIBS_release)

# Knowing how long copies are, gcc would rather copy by loops and `rep movs` than call libc, which is
# better at it beyond a few words.
COPIES := $(if $(filter x86_64,$(shell uname -m)),-mmemcpy-strategy=unrolled_loop:32:noalign$(comma)libcall:-1:noalign)
CC_pgo := $(CC)
CFLAGS_pgo := $(CFLAGS_PGO) $(LTO) -fprofile-use -fprofile-partial-training $(COPIES) $(CFLAGS)
LIBS_pgo := $(LIBS_release)

CC_coverage := $(CC)
CFLAGS_coverage := $(CFLAGS_ALL) -Og --coverage -DRESPITE_DEBUG $(CFLAGS)
LIBS_coverage := $(JEMALLOC) $(SYSTEM_LIBS)

CC_fuzz := clang
CFLAGS_fuzz := $(filter-out -Werror,$(CFLAGS_ALL)) -O1 $(CHECKED) \
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all $(CFLAGS)
LIBS_fuzz := $(SYSTEM_LIBS)

ifneq ($(SAN),)
CC_$(SAN_MODE) := $(CC)
# The two warnings: gcc's manual says that sanitizers make it see what isn't there.
CFLAGS_$(SAN_MODE) := $(CFLAGS_ALL) -Wno-maybe-uninitialized -Wno-format-truncation \
    -O1 $(CHECKED) -fsanitize=$(SAN) -fno-sanitize-recover=all $(CFLAGS)
LIBS_$(SAN_MODE) := $(if $(findstring address,$(SAN)),,$(JEMALLOC)) $(SYSTEM_LIBS)
endif

CHECK_LIBS := -lcheck_pic -lsubunit -lrt -lm -lpthread

# ---- what there is ------------------------------------------------------------------------------

# "folder:lower" for each folder of src/ and each folder it may use, from the highest level down.
BELOW := $(shell awk '!/^\#/ && NF { \
        for (i = 2; i <= NF; i++) { level[$$i] = $$1; order[++n] = $$i } } \
    END { for (i = 1; i <= n; i++) for (j = n; j >= 1; j--) \
        if (level[order[j]] < level[order[i]]) print order[i] ":" order[j] }' utils/check/layers.txt)
below = $(patsubst $1:%,%,$(filter $1:%,$(BELOW)))

SOURCES := $(wildcard src/*.c src/*/*.c)
FOLDERS := $(sort $(patsubst src/%/,%,$(wildcard src/*/)))
UNIT_FOLDERS := $(filter $(FOLDERS),$(patsubst tests/unit/%/,%,$(wildcard tests/unit/*/)))
UNIT_SOURCES := $(foreach f,$(UNIT_FOLDERS),$(wildcard tests/unit/$f/test_*.c))
INTEGRATION_SOURCES := $(wildcard tests/integration/test_*.c)
# A library to preload into servers, so that disks fail: tests/support/faults.c.
FAULTS_SOURCES := $(wildcard tests/support/faults*.c)
INTEGRATION_SUPPORT := $(filter-out $(INTEGRATION_SOURCES),$(wildcard tests/integration/*.c)) \
    $(filter-out tests/support/unit.c $(FAULTS_SOURCES),$(wildcard tests/support/*.c))
INTEGRATION_SCRIPTS := $(wildcard tests/integration/test_*.sh)
COMPAT_SOURCES := $(wildcard redis-compat/runner/*.c)
COMPAT := $(if $(COMPAT_SOURCES),$(B)/$(TEST_MODE)/compat)
# What the cases make both servers tell a replica: psync, or aof.
STREAMS ?= psync
REPL_STREAM := $(if $(COMPAT),"$(COMPAT) --streams $(STREAMS)")
INTERCHANGE_SOURCES := $(wildcard redis-compat/interchange/*.c) \
    $(patsubst %,redis-compat/runner/%.c,memory words reply connection server)
INTERCHANGE := $(if $(wildcard redis-compat/interchange/*.c),$(B)/$(SERVER_MODE)/interchange)
CLIENTS := $(wildcard redis-compat/clients/run.sh)
# Primaries and replicas, with redis-server at either end. They may be run with redis-server at both (RESPITE_SERVER).
REPLICATION_FOLDER := redis-compat/replication
# The short form has its seed given: the long one finds new faults.
REPLICATION_PROGRAMS := $(if $(wildcard $(REPLICATION_FOLDER)/*.py),"$(REPLICATION_FOLDER)/topologies.py --seed 5" \
    $(REPLICATION_FOLDER)/faults.py $(REPLICATION_FOLDER)/sentinel.py)
REPLICATION_LONG := $(if $(REPLICATION_PROGRAMS),"$(REPLICATION_FOLDER)/topologies.py --seconds 20 --rounds 5" \
    "$(REPLICATION_FOLDER)/faults.py --long" "$(REPLICATION_FOLDER)/sentinel.py --rounds 5")
# Programs for people, and what they share.
UTIL_SOURCES := $(wildcard utils/respite-*.c)
UTIL_SHARED := $(filter-out $(UTIL_SOURCES),$(wildcard utils/*.c))
CLIENT_SOURCES := $(wildcard redis-compat/clients/*.c redis-compat/clients/*.go)
CLIENT_PROGRAMS := $(patsubst redis-compat/%,$(B)/%,$(basename $(CLIENT_SOURCES)))
FUZZ_SOURCES := $(filter-out tests/fuzz/fuzz_main.c,$(wildcard tests/fuzz/fuzz_*.c))
HOUSE_SCRIPTS := $(wildcard tests/house/test_*.sh)

objects = $(patsubst src/%.c,$(B)/$1/obj/%.o,$2)
libs = $(patsubst %,$(B)/$1/lib/lib%.a,$2)
server = $(B)/$(if $(filter release,$1),,$1/)respite-server
util_programs = $(patsubst utils/%.c,$(B)/$(if $(filter release,$1),,$1/)%,$(UTIL_SOURCES))

unit_programs = $(patsubst tests/%.c,$(B)/$1/tests/%,$(UNIT_SOURCES))
integration_programs = $(patsubst tests/%.c,$(B)/$1/tests/%,$(INTEGRATION_SOURCES))
fuzz_programs = $(patsubst tests/%.c,$(B)/$1/tests/%,$(FUZZ_SOURCES))

SERVER := $(call server,$(SERVER_MODE))
UTILS := $(call util_programs,$(SERVER_MODE))
UNIT_PROGRAMS := $(call unit_programs,$(TEST_MODE))
INTEGRATION_PROGRAMS := $(call integration_programs,$(TEST_MODE))
FUZZ_PROGRAMS := $(call fuzz_programs,$(TEST_MODE))

# ---- everyday -----------------------------------------------------------------------------------

all: $(SERVER) $(UTILS) ## Build the server (default): build/respite-server, or the sanitizer's under SAN=

debug: $(call server,debug) ## Build with assertions and no optimisation: build/debug/respite-server

pgo: $(call server,pgo) ## Build with the profile of a training run: build/pgo/respite-server

run: $(SERVER) ## Install what is missing, build, and serve on 127.0.0.1:6379 with conf/respite.conf
	$(Q)exec $(SERVER) conf/respite.conf

install-deps: ## Install every Debian package that building, testing, checking and measuring need
	$(Q)deps/install.sh

# ---- tests --------------------------------------------------------------------------------------

# Sanitizers end the program at the first finding; a leak is one.
export ASAN_OPTIONS ?= detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS ?= print_stacktrace=1
ifneq ($(SAN),)
export CK_TIMEOUT_MULTIPLIER ?= 4
export TEST_TIMEOUT ?= 600
endif
export RESPITE_SERVER ?= $(abspath $(SERVER))
# For those tests that find no library beside themselves.
FAULTS_SHIM := $(B)/$(TEST_MODE)/tests/support/faults.so
RUN_REPLICATION := FAULTS_SHIM=$(abspath $(FAULTS_SHIM))

RUN_TESTS := tests/run.sh
FUZZ_RUNS := $(foreach p,$(FUZZ_PROGRAMS),"tests/support/fuzz-seeds.sh $p")

test: $(SERVER) $(UTILS) test-programs $(COMPAT) $(INTERCHANGE) $(CLIENT_PROGRAMS) ## Install what is missing, build, run all tests; ends in one line `N passed, N failed`
	$(Q)$(RUN_REPLICATION) $(RUN_TESTS) $(UNIT_PROGRAMS) $(FUZZ_RUNS) $(INTEGRATION_PROGRAMS) $(INTEGRATION_SCRIPTS) \
	    $(CLIENTS) $(COMPAT) $(REPL_STREAM) $(INTERCHANGE) $(REPLICATION_PROGRAMS) $(HOUSE_SCRIPTS)

test-unit: $(UNIT_PROGRAMS) $(FUZZ_PROGRAMS) ## Unit tests and the fuzz targets on their seeds
	$(Q)$(RUN_TESTS) $(UNIT_PROGRAMS) $(FUZZ_RUNS)

test-integration: $(SERVER) $(UTILS) $(INTEGRATION_PROGRAMS) ## Tests against a live server
	$(Q)$(RUN_TESTS) $(INTEGRATION_PROGRAMS) $(INTEGRATION_SCRIPTS)

# Tests that leave to chance when a server dies; TEST_ROUNDS says how often.
LONG_PROGRAMS := $(filter %/test_kills %/test_power_cut,$(INTEGRATION_PROGRAMS))

test-long: $(SERVER) $(LONG_PROGRAMS) $(FAULTS_SHIM) ## Kills and power cuts at random moments, 200 of each kind (TEST_ROUNDS)
	$(Q)TEST_ROUNDS=$${TEST_ROUNDS:-200} TEST_TIMEOUT=$${TEST_TIMEOUT:-3600} $(RUN_REPLICATION) $(RUN_TESTS) $(LONG_PROGRAMS) \
	    $(REPLICATION_LONG)

test-replication: $(SERVER) $(FAULTS_SHIM) ## Topologies under random faults, what replication has to stand, Sentinel; with redis-server at either end
	$(Q)$(RUN_REPLICATION) $(RUN_TESTS) $(REPLICATION_PROGRAMS)

test-house: ## Tests of the checks, of deps/install.sh and of this Makefile
	$(Q)$(RUN_TESTS) $(HOUSE_SCRIPTS)

# Options are the runner's, and what is left out with them are the clients.
compat: $(SERVER) $(COMPAT) $(CLIENT_PROGRAMS) ## Respite against redis-server, case by case (COMPAT_ARGS=--help), and real clients
	$(Q)$(if $(strip $(COMPAT_ARGS)),$(COMPAT) $(COMPAT_ARGS),$(RUN_TESTS) $(COMPAT) $(CLIENTS))

repl-stream: $(SERVER) $(COMPAT) ## Replicas are told what redis-server tells its own, over all cases
	$(Q)$(COMPAT) --streams $(STREAMS)

interchange: $(SERVER) $(UTILS) $(INTERCHANGE) ## Data moves between Respite and redis-server by their files, both ways
	$(Q)$(INTERCHANGE)

test-programs: $(UNIT_PROGRAMS) $(FUZZ_PROGRAMS) $(INTEGRATION_PROGRAMS)

# ---- checks -------------------------------------------------------------------------------------

CHECKS := check-layers check-headers check-globals check-size format-check lint

check: $(CHECKS) ## Install what is missing and run every check below
	@echo 'check: all passed'

check-layers: ## A file includes its own folder and the layers below it, nothing else
	$(Q)utils/check/layers.sh

check-headers: ## Every header compiles alone
	$(Q)CC='$(CC)' CFLAGS='$(CPPFLAGS_ALL) -std=gnu11 $(WARNINGS)' utils/check/headers.sh

check-globals: $(call objects,debug,$(SOURCES)) ## Writable globals stand on utils/check/globals.allow
	$(Q)utils/check/globals.sh $(B)/debug/obj $^

check-size: ## Functions and files are short, or stand on utils/check/size.allow
	$(Q)utils/check/size.sh

CODE := $(wildcard $(foreach d,src tests utils redis-compat/runner redis-compat/interchange,$(foreach x,c h, \
    $d/*.$x $d/*/*.$x $d/*/*/*.$x $d/*/*/*/*.$x)) redis-compat/clients/*.c)
SCRIPTS := $(wildcard .ci/run deps/*.sh tests/*.sh tests/*/*.sh utils/*.sh utils/*/*.sh \
    redis-compat/*.sh redis-compat/*/*.sh)

format-check: ## The code is formatted as .clang-format says
	$(Q)printf '%s\n' $(CODE) | xargs -r -P2 -n 20 clang-format --dry-run -Werror

format: ## Format the code
	$(Q)printf '%s\n' $(CODE) | xargs -r clang-format -i

# A file is looked at again when it, a header it includes, or the list of checks has changed: the
# debug object stands for the first two.
LINTED := $(filter %.c,$(CODE))
TIDY_STAMPS := $(patsubst %.c,$(B)/lint/%.tidy,$(LINTED))
# Tests go without the static analyser: it takes most of the time and loses its way in Check's macros,
# and sanitizers watch the tests when they run.
LINT_FLAGS := $(CPPFLAGS_ALL) -Itests -std=gnu11 -DRESPITE_DEBUG -Wall -Wextra

lint: $(TIDY_STAMPS) $(B)/lint/cppcheck.stamp $(B)/lint/shellcheck.stamp ## clang-tidy, cppcheck and shellcheck find nothing

$(B)/lint/src/%.tidy: src/%.c $(B)/debug/obj/%.o .clang-tidy
	$(run_tidy)

$(B)/lint/%.tidy: %.c $(B)/debug/%.o .clang-tidy
	$(run_tidy)

define run_tidy
$(if $(Q),@echo '  TIDY  $<')
@mkdir -p $(@D)
$(Q)clang-tidy --quiet $(if $(filter tests/%,$<),--checks=-clang-analyzer-*) $< -- $(LINT_FLAGS) 2>$@.log || { cat $@.log; exit 1; }
@touch $@
endef

$(B)/lint/cppcheck.stamp: $(CODE) utils/check/cppcheck.supp
	$(if $(Q),@echo '  CPPCHECK')
	@mkdir -p $(B)/lint/cppcheck
	$(Q)cppcheck --quiet -j2 --std=c11 --enable=warning,style,performance,portability \
	    --error-exitcode=1 --inline-suppr --suppressions-list=utils/check/cppcheck.supp \
	    --cppcheck-build-dir=$(B)/lint/cppcheck -Isrc -Itests -D_GNU_SOURCE $(LINTED)
	@touch $@

$(B)/lint/shellcheck.stamp: $(SCRIPTS)
	$(if $(Q),@echo '  SHELLCHECK')
	@mkdir -p $(@D)
	$(Q)shellcheck -x $(SCRIPTS)
	@touch $@

# ---- measuring ----------------------------------------------------------------------------------

bench: $(SERVER) $(B)/release/utils/bench/bench_load $(B)/release/utils/bench/bench_floor $(B)/release/utils/bench/bench_probe ## Side by side with redis-server (BENCH=strings|collections|memory|latency|all); rewrites docs/benchmarks.md
	$(Q)utils/bench/bench.sh $(BENCH)

bench-peers: $(SERVER) $(B)/release/utils/bench/bench_load $(B)/release/utils/bench/bench_floor $(B)/release/utils/bench/bench_probe ## The same beside newer servers (PEERS=redis-8 valkey-8, fetched by deps/peers.sh), groups as of bench
	$(Q)deps/peers.sh
	$(Q)for peer in $(PEERS); do BENCH_PEER=$$peer utils/bench/bench.sh $(BENCH) || exit 1; done

bench-stall: $(SERVER) $(B)/release/utils/bench/bench_load $(B)/release/utils/bench/bench_stall ## How long freeing a collection of a million elements holds up a PING, side by side
	$(Q)utils/bench/bench_stall.sh

bench-reclaim: $(SERVER) $(B)/release/utils/bench/bench_load $(B)/release/utils/bench/bench_stall ## FLUSHALL of 5 M keys, and what comes back when 90 % of them are deleted, side by side
	$(Q)utils/bench/bench_reclaim.sh

bench-expire: $(SERVER) $(B)/release/utils/bench/bench_expire ## How late keys expire, beside redis-server
	$(Q)utils/bench/bench_expire.sh

bench-pubsub: $(SERVER) $(B)/release/utils/bench/bench_pubsub ## CPU per message and memory of stalled subscribers, side by side with redis-server
	$(Q)utils/bench/bench_pubsub.sh

bench-persist: $(SERVER) $(B)/release/utils/bench/bench_load $(B)/release/utils/bench/bench_probe $(B)/release/tests/support/faults.so ## SAVE, loading, appendfsync and what a BGSAVE does to a GET, side by side with redis-server
	$(Q)FAULTS_SHIM=$(B)/release/tests/support/faults.so utils/bench/bench_persist.sh

bench-repl: $(SERVER) $(B)/release/utils/bench/bench_load $(B)/release/utils/bench/bench_probe ## Full sync, CPU per replicated SET, catching up and stalled replicas, side by side with redis-server
	$(Q)utils/bench/bench_repl.sh

bench-table: $(B)/release/utils/bench/bench_table ## Bytes per key and ns per operation of ds/table
	$(Q)$<

bench-eviction: $(SERVER) $(B)/release/utils/bench/bench_eviction ## Misses at the same maxmemory, side by side with redis-server
	$(Q)RESPITE_SERVER=$(SERVER) $(B)/release/utils/bench/bench_eviction $(BENCH_ARGS)

profile: $(SERVER) $(B)/release/utils/bench/bench_load ## Instructions per command and where they go, by callgrind (PERF=1: by perf); rewrites docs/benchmarks.md
	$(Q)utils/bench/profile.sh

fuzz: $(call fuzz_programs,fuzz) ## Each fuzz target for FUZZ_SECONDS (60) with clang's libFuzzer
	$(Q)for program in $(call fuzz_programs,fuzz); do \
	    name=$${program##*/fuzz_}; corpus=$(B)/fuzz/corpus/$$name; mkdir -p $$corpus; \
	    echo "fuzz_$$name for $(FUZZ_SECONDS) s"; \
	    $$program -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=$$corpus- $$corpus tests/data/fuzz/$$name; done

coverage: $(call server,coverage) $(call util_programs,coverage) $(call unit_programs,coverage) \
    $(call integration_programs,coverage) $(CLIENT_PROGRAMS) ## Lines that the tests reach: build/coverage/index.html
	$(Q)find $(B)/coverage -name '*.gcda' -delete
	$(Q)status=0; \
	    RESPITE_SERVER=$(abspath $(call server,coverage)) CK_TIMEOUT_MULTIPLIER=4 $(RUN_TESTS) \
	        $(call unit_programs,coverage) $(call integration_programs,coverage) \
	        $(INTEGRATION_SCRIPTS) $(CLIENTS) || status=1; \
	    gcovr --root . --object-directory $(B)/coverage --filter src/ \
	        --exclude-unreachable-branches --html-details $(B)/coverage/index.html \
	        --txt $(B)/coverage/summary.txt --print-summary; \
	    exit $$status

# ---- installing ---------------------------------------------------------------------------------

INSTALLED := bin/respite-server $(UTIL_SOURCES:utils/%.c=bin/%) share/respite/respite.conf share/doc/respite/LICENSE \
    share/doc/respite/OPERATIONS.md
SHARED_CONF := $(DESTDIR)$(PREFIX)/share/respite/respite.conf
USED_CONF := $(DESTDIR)$(SYSCONFDIR)/respite/respite.conf
UNIT := $(DESTDIR)$(UNITDIR)/respite.service

# A configuration that is there is somebody's own: the new one lies in share/respite beside it.
install: all ## Install under PREFIX (/usr/local), below DESTDIR if set
	install -D -m 755 $(SERVER) '$(DESTDIR)$(PREFIX)/bin/respite-server'
	$(if $(UTILS),install -m 755 $(UTILS) '$(DESTDIR)$(PREFIX)/bin')
	install -D -m 644 conf/respite.conf '$(SHARED_CONF)'
	test -e '$(USED_CONF)' || install -D -m 644 conf/respite.conf '$(USED_CONF)'
	install -D -m 644 LICENSE '$(DESTDIR)$(PREFIX)/share/doc/respite/LICENSE'
	install -D -m 644 docs/OPERATIONS.md '$(DESTDIR)$(PREFIX)/share/doc/respite/OPERATIONS.md'
	mkdir -p '$(DESTDIR)$(UNITDIR)'
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' conf/respite.service >'$(UNIT)'
	chmod 644 '$(UNIT)'

uninstall: ## Remove what install put there; a configuration that was changed stays
	cmp -s '$(SHARED_CONF)' '$(USED_CONF)' && rm -f '$(USED_CONF)' || true
	rm -f $(foreach f,$(INSTALLED),'$(DESTDIR)$(PREFIX)/$f') '$(UNIT)'
	-rmdir --ignore-fail-on-non-empty '$(DESTDIR)$(PREFIX)/share/respite' \
	    '$(DESTDIR)$(PREFIX)/share/doc/respite'
	-test ! -d '$(DESTDIR)$(SYSCONFDIR)/respite' || \
	    rmdir --ignore-fail-on-non-empty '$(DESTDIR)$(SYSCONFDIR)/respite'

clean: ## Remove build/
	rm -rf $(B)

help: ## This list
	@echo 'make TARGET [VARIABLE=...]'
	@echo
	@sed -e ':again' -e '/\\$$/N; s/\\\n//; t again' Makefile | \
	    awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-18s %s\n", $$1, $$2 }'
	@echo
	@awk -F '## ' '/^[A-Z_]+ .*## / { split($$1, word, " "); printf "  %-18s %s\n", word[1] "=", $$2 }' Makefile

.PHONY: all debug pgo run install-deps test test-unit test-integration test-long test-replication test-house compat repl-stream interchange test-programs check \
    $(CHECKS) format bench bench-peers bench-stall bench-reclaim bench-expire bench-pubsub bench-persist bench-repl bench-table bench-eviction profile fuzz coverage install uninstall clean help FORCE

# ---- how one mode is built ----------------------------------------------------------------------

FORCE:

# Real clients of redis-compat/, the same in all modes. Debian keeps Go's libraries in GOPATH.
$(B)/clients/%: $(B)/debug/redis-compat/clients/%.o
	@mkdir -p $(@D)
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC_debug) $(CFLAGS_debug) $(LDFLAGS) -o $@ $< -lhiredis

$(B)/clients/%: redis-compat/clients/%.go
	@mkdir -p $(@D)
	$(if $(Q),@echo '  GO    $@')
	$(Q)GO111MODULE=off GOFLAGS= GOPATH=/usr/share/gocode GOCACHE='$(abspath $(@D))/go-cache' \
	    go-12 build -o $@ $<

# Rewritten only when it differs, so that changed flags rebuild what was made with them.
define write_if_changed
@mkdir -p $(@D); printf '%s\n' $1 | cmp -s - $@ || printf '%s\n' $1 > $@
endef

# The server writes its counts to build/pgo/, beside the objects that are compiled with them.
$(B)/pgo-gen/trained: $(call server,pgo-gen) $(B)/release/utils/bench/bench_load $(wildcard utils/bench/*.sh)
	$(if $(Q),@echo '  TRAIN $<')
	@mkdir -p $(B)/pgo
	$(Q)find $(B)/pgo -name '*.gcda' -delete
	$(Q)BENCH_OURS=$< utils/bench/train.sh
	@touch $@

$(call objects,pgo,$(SOURCES)): $(B)/pgo-gen/trained

# $1: mode
define MODE_RULES
$(B)/$1/flags: FORCE
	$$(call write_if_changed,'$$(CC_$1) $$(CPPFLAGS_ALL) $$(CFLAGS_$1) $$(LDFLAGS) $$(LIBS_$1)')

# Changes when a source file comes or goes.
$(B)/$1/sources: FORCE
	$$(call write_if_changed,'$$(SOURCES) $$(COMPAT_SOURCES) $$(INTERCHANGE_SOURCES)')

$(B)/$1/obj/%.o: src/%.c $(B)/$1/flags
	@mkdir -p $$(@D)
	$$(if $$(Q),@echo '  CC    $$@')
	$$(Q)$$(CC_$1) $$(CPPFLAGS_ALL) $$(CFLAGS_$1) -MMD -MP -c -o $$@ $$<

$(B)/$1/tests/%.o: tests/%.c $(B)/$1/flags
	@mkdir -p $$(@D)
	$$(if $$(Q),@echo '  CC    $$@')
	$$(Q)$$(CC_$1) $$(CPPFLAGS_ALL) -Itests $$(CFLAGS_$1) -MMD -MP -c -o $$@ $$<

$(B)/$1/redis-compat/%.o: redis-compat/%.c $(B)/$1/flags
	@mkdir -p $$(@D)
	$$(if $$(Q),@echo '  CC    $$@')
	$$(Q)$$(CC_$1) $$(CPPFLAGS_ALL) $$(CFLAGS_$1) -MMD -MP -c -o $$@ $$<

$(B)/$1/utils/%.o: utils/%.c $(B)/$1/flags
	@mkdir -p $$(@D)
	$$(if $$(Q),@echo '  CC    $$@')
	$$(Q)$$(CC_$1) $$(CPPFLAGS_ALL) $$(CFLAGS_$1) -MMD -MP -c -o $$@ $$<

$(call server,$1): $(call objects,$1,$(SOURCES)) $(B)/$1/sources
	$$(if $$(Q),@echo '  LINK  $$@')
	$$(Q)$$(CC_$1) $$(CFLAGS_$1) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(LIBS_$1)

# The differential runner of redis-compat/ knows servers by their protocol only.
$(B)/$1/compat: $(COMPAT_SOURCES:%.c=$(B)/$1/%.o) $(B)/$1/sources
	$$(if $$(Q),@echo '  LINK  $$@')
	$$(Q)$$(CC_$1) $$(CFLAGS_$1) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -lm -lpthread

$(B)/$1/interchange: $(INTERCHANGE_SOURCES:%.c=$(B)/$1/%.o) $(B)/$1/sources
	$$(if $$(Q),@echo '  LINK  $$@')
	$$(Q)$$(CC_$1) $$(CFLAGS_$1) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -lm -lpthread

$(call util_programs,$1): $(B)/$(if $(filter release,$1),,$1/)%: $(B)/$1/utils/%.o \
    $(patsubst %.c,$(B)/$1/%.o,$(UTIL_SHARED)) $(call libs,$1,$(LIBRARY_ORDER))
	$$(if $$(Q),@echo '  LINK  $$@')
	$$(Q)$$(CC_$1) $$(CFLAGS_$1) $$(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) $$(LIBS_$1)

# Benchmarks of data structures, and the load for those of servers.
$(B)/$1/utils/bench/%: $(B)/$1/utils/bench/%.o $(call libs,$1,$(filter $(FOLDERS),$(call below,store)))
	$$(if $$(Q),@echo '  LINK  $$@')
	$$(Q)$$(CC_$1) $$(CFLAGS_$1) $$(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) $$(LIBS_$1)

# Made without sanitizers, which a preloaded library can do without, in one step.
$(B)/$1/tests/support/faults.so: $(FAULTS_SOURCES) tests/support/faults.h $(B)/$1/flags
	@mkdir -p $$(@D)
	$$(if $$(Q),@echo '  LINK  $$@')
	$$(Q)$$(CC) $$(CPPFLAGS_ALL) -Itests -std=gnu11 -g -O1 $$(WARNINGS) -fPIC -fvisibility=hidden \
	    -shared -o $$@ $$(filter %.c,$$^) -lpthread

# The tests of a live server know it by its protocol only.
$(call integration_programs,$1): | $(if $(FAULTS_SOURCES),$(B)/$1/tests/support/faults.so)
$(call integration_programs,$1): $(B)/$1/%: $(B)/$1/%.o \
    $(patsubst %.c,$(B)/$1/%.o,$(INTEGRATION_SUPPORT)) $(call libs,$1,base)
	$$(if $$(Q),@echo '  LINK  $$@')
	$$(Q)$$(CC_$1) $$(CFLAGS_$1) $$(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) \
	    $$(CHECK_LIBS) -lhiredis $$(LIBS_$1)

# Archives from the highest layer down, as the linker wants them. libFuzzer has a main() of its own.
$(call fuzz_programs,$1): $(B)/$1/%: $(B)/$1/%.o \
    $(if $(filter fuzz,$1),,$(B)/$1/tests/fuzz/fuzz_main.o) $(call libs,$1,$(LIBRARY_ORDER))
	$$(if $$(Q),@echo '  LINK  $$@')
	$$(Q)$$(CC_$1) $$(CFLAGS_$1) $(if $(filter fuzz,$1),-fsanitize=fuzzer) $$(LDFLAGS) -o $$@ \
	    $$(filter %.o %.a,$$^) $$(LIBS_$1)
endef

# $1: mode, $2: folder of src/
define FOLDER_RULES
$(B)/$1/lib/lib$2.a: $(call objects,$1,$(filter src/$2/%,$(SOURCES))) $(B)/$1/sources
	@mkdir -p $$(@D) && rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$(filter %.o,$$^)
endef

# $1: mode, $2: folder of tests/unit/. All of the folder itself is linked, and what it needs of the
# folders below it: a call upwards or sideways does not link.
define UNIT_RULES
$(filter $(B)/$1/tests/unit/$2/%,$(call unit_programs,$1)): $(B)/$1/%: $(B)/$1/%.o \
    $(patsubst %.c,$(B)/$1/%.o,$(filter-out $(UNIT_SOURCES),$(wildcard tests/unit/$2/*.c))) \
    $(B)/$1/tests/support/unit.o $(call libs,$1,$2 $(filter $(FOLDERS),$(call below,$2)))
	$$(if $$(Q),@echo '  LINK  $$@')
	$$(Q)$$(CC_$1) $$(CFLAGS_$1) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) \
	    -Wl,--whole-archive $(call libs,$1,$2) -Wl,--no-whole-archive \
	    $$(filter-out $(call libs,$1,$2),$$(filter %.a,$$^)) $$(CHECK_LIBS) $$(LIBS_$1)
endef

# All folders, from the highest level down.
LIBRARY_ORDER := $(filter $(FOLDERS),$(shell awk '!/^\#/ && NF { \
        line = ""; for (i = 2; i <= NF; i++) line = line " " $$i; all = line all } \
    END { print all }' utils/check/layers.txt))

$(foreach m,$(MODES),$(eval $(call MODE_RULES,$m)))
$(foreach m,$(MODES),$(foreach f,$(FOLDERS),$(eval $(call FOLDER_RULES,$m,$f))))
$(foreach m,$(MODES),$(foreach f,$(UNIT_FOLDERS),$(eval $(call UNIT_RULES,$m,$f))))

-include $(foreach m,$(MODES),$(wildcard $(patsubst src/%.c,$(B)/$m/obj/%.d,$(SOURCES)) \
    $(B)/$m/tests/*/*.d $(B)/$m/tests/*/*/*.d $(B)/$m/utils/*.d $(B)/$m/utils/*/*.d \
    $(B)/$m/redis-compat/*/*.d))

endif
