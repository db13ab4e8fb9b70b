# ipsec-port. `make help` lists what can be asked for; V=1 shows every command.
# Everything made goes under build/, and nothing else is written.

VERSION := 0.1
PREFIX ?= /usr/local
DESTDIR ?=
B := build

V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
else
say = @:;
endif

CC := gcc
CFLAGS ?= -O2 -g
FUZZ_CC := clang-14
# Debian's, whatever else is installed; no cargo and no crates
RUSTC := /usr/bin/rustc
rustflags = --edition 2021 -C opt-level=3 -C panic=abort -C strip=symbols
SODIUM_CC := clang-14
cflags = -std=gnu11 -Wall -Wextra -Werror -Iuapi -Idaemon -I. -DIPSP_VERSION='"$(VERSION)"' $(CFLAGS) -MMD -MP
libs = -Wl,--as-needed $(shell pkg-config --libs libcrypto libseccomp inih json-c libsodium libnl-3.0) -lIPSec_MB -pthread
check_libs = $(shell pkg-config --libs check)

# ---- what is there ---------------------------------------------------------------------------------------------------

words := $(wildcard daemon/words/*.c)
transform := $(wildcard daemon/ipsec/*.c) $(wildcard daemon/crypto/*.c)
stack := $(wildcard daemon/stack/*.c)
# the words that a stack shares with those who keyed it
shared := daemon/words/algorithm.c daemon/words/text.c
# the second stack: of the first it shares the sandbox and the port, and no compiler
sodium := $(wildcard daemon/stack-sodium/*.c) daemon/stack/sandbox.c daemon/stack/port.c
# of the keying agent: what neither opens nor asks anybody
keyd_parts := $(filter-out $(patsubst %,daemon/keyd/%.c,main relay compartment opener),$(wildcard daemon/keyd/*.c))
# what a test, a bench or a fuzz target may call: all but the programs' main
parts := $(words) $(transform) $(filter-out %/main.c,$(stack))

c_programs := $(B)/ipsec-portd $(B)/ipsec-portctl $(B)/ipsec-port-keyd
programs := $(c_programs) $(B)/ipsec-port-stack $(B)/ipsec-port-stack-sodium $(B)/ipsec-port-stack-rust
unit_tests := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
benches := $(patsubst tests/bench/%.c,$(B)/bench-bin/%,$(wildcard tests/bench/bench_*.c))
fuzzers := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
pump := $(B)/pump
sims := $(patsubst tests/sim/%.c,$(B)/%,$(wildcard tests/sim/*.c))
kselftests := $(patsubst tests/kselftest/%.c,$(B)/kselftest/%,$(wildcard tests/kselftest/*.c))

# KVER: a kernel of build/kernels (6.1, 6.12) or an installed one; by default the newest headers there are.
newest = $(notdir $(patsubst %/build,%,$(lastword $(shell ls -d /lib/modules/*/build 2>/dev/null | sort -V))))
unpacked = $(notdir $(patsubst %/kdir,%,$(lastword $(shell ls -d $(B)/kernels/[0-9]*/kdir 2>/dev/null | sort -V))))
KVER ?= $(or $(newest),$(unpacked))
KERNELS ?= 6.1 6.12

.PHONY: coverage coverage-kmod check-long check-debug check-race check-quorum all help setup module programs tests fuzz bench-bin demo check bench bench-quick trial lint install uninstall clean FORCE
.DELETE_ON_ERROR:
all: programs module

