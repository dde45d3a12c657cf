# pointsman: routes prompts from Kafka to language models. `make help` lists what can be made.
# Sources are found by folder; object files carry their own header dependencies, so there is one build and no recursion.

SAN ?=
FAULTS ?=
BUILD ?= build$(if $(SAN),/$(SAN))$(if $(FAULTS),/faults)
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
PKGS := avro-c rdkafka libcurl hiredis libfyaml openssl libpcre2-8 libhs libmicrohttpd
LIBS_EXTRA := -lm
OPT ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes -Werror
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(filter undefined,$(SAN)),-fno-sanitize-recover=all))
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
VERSION := 0.1.0
CPPFLAGS += -I. -I$(BUILD)/gen -D_GNU_SOURCE -DPOINTSMAN_VERSION='"$(VERSION)"'
CPPFLAGS += $(if $(FAULTS),-DPOINTSMAN_FAULTS)
CPPFLAGS += $(if $(filter thread,$(SAN)),-include tests/scripts/tsan_join.h)
CFLAGS += -std=c11 $(OPT) $(WARN) -ffp-contract=off -fno-math-errno $(SANFLAGS)
LDFLAGS += $(SANFLAGS) -pthread

MAIN := worker/cli/main.c
SRCS := $(wildcard common/*.c worker/*/*.c)
LIB_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAIN),$(SRCS)))
UNIT_SRCS := $(wildcard tests/unit/test_*.c)
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRCS))

.PHONY: all
all: $(BUILD)/pointsman $(BUILD)/modelsim ## build the worker (build/pointsman) and the model simulator

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# assembled into the program by .incbin, which the compiler's dependency files do not see
$(BUILD)/worker/engine/admin_page.o: worker/engine/admin_page.html

STATIC_MODEL := deploy/models/static-minilm-256-int8.safetensors deploy/models/vocab.txt
$(BUILD)/gen/static_model_version.h: $(STATIC_MODEL)
	@mkdir -p $(@D)
	@echo "#define STATIC_MODEL_VERSION \"$$(cat $^ | sha256sum | cut -c1-16)\"" > $@
$(BUILD)/worker/route/static_model_data.o: $(STATIC_MODEL) $(BUILD)/gen/static_model_version.h