help:
	@echo 'make                   the programs, and the module for the newest kernel headers (KVER=... for another)'
	@echo 'make setup             installs and fetches what building and testing need, once'
	@echo 'make demo              the main job, end to end, in a virtual machine; set-up included'
	@echo 'make check             every test, on Linux 6.1 and 6.12; set-up included (ONLY=PATTERN, KERNELS="6.1 6.12")'
	@echo 'make check-long        with the storms, topologies and figures that make check leaves out'
	@echo 'make check-debug       the kselftests on a kernel with KASAN, UBSAN, lockdep, PROVE_RCU, kmemleak (ONLY=scenario/ for all)'
	@echo 'make check-race        the kselftests on one with KCSAN, which sees when two threads race for memory of the module'
	@echo 'make check-quorum      the scenarios with three stacks that share no code in each compartment, of which two must agree'
	@echo 'make coverage          line coverage of the parsers by unit tests and fuzz corpora; less than 90 % of daemon/ipsec fails'
	@echo 'make coverage-kmod     line coverage of the module on that kernel (ONLY=PATTERN, LINES=1); less than 85 % fails'
	@echo 'make bench             every benchmark; tables of ratios, and build/bench/*.json and *.svg'
	@echo 'make bench-quick       of it one TCP stream and the round trip: three minutes'
	@echo 'make trial             the first system'"'"'s trial: 8 MB by FTP, by one stack, two, and two compartments'
	@echo 'make lint              checkpatch, sparse, cppcheck, shellcheck: whichever are there'
	@echo 'make programs|module|tests|fuzz|bench-bin    a part of it'
	@echo 'make install|uninstall DESTDIR=, PREFIX=$(PREFIX); the module is installed as source, for dkms'
	@echo 'make clean             removes what was compiled, and keeps the kernels and the guest of setup'

setup:
	@scripts/setup

# ---- the module ------------------------------------------------------------------------------------------------------

# The sources are copied to a directory for each kernel, so that objects for several kernels stand side by side.
module:
ifeq ($(KVER),)
	@echo 'no kernel headers found: the module is left out (make setup fetches some)'
else
	@$(MAKE) --no-print-directory $(B)/kmod-$(KVER)/ipsec_port.ko
endif

$(B)/kmod-%/ipsec_port.ko: FORCE
	$(call say,KMOD,$@) scripts/module $*

# ---- programs --------------------------------------------------------------------------------------------------------

programs: $(programs)
objects = $(patsubst %.c,$(B)/obj/%.o,$(1))

$(B)/ipsec-portd: $(call objects,$(wildcard daemon/manager/*.c) $(words))
$(B)/ipsec-port-keyd: $(call objects,$(wildcard daemon/keyd/*.c) $(words))
$(B)/ipsec-portctl: $(call objects,$(wildcard tools/*.c) $(words))
$(c_programs):
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs)

# Many small functions, each packet through all of them: the stack is optimised as a whole.
$(B)/ipsec-port-stack: $(patsubst %.c,$(B)/obj-stack/%.o,$(stack) $(transform) $(shared))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -flto=auto $(LDFLAGS) -o $@ $^ $(libs)
$(B)/obj-stack/%.o: %.c Makefile
	$(call say,CC,$<) mkdir -p $(@D)
	$(Q)$(CC) $(cflags) -flto -c -o $@ $<

# A stack of its own; what it has of ours is the way to the port and the sandbox.
$(B)/ipsec-port-stack-rust: $(wildcard daemon/stack-rust/*.rs) $(call objects,daemon/stack/port.c daemon/stack/sandbox.c)
	$(call say,RUSTC,$@) mkdir -p $(@D)
	$(Q)$(RUSTC) $(rustflags) $(addprefix -C link-arg=,$(filter %.o,$^)) -o $@ daemon/stack-rust/main.rs

$(B)/ipsec-port-stack-sodium: $(patsubst %.c,$(B)/obj-sodium/%.o,$(sodium))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(SODIUM_CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libsodium)
$(B)/obj-sodium/%.o: %.c Makefile
	$(call say,CLANG,$<) mkdir -p $(@D)
	$(Q)$(SODIUM_CC) $(cflags) -c -o $@ $<

$(B)/obj/tests/unit/%.o: cflags += -Ikmod
$(B)/obj/daemon/keyd/%.o $(patsubst %,$(B)/obj/tests/unit/test_%.o,keyd keyd_policy hand place opener compartment): cflags += $(shell pkg-config --cflags libnl-3.0)
$(B)/obj/%.o: %.c Makefile
	$(call say,CC,$<) mkdir -p $(@D)
	$(Q)$(CC) $(cflags) -c -o $@ $<

# ---- tests, fuzz targets, benches ------------------------------------------------------------------------------------

crashers := $(B)/crash-stack $(B)/faulty-stack
conform := $(B)/ipsec-port-conform $(B)/ipsec-port-conform-fault $(B)/faulty-sim
differ := $(B)/ipsec-port-differ $(B)/ipsec-port-differ-inside $(B)/ipsec-port-many
tests: $(unit_tests) $(kselftests) $(sims) $(pump) $(crashers) $(B)/late-stack $(conform) $(differ)
$(B)/tests/test_config: $(B)/obj/daemon/manager/config.o
$(B)/tests/test_config $(B)/tests/test_mark: $(B)/obj/daemon/manager/mark.o
$(B)/tests/test_database: $(call objects,$(patsubst %,daemon/manager/%.c,database policy control sa encap event lifetime mark child program acquire reply))
$(B)/tests/test_event: $(B)/obj/daemon/manager/event.o
$(B)/tests/test_lifetime: $(B)/obj/daemon/manager/lifetime.o
$(B)/tests/test_lifetime: LDFLAGS += -Wl,--wrap=ioctl -Wl,--wrap=clock_gettime
$(B)/tests/test_database: LDFLAGS += -Wl,--wrap=ioctl
$(B)/tests/test_keyd $(B)/tests/test_keyd_policy $(B)/tests/test_hand $(B)/tests/test_place: $(call objects,$(keyd_parts))
$(B)/tests/test_opener: $(B)/obj/daemon/keyd/opener.o
$(B)/tests/test_opener: LDFLAGS += -Wl,--wrap=open
$(B)/tests/test_compartment: $(call objects,$(patsubst %,daemon/keyd/%.c,compartment compartments))
$(B)/tests/test_compartment: LDFLAGS += -Wl,--wrap=device_ask -Wl,--wrap=device_attach -Wl,--wrap=time
$(B)/tests/test_hand: LDFLAGS += -Wl,--wrap=store_free_sa -Wl,--wrap=store_free_policy -Wl,--wrap=hand_decide
$(B)/tests/%: $(B)/obj/tests/unit/%.o $(call objects,$(parts))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(check_libs) $(libs)

$(B)/kselftest/%: $(B)/obj/tests/kselftest/%.o $(call objects,$(words) $(wildcard tests/kselftest/world/*.c tests/kselftest/generate/*.c))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs)

# programs that drive the stack without the module
$(sims): $(B)/%: $(B)/obj/tests/sim/%.o $(call objects,$(parts))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs)

# what a guest measures with
$(pump): $(B)/obj/tests/bench/pump.o
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# are stacks alike? And one that is not
$(B)/ipsec-port-conform: $(call objects,$(filter-out %/fault.c,$(wildcard tests/conform/*.c)))
$(B)/ipsec-port-conform-fault: $(call objects,tests/conform/fault.c tests/sim/ipsec-port-sim.c $(parts))
$(B)/ipsec-port-conform-fault: LDFLAGS += -Wl,--wrap=transform_answer
$(B)/faulty-sim: $(call objects,tests/crash/faulty-stack.c tests/sim/ipsec-port-sim.c $(parts))
$(B)/faulty-sim: LDFLAGS += -Wl,--wrap=transform_answer -Wl,--wrap=EVP_CipherFinal_ex
$(conform):
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs)

$(B)/late-stack: $(call objects,tests/crash/late-stack.c $(stack) $(transform) $(shared))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=ioctl -o $@ $^ $(libs)
# the product's stack, and a packet that it dies of; and one with a fault that a file beside it names
$(crashers): $(B)/%: $(B)/obj/tests/crash/%.o $(call objects,$(stack) $(transform) $(shared))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=transform_answer -o $@ $^ $(libs)
$(B)/faulty-stack: LDFLAGS += -Wl,--wrap=EVP_CipherFinal_ex

# the same messages to xfrm_user and to the keying agent
$(B)/ipsec-port-differ: $(call objects,$(wildcard tests/differ/*.c) tests/conform/dice.c)
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# very many states and policies
$(B)/ipsec-port-many: $(call objects,tests/many/many.c tests/differ/message.c)
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# the same with the agent in it, and no kernel
$(B)/ipsec-port-differ-inside: $(call objects,$(filter-out %/player.c,$(wildcard tests/differ/*.c)) tests/differ/inside/player.c tests/conform/dice.c \
		$(keyd_parts) daemon/keyd/compartment.c $(words))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=device_ask -Wl,--wrap=device_attach -o $@ $^ $(libs)
$(B)/obj/tests/differ/inside/player.o: cflags += $(shell pkg-config --cflags libnl-3.0)

bench-bin: $(benches)
$(B)/bench-bin/%: $(B)/obj/tests/bench/%.o $(call objects,$(parts))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs)

fuzz: $(fuzzers)
# beside the parts: what of the manager a target drives. It has no kernel: its ioctls end in the target.
fuzz_objects = $(patsubst %.c,$(B)/obj-fuzz/%.o,$(1))
$(B)/fuzz/fuzz_config: $(call fuzz_objects,$(patsubst %,daemon/manager/%.c,config mark))
$(B)/fuzz/fuzz_config: LDFLAGS += -Wl,--wrap=device_control -Wl,--wrap=mark_begin
$(B)/fuzz/fuzz_admin: $(call fuzz_objects,$(patsubst %,daemon/manager/%.c,acquire admin control database event lifetime mark policy reply sa))
$(B)/fuzz/fuzz_admin: LDFLAGS += -Wl,--wrap=ioctl -Wl,--wrap=mark_begin -Wl,--wrap=mark_save
$(B)/fuzz/fuzz_keyd: $(call fuzz_objects,$(keyd_parts))
$(B)/fuzz/fuzz_place: $(call fuzz_objects,$(patsubst %,daemon/keyd/%.c,place compartments))
$(B)/obj-fuzz/daemon/keyd/%.o $(patsubst %,$(B)/obj-fuzz/tests/fuzz/fuzz_%.o,keyd place): cflags += $(shell pkg-config --cflags libnl-3.0)
# the second stack alone: it shares nothing with the parts, not even names
$(B)/fuzz/fuzz_stack_sodium: $(B)/obj-fuzz/tests/fuzz/fuzz_stack_sodium.o \
		$(call fuzz_objects,$(filter-out %/main.c %/stream.c %/ring.c,$(wildcard daemon/stack-sodium/*.c)))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CFLAGS) $(sanitize) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libsodium)
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=undefined
$(B)/fuzz/%: $(B)/obj-fuzz/tests/fuzz/%.o $(call fuzz_objects,$(parts))
	$(call say,LD,$@) mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CFLAGS) $(sanitize) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(libs)
$(B)/obj-fuzz/%.o: %.c Makefile
	$(call say,FUZZCC,$<) mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(cflags) -Wno-gnu-variable-sized-type-not-at-end $(sanitize) -fsanitize=fuzzer-no-link -c -o $@ $<

.SECONDARY:
-include $(shell find $(B)/obj $(B)/obj-fuzz $(B)/obj-sodium $(B)/obj-stack -name '*.d' 2>/dev/null)

# The demo and the tests set up first; what they then need is found by a make of its own.
kmods = $(patsubst %,$(B)/kmod-%/ipsec_port.ko,$(KERNELS))
demo: setup
	@$(MAKE) --no-print-directory -j$$(nproc) programs $(B)/kmod-6.1/ipsec_port.ko
	@tests/vm/run --kernel 6.1 -- tests/scenario/demo

check: setup
	@$(MAKE) --no-print-directory -j$$(nproc) programs tests fuzz $(kmods)
	@KERNELS='$(KERNELS)' tests/check $(ONLY)

check-long: setup
	@$(MAKE) --no-print-directory -j$$(nproc) programs tests fuzz $(kmods)
	@LONG=1 KERNELS='$(KERNELS)' tests/check $(ONLY)

# Of one kernel: it is the stacks that are tried
check-quorum: setup
	@$(MAKE) --no-print-directory -j$$(nproc) programs tests $(kmods)
	@QUORUM=1 KERNELS='$(lastword $(KERNELS))' tests/check $(ONLY)

# One guest, of a kernel that watches memory, locks, RCU and leaks (scripts/kernel-debug builds it, once)
check-debug: setup
	@scripts/kernel-debug
	@$(MAKE) --no-print-directory -j$$(nproc) programs tests $(B)/kmod-debug/ipsec_port.ko
	@KERNELS=debug tests/check $(or $(ONLY),kselftest)

# One guest, of a kernel that watches the module's accesses to memory for races
check-race: setup
	@scripts/kernel-debug race
	@$(MAKE) --no-print-directory -j$$(nproc) programs tests $(B)/kmod-race/ipsec_port.ko
	@KERNELS=race tests/check $(or $(ONLY),kselftest)

# On the kernel of check-debug, which slows down nothing else by it
coverage-kmod: setup
	@scripts/kernel-debug
	@$(MAKE) --no-print-directory -j$$(nproc) programs tests
	@tests/coverage-kmod $(or $(ONLY),kselftest)

bench: setup
	@$(MAKE) --no-print-directory -j$$(nproc) programs bench-bin $(kmods)
	@tests/bench/run

bench-quick: setup
	@$(MAKE) --no-print-directory -j$$(nproc) programs $(B)/kmod-6.1/ipsec_port.ko
	@tests/bench/run quick

trial: setup
	@$(MAKE) --no-print-directory -j$$(nproc) programs $(B)/kmod-6.1/ipsec_port.ko
	@mkdir -p $(B)/bench
	@tests/vm/run --kernel 6.1 --timeout 3000 -- tests/bench/trial $(B)/bench/trial.json

coverage:
	@tests/coverage

lint:
	@scripts/lint

# ---- installing ------------------------------------------------------------------------------------------------------

sbin := $(DESTDIR)$(PREFIX)/sbin
src := $(DESTDIR)/usr/src/ipsec-port-$(VERSION)
share := $(DESTDIR)$(PREFIX)/share
lib := $(DESTDIR)/usr/lib
examples := $(share)/doc/ipsec-port/examples
man5 := $(wildcard Documentation/man/*.5)
man8 := $(wildcard Documentation/man/*.8)
services := $(wildcard systemd/*.service)
completion := $(wildcard tools/completion/*)

install: programs
	install -d $(sbin) $(src)/kmod/compat $(src)/uapi $(DESTDIR)$(PREFIX)/include
	install -m 755 $(programs) $(sbin)
	install -m 644 dkms.conf COPYING $(src)
	install -m 644 kmod/Kbuild kmod/*.[ch] $(src)/kmod
	install -m 644 kmod/compat/* $(src)/kmod/compat
	install -m 644 uapi/*.h $(src)/uapi
	install -m 644 uapi/*.h $(DESTDIR)$(PREFIX)/include
	install -d $(share)/man/man5 $(share)/man/man8 $(share)/bash-completion/completions $(examples)
	install -m 644 $(man5) $(share)/man/man5
	install -m 644 $(man8) $(share)/man/man8
	install -m 644 $(completion) $(share)/bash-completion/completions
	install -m 644 systemd/modprobe.conf systemd/closed.rules $(examples)
	install -d $(lib)/systemd/system $(lib)/sysusers.d $(lib)/udev/rules.d
	for unit in $(services); do sed 's|@sbin@|$(PREFIX)/sbin|' $$unit > $(lib)/systemd/system/$${unit##*/} || exit 1; done
	install -m 644 systemd/ipsec-port.sysusers $(lib)/sysusers.d/ipsec-port.conf
	install -m 644 systemd/60-ipsec-port.rules $(lib)/udev/rules.d

# What the host's own files say (/etc/ipsec-port) and the marks of its keys (/var/lib/ipsec-port) stay.
uninstall:
	rm -f $(addprefix $(sbin)/,$(notdir $(programs)))
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/include/,$(notdir $(wildcard uapi/*.h)))
	rm -f $(addprefix $(share)/man/man5/,$(notdir $(man5))) $(addprefix $(share)/man/man8/,$(notdir $(man8)))
	rm -f $(addprefix $(lib)/systemd/system/,$(notdir $(services))) $(lib)/sysusers.d/ipsec-port.conf
	rm -f $(lib)/udev/rules.d/60-ipsec-port.rules
	rm -rf $(share)/doc/ipsec-port
	rm -f $(addprefix $(share)/bash-completion/completions/,$(notdir $(completion)))
	rm -rf $(src)

clean:
	rm -rf $(B)/obj $(B)/obj-fuzz $(B)/obj-sodium $(B)/obj-stack $(B)/kmod-* $(B)/tests $(B)/fuzz $(B)/bench-bin $(B)/kselftest $(B)/results* $(programs) $(sims) $(pump) $(crashers) $(B)/late-stack $(conform) $(differ)