# schemas/*.avsc as C strings, for worker/wire/own_schemas.c
$(BUILD)/gen/wire_schemas.h: $(wildcard schemas/*.avsc)
	@mkdir -p $(@D)
	@for f in $^; do echo "static const char schema_$$(basename $$f .avsc)[] ="; \
		sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/\t"&\\n"/' $$f; echo '	"";'; done > $@.part && mv $@.part $@
$(BUILD)/worker/wire/own_schemas.o: $(BUILD)/gen/wire_schemas.h

$(BUILD)/libpointsman.a: $(LIB_OBJS)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/pointsman: $(BUILD)/worker/cli/main.o $(BUILD)/libpointsman.a
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LIBS_EXTRA)

SIM_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/modelsim/*.c))
$(BUILD)/modelsim: $(SIM_OBJS) $(BUILD)/libpointsman.a
	$(CC) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libmicrohttpd json-c) $(LIBS_EXTRA)

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libpointsman.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LIBS_EXTRA) -lcmocka -ljson-c

# these tests count what is allocated
$(BUILD)/unit/test_decode_bounds $(BUILD)/unit/test_route_allocations: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
$(BUILD)/unit/test_decode_bounds: LDFLAGS += -Wl,--wrap=free

.PHONY: unit
unit: $(if $(T),$(BUILD)/unit/test_$(T),$(UNIT_BINS)) ## build and run the unit tests (cmocka); T=name runs one
	@failed=; for t in $(if $(T),$(BUILD)/unit/test_$(T),$(UNIT_BINS)); do $$t || failed="$$failed $$t"; done; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

.PHONY: deps
deps: ## install what building and testing need (Debian; asks sudo without root)
	@tests/scripts/deps.sh test

# After deps the libraries' flags must be asked for anew, hence a second make.
.PHONY: test
test: deps ## all tests: unit, then integration against a real broker, Redis and registry
	@$(MAKE) --no-print-directory all unit
	@$(MAKE) --no-print-directory FAULTS=1 all
	@tests/scripts/test.sh
	@tests/chaos/run --short

.PHONY: faults
faults: all ## build/faults/pointsman: a worker that dies at named points, for the chaos suite
	@$(MAKE) --no-print-directory FAULTS=1 build/faults/pointsman

.PHONY: soak
soak: deps all ## one worker through faults every half minute, its memory watched: MINUTES=45 RATE=40
	@POINTSMAN_BIN=$${POINTSMAN_BIN:-build/pointsman} tests/chaos/run soak --minutes $(or $(MINUTES),45) --rate $(or $(RATE),40)

.PHONY: chaos
chaos: deps faults ## kills, stops and outages by seed: SEEDS=10 FROM=1 BROKERS=1 JOBS=2; or CHAOS="--seed 7"
	@tests/chaos/run $(or $(CHAOS),--seeds $(or $(SEEDS),10) --from $(or $(FROM),1) --brokers $(or $(BROKERS),1) $(if $(JOBS),--jobs $(JOBS)))

.PHONY: chaos-bugs
chaos-bugs: deps faults ## show that the chaos suite sees intentional bugs: with each it must fail, without them pass
	@tests/chaos/run --bugs

.PHONY: sanitize
sanitize: deps ## all tests under the sanitizers and valgrind; LANES="address undefined thread valgrind"
	@tests/scripts/sanitize.sh $(LANES)

.PHONY: demo
demo: ## install what building needs, build, and show the worker at work on its own small world
	@tests/scripts/deps.sh build
	@$(MAKE) --no-print-directory -s all
	@$(BUILD)/pointsman demo $(if $(RECORDS),--records $(RECORDS))

# The library once more, by clang, with what guides the fuzzer and what tells its finds.
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
$(FUZZ_BINS): $(BUILD)/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libpointsman.a
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS) $(LIBS_EXTRA) -ljson-c
.PHONY: fuzz-targets
fuzz-targets: $(FUZZ_BINS)

.PHONY: fuzz
fuzz: deps ## fuzz every reader of foreign bytes; SECONDS=60 each, JOBS=2 at a time, T=name runs one
	@$(MAKE) --no-print-directory -s CC=clang BUILD=build/fuzz OPT="-O1 -g" fuzz-targets \
		SANFLAGS="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
	@tests/fuzz/fuzz.sh $(or $(SECONDS),60) $(or $(JOBS),2) $(T)

# What a compiler says without making anything: warnings are errors here too. For a second compiler's opinion.
CHECKED := $(SRCS) $(UNIT_SRCS) $(wildcard tests/modelsim/*.c tests/bench/*.c tests/fuzz/*.c)
.PHONY: syntax
syntax: $(BUILD)/gen/static_model_version.h $(BUILD)/gen/wire_schemas.h
	@printf '%s\n' $(CHECKED) | xargs -P "$$(nproc)" -n 12 $(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -fsyntax-only

.PHONY: lint
lint: ## the house rules, gcc and clang with warnings as errors, shellcheck
	@tests/scripts/lint.sh

.PHONY: bench
bench: all ## throughput and CPU with an instant model; RECORDS=20000
	@tests/scripts/deps.sh test
	@tests/bench/bench.sh $(RECORDS)

# As on a processor without AVX2: the files that know of it once more, before the library that has them too.
NARROW_OBJS := $(patsubst %.c,$(BUILD)/narrow/%.o,$(shell grep -l KERNELS_PORTABLE worker/route/*.c))
$(NARROW_OBJS): $(BUILD)/narrow/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -DKERNELS_PORTABLE -MMD -MP -c -o $@ $<
$(BUILD)/pointsman-narrow: $(BUILD)/worker/cli/main.o $(NARROW_OBJS) $(BUILD)/libpointsman.a
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LIBS_EXTRA)
$(BUILD)/bench/score_bits-narrow: $(BUILD)/tests/bench/score_bits.o $(NARROW_OBJS) $(BUILD)/libpointsman.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LIBS_EXTRA)
.PHONY: same-bits
same-bits: ## whether training and scores have the same bits by gcc, by clang and without AVX2; COUNT=10000 prompts
	@tests/scripts/same_bits.sh $(if $(COUNT),--count $(COUNT))

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libpointsman.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LIBS_EXTRA)
.PHONY: bench-guards
bench-guards: $(BUILD)/bench/guard_cost ## CPU time of looking for personal data in 2 KB, and in 4 MB made to be slow
	@$<
.PHONY: bench-decisions
bench-decisions: ## what a decision costs: time, memory, allocations, 50,000 examples, the cached road through Redis
	@tests/bench/decisions
.PHONY: bench-decode
bench-decode: $(BUILD)/bench/decode_bounds ## CPU time of decoding the worst records of one megabyte
	@$<

.PHONY: install
install: all ## install under PREFIX (/usr/local); DESTDIR for packaging
	install -D -m 755 $(BUILD)/pointsman $(DESTDIR)$(PREFIX)/bin/pointsman
	install -D -m 755 $(BUILD)/modelsim $(DESTDIR)$(PREFIX)/libexec/pointsman/modelsim
	install -d $(DESTDIR)$(PREFIX)/share/pointsman/schemas
	install -m 644 $(wildcard schemas/*.avsc) $(DESTDIR)$(PREFIX)/share/pointsman/schemas/
	cd deploy && find demo recipes -type f -exec install -D -m 644 {} $(abspath $(DESTDIR)$(PREFIX))/share/pointsman/{} \;

.PHONY: clean
clean: ## remove what was built
	rm -rf build

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
