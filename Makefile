# SPDX-License-Identifier: GPL-2.0-only

VERSION  := 0.1.0

# Where make install puts it, as the GNU coding standards call that. The units of systemd name the
# machine's own /etc and /var, whatever the prefix is.
PREFIX       ?= /usr/local
prefix       ?= $(PREFIX)
exec_prefix  ?= $(prefix)
bindir       ?= $(exec_prefix)/bin
sbindir      ?= $(exec_prefix)/sbin
sysconfdir   ?= /etc
datarootdir  ?= $(prefix)/share
mandir       ?= $(datarootdir)/man
man8dir      ?= $(mandir)/man8
unitdir      ?= $(prefix)/lib/systemd/system
pkgdatadir   ?= $(datarootdir)/netacct
completiondir ?= $(datarootdir)/bash-completion/completions
zshdir       ?= $(datarootdir)/zsh/site-functions
fishdir      ?= $(datarootdir)/fish/vendor_completions.d
DESTDIR      ?=
INSTALL         ?= install
INSTALL_PROGRAM ?= $(INSTALL)
INSTALL_DATA    ?= $(INSTALL) -m 644

# What is needed, as Debian calls it, and a command or a header that tells
# whether it is there.
BUILD_NEEDS := gcc:gcc libc6-dev:stdio.h linux-libc-dev:linux/bpf.h clang:clang \
	       bpftool:bpftool libbpf-dev:bpf/libbpf.h libelf-dev:libelf.h zlib1g-dev:zlib.h \
	       libsmartcols-dev:libsmartcols/libsmartcols.h libjansson-dev:jansson.h \
	       libncurses-dev:ncursesw/curses.h
TEST_NEEDS  := bats:bats bind9-dnsutils:dig curl:curl dnsmasq-base:dnsmasq fish:fish iperf3:iperf3 \
	       iproute2:ip iputils-ping:ping jq:jq nginx:nginx openssh-server:sshd openssl:openssl \
	       redis-tools:redis-cli rsync:rsync socat:socat strace:strace systemd:systemd-analyze tmux:tmux valgrind:valgrind zsh:zsh
LINT_NEEDS  := clang-format:clang-format clang-tidy:clang-tidy cppcheck:cppcheck \
	       shellcheck:shellcheck mandoc:mandoc
KERNEL_NEEDS := qemu-system-x86:qemu-system-x86_64 mmdebstrap:mmdebstrap cpio:cpio kmod:depmod \
	       debian-archive-keyring:../share/keyrings/debian-archive-keyring.gpg
PACKAGE_NEEDS := debhelper:dh dpkg-dev:dpkg-buildpackage fakeroot:fakeroot
FUZZ_NEEDS  := clang:clang libclang-rt-dev:../lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-$(shell uname -m).a
BENCH_NEEDS := bpftrace:bpftrace bsdextrautils:column nethogs:nethogs procps:top redis-server:redis-server time:../bin/time \
	       tmux:tmux wrk:wrk
FLEET_NEEDS := curl:curl jq:jq prometheus:prometheus prometheus-node-exporter:prometheus-node-exporter sqlite3:sqlite3
NEEDS       := $(BUILD_NEEDS) $(TEST_NEEDS)

# Where administrators' commands are, for those who are not.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

CLANG    ?= clang
BPFTOOL  ?= bpftool
BATS     ?= bats
CFLAGS   ?= -O2 -g
CFLAGS   += -std=gnu11 -Wall -Wextra -Werror
CPPFLAGS += -D_GNU_SOURCE -DNETACCT_VERSION='"$(VERSION)"' -Ibpf -Ilib -I$(build) \
	    -I/usr/include/libsmartcols
LDLIBS   := -lbpf -lelf -lz -lsmartcols -ljansson
BPFARCH  := $(subst aarch64,arm64,$(subst x86_64,x86,$(shell uname -m)))
BPFFLAGS := -target bpf -mcpu=v3 -std=gnu11 -O2 -g -Wall -Werror -Ibpf -D__TARGET_ARCH_$(BPFARCH) \
	    -idirafter /usr/include/$(shell $(CC) -print-multiarch)

TESTS    ?= tests

# make SANITIZE=1 check; its objects do not mix with the others.
ifdef SANITIZE
build    := build/sanitize
CFLAGS   += -fsanitize=address,undefined -fno-sanitize-recover
else
build    := build
endif

FUZZ_SECONDS ?= 60
FUZZ_OPTIONS ?= -max_len=8192 -timeout=20 -print_final_stats=1 -verbosity=0

# make V=1 shows the commands themselves.
ifeq ($(V),1)
say =
else
Q   := @
say = @printf '  %-7s %s\n' $(1) $(2);
endif

SETS     := tp_btf tracepoint kprobe splice
SKELETONS = $(patsubst %,$(build)/%.skel.h,$(SETS) preemption watch)
COMMANDS := $(notdir $(basename $(wildcard cmd/*.c)))
BIN      := $(filter %-show %-top %-watch %-status,$(COMMANDS))
SBIN     := $(filter-out $(BIN),$(COMMANDS))
FUZZERS  := $(notdir $(basename $(wildcard tests/fuzz/*.c)))
HELPERS  := attached ledger objects saved traffic turns uring ways
PAGES    := $(notdir $(wildcard cmd/*.8))
FLEET    := $(wildcard cmd/fleet/*)
UNITS    := $(notdir $(wildcard cmd/systemd/*.service cmd/systemd/*.timer))
LIBRARY  := $(patsubst %.c,$(build)/%.o,$(wildcard lib/*.c))
SOURCES   = $(wildcard bpf/*.[ch] lib/*.[ch] cmd/*.[ch] tests/*.c tests/ways/*.[ch] tests/fuzz/*.[ch])
SCRIPTS   = .ci/run tests/bench tests/demo tests/faults tests/fleet tests/kernels tests/kernels.init tests/locked tests/paths $(wildcard tests/*.bats tests/*.bash completions/*.bash)

all: $(addprefix $(build)/,$(COMMANDS))

# bpf/ -> skeleton -> lib/ -> cmd/: each stage knows only the one before it.
# The programs are compiled once for each set of hooks.
$(SETS:%=$(build)/%.bpf.o): $(build)/%.bpf.o: bpf/netacct.bpf.c $(wildcard bpf/*.h) | $(build)/lib
	$(call say,BPF,$@)$(CLANG) $(BPFFLAGS) -DSET_$$(echo $* | tr a-z A-Z) -c $< -o $@

$(build)/preemption.bpf.o $(build)/watch.bpf.o: $(build)/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) | $(build)/lib
	$(call say,BPF,$@)$(CLANG) $(BPFFLAGS) -c $< -o $@

$(build)/%.skel.h: $(build)/%.bpf.o
	$(call say,SKEL,$@)( echo '/* NOLINTBEGIN: generated */' && \
		$(BPFTOOL) gen skeleton $< name $*$(if $(filter $*,$(SETS)),_set) && \
		echo '/* NOLINTEND */' ) >$@

$(build)/lib/sets.o $(build)/lib/watch.o: $(SKELETONS)

$(build)/lib/%.o: lib/%.c | $(build)/lib
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(build)/libnetacct.a: $(LIBRARY)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(build)/%: cmd/%.c $(build)/libnetacct.a
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d \
		$< $(build)/libnetacct.a $(LDLIBS) -o $@

$(build)/netacct-top $(build)/fuzz/options: LDLIBS += -lncursesw -ltinfo

$(build)/tests/%: tests/%.c | $(build)/tests
	$(call say,CC,$@)$(CC) -D_GNU_SOURCE $(CFLAGS) $(LDFLAGS) $< -pthread -o $@

$(build)/tests/ledger $(build)/tests/saved: $(build)/tests/%: tests/%.c $(build)/libnetacct.a | $(build)/tests
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $< $(build)/libnetacct.a $(LDLIBS) -o $@

$(build)/tests/ways: $(wildcard tests/ways/*.[ch]) | $(build)/tests
	$(call say,CC,$@)$(CC) -D_GNU_SOURCE $(CFLAGS) $(LDFLAGS) $(filter %.c,$^) -pthread -o $@

$(build)/tests/reference.bpf.o: tests/reference.bpf.c bpf/abi.h bpf/kernel.h bpf/task.h | $(build)/tests
	$(call say,BPF,$@)$(CLANG) $(BPFFLAGS) -DSET_TP_BTF -c $< -o $@

$(build)/lib $(build)/tests:
	$(Q)mkdir -p $@

# Fuzz targets: the same sources with other instruments. What a target puts in
# place of a function has the name __wrap_FUNCTION.
FUZZFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Werror -fno-sanitize-recover=all \
	     -fsanitize=address,undefined,float-cast-overflow
FUZZLIB   := $(patsubst %.c,$(build)/fuzz/%.o,$(wildcard lib/*.c))
WRAPS      = $(sort $(shell grep -o '__wrap_[a-z_]*' $<))

$(build)/fuzz/lib/sets.o $(build)/fuzz/lib/watch.o: $(SKELETONS)

$(build)/fuzz/lib/%.o: lib/%.c | $(build)/fuzz
	$(call say,FUZZCC,$@)$(CLANG) $(CPPFLAGS) $(FUZZFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(build)/fuzz/cmd/%.o: cmd/netacct-%.c | $(build)/fuzz
	$(call say,FUZZCC,$@)$(CLANG) $(CPPFLAGS) $(FUZZFLAGS) -fsanitize=fuzzer-no-link -Dmain=$*_main -MMD -MP -c $< -o $@

$(build)/fuzz/libnetacct.a: $(FUZZLIB)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(build)/fuzz/options: $(COMMANDS:netacct-%=$(build)/fuzz/cmd/%.o)
$(build)/fuzz/maps: $(build)/fuzz/cmd/status.o

$(build)/fuzz/%: tests/fuzz/%.c $(build)/fuzz/libnetacct.a
	$(call say,FUZZCC,$@)$(CLANG) $(CPPFLAGS) $(FUZZFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d \
		$(WRAPS:__wrap_%=-Wl,--wrap=%) $< $(filter %.o,$^) $(build)/fuzz/libnetacct.a $(LDLIBS) -o $@

$(build)/fuzz:
	$(Q)mkdir -p $@/lib $@/cmd

# Installs what is missing; with NO_INSTALL=1, or where that cannot be done, lists it.
deps:
	@missing=; for need in $(NEEDS); do \
		command -v $${need#*:} >/dev/null || [ -e /usr/include/$${need#*:} ] || \
		missing="$$missing $${need%%:*}"; done; \
	[ -n "$$missing" ] || exit 0; \
	echo "missing packages:$$missing"; \
	[ -z "$(NO_INSTALL)" ] || { echo "not installing them: NO_INSTALL is set" >&2; exit 1; }; \
	command -v apt-get >/dev/null || \
		{ echo "not installing them: no apt-get here (the names are Debian's)" >&2; exit 1; }; \
	[ "$$(id -u)" = 0 ] || { echo "not installing them: that needs root" >&2; exit 1; }; \
	ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || apt-get -q update || exit 1; \
	DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $$missing

BUILD_PACKAGES := $(foreach need,$(BUILD_NEEDS),$(firstword $(subst :, ,$(need))))
# But for those that no Debian package names.
comma     := ,
empty     :=
DEB_NEEDS := $(subst $(empty) $(empty),$(comma) ,$(filter-out gcc libc6-dev linux-libc-dev,$(BUILD_PACKAGES)))

version:
	@echo $(VERSION)

build-needs:
	@printf '%s\n' $(BUILD_PACKAGES)

# Run again after deps, since this make looked around when nothing was there yet.
demo check: root
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j"$$(nproc)" run-$@

root:
	@[ "$$(id -u)" = 0 ] || \
		{ echo "make $(MAKECMDGOALS): needs root: it loads programs into the kernel" >&2; exit 1; }

run-demo: all
	$(Q)BUILD=$(CURDIR)/$(build) tests/locked tests/demo

run-check: all $(HELPERS:%=$(build)/tests/%)
	$(Q)if [ "$(TESTS)" = tests ] && ls "$$($(CLANG) -print-resource-dir)"/lib/*/libclang_rt.fuzzer* >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory fuzzers; \
	fi
	$(Q)BUILD=$(CURDIR)/$(build) tests/locked $(BATS) $(TESTS)

# On every kernel, one table; KERNEL="5.10 6.1" make check-kernels: on these.
check-kernels: root
	@$(MAKE) --no-print-directory deps NEEDS="$(NEEDS) $(KERNEL_NEEDS)"
	@$(MAKE) --no-print-directory -j"$$(nproc)" run-$@

run-check-kernels: all $(HELPERS:%=$(build)/tests/%)
	$(Q)BUILD=$(CURDIR)/$(build) tests/kernels

# The package on Debian 12 and 13: built, checked, installed, upgraded and removed in clean roots, and at work in
# virtual machines.
check-packages: root
	@$(MAKE) --no-print-directory deps NEEDS="$(NEEDS) $(KERNEL_NEEDS)"
	@$(MAKE) --no-print-directory -j"$$(nproc)" run-$@

run-check-packages: $(build)/tests/traffic
	$(Q)BUILD=$(CURDIR)/$(build) timeout 6000 $(BATS) --timing $(if $(filter tests,$(TESTS)),$(addprefix tests/packages/,packages.bats guest.bats),$(TESTS))

# Every system call that fails, with every error, and every kill: takes most of an hour.
check-faults: root
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j"$$(nproc)" run-$@

run-check-faults: all $(HELPERS:%=$(build)/tests/%)
	$(Q)BUILD=$(CURDIR)/$(build) tests/locked tests/faults
	$(Q)BUILD=$(CURDIR)/$(build) RESETS=10000 UPGRADES=100 KILLS=100 \
		tests/locked $(BATS) -f together tests/lossless.bats

# At home with Prometheus, node_exporter and SQL, as Debian has them.
check-fleet: root
	@$(MAKE) --no-print-directory deps NEEDS="$(NEEDS) $(FLEET_NEEDS)"
	@$(MAKE) --no-print-directory -j"$$(nproc)" run-$@

run-check-fleet: all $(HELPERS:%=$(build)/tests/%)
	$(Q)BUILD=$(CURDIR)/$(build) tests/locked timeout 300 $(BATS) --timing tests/fleet

# What it costs: ratios, each measured beside what it is compared with.
bench: root
	@$(MAKE) --no-print-directory deps NEEDS="$(NEEDS) $(BENCH_NEEDS)"
	@$(MAKE) --no-print-directory -j"$$(nproc)" run-$@

run-bench: all $(HELPERS:%=$(build)/tests/%) $(build)/tests/reference.bpf.o
	$(Q)BUILD=$(CURDIR)/$(build) tests/locked tests/bench

# FUZZ_SECONDS for each target, over what tests/fuzz/corpus and earlier runs have.
fuzz:
	@$(MAKE) --no-print-directory deps NEEDS="$(BUILD_NEEDS) $(FUZZ_NEEDS)"
	@$(MAKE) --no-print-directory -j"$$(nproc)" run-fuzz

run-fuzz: fuzzers
	$(Q)for target in $(FUZZERS); do \
		mkdir -p $(build)/fuzz/corpus/$$target && \
		$(build)/fuzz/$$target $(FUZZ_OPTIONS) -max_total_time=$(FUZZ_SECONDS) \
			-artifact_prefix=$(build)/fuzz/$$target- \
			$(build)/fuzz/corpus/$$target tests/fuzz/corpus/$$target || exit 1; \
	done

fuzzers: $(FUZZERS:%=$(build)/fuzz/%)

lint:
	@$(MAKE) --no-print-directory deps NEEDS="$(BUILD_NEEDS) $(LINT_NEEDS)"
	@$(MAKE) --no-print-directory -j"$$(nproc)" run-lint

run-lint: $(SKELETONS)
	$(Q)clang-format --dry-run -Werror $(SOURCES)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' lib/*.c cmd/*.c $(filter-out %.bpf.c,$(wildcard tests/*.c)) tests/ways/*.c tests/fuzz/*.c -- \
		$(CPPFLAGS) -std=gnu11
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --library=bsd \
		'-Dbpf_object__for_each_program(p,o)=while((p=next(o)))' \
		'-Dbpf_object__for_each_map(m,o)=while((m=next(o)))' \
		--enable=warning,performance,portability -D_GNU_SOURCE '-DLIBBPF_OPTS(type,name,...)=struct type name={__VA_ARGS__}' \
		-Ibpf -Ilib -itests/reference.bpf.c lib cmd tests
	$(Q)shellcheck -x $(SCRIPTS)
	$(Q)mandoc -T lint -W warning cmd/*.8

fmt:
	$(Q)clang-format -i $(SOURCES)

# The units are templates: the same lines load each account, and harden each service.
$(build)/systemd/%: cmd/systemd/% cmd/systemd/load cmd/systemd/hardening Makefile
	@mkdir -p $(@D)
	$(call say,UNIT,$@)sed -e '/^@load@$$/{r cmd/systemd/load' -e 'd}' -e '/^@hardening@$$/{r cmd/systemd/hardening' -e 'd}' $< | \
		sed -e 's|@bindir@|$(bindir)|g; s|@sbindir@|$(sbindir)|g; s|@sysconfdir@|$(sysconfdir)|g' \
		-e 's|@saved@|$(if $(findstring @,$*),saved-%i,saved)|g' >$@

# Made anew, since what they say depends on where they go.
units:
	$(Q)$(RM) -r $(build)/systemd
	$(Q)$(MAKE) --no-print-directory $(UNITS:%=$(build)/systemd/%)

install: all units installdirs
	$(INSTALL_PROGRAM) $(addprefix $(build)/,$(BIN)) $(DESTDIR)$(bindir)
	$(INSTALL_PROGRAM) $(addprefix $(build)/,$(SBIN)) $(DESTDIR)$(sbindir)
	$(INSTALL_DATA) $(addprefix cmd/,$(PAGES)) $(DESTDIR)$(man8dir)
	$(INSTALL_DATA) $(addprefix $(build)/systemd/,$(UNITS)) $(DESTDIR)$(unitdir)
	$(if $(FLEET),$(INSTALL_DATA) $(FLEET) $(DESTDIR)$(pkgdatadir))
	$(INSTALL_DATA) completions/netacct.bash $(DESTDIR)$(completiondir)/netacct
	for c in $(COMMANDS); do ln -sf netacct $(DESTDIR)$(completiondir)/$$c; done
	$(INSTALL_DATA) completions/netacct.zsh $(DESTDIR)$(zshdir)/_netacct
	$(INSTALL_DATA) completions/netacct.fish $(DESTDIR)$(fishdir)/netacct.fish
	for c in $(COMMANDS); do ln -sf netacct.fish $(DESTDIR)$(fishdir)/$$c.fish; done

install-strip:
	$(MAKE) INSTALL_PROGRAM='$(INSTALL_PROGRAM) -s' install

installdirs:
	$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(sbindir) $(DESTDIR)$(man8dir) $(DESTDIR)$(completiondir) \
		$(DESTDIR)$(zshdir) $(DESTDIR)$(fishdir) $(DESTDIR)$(unitdir) $(if $(FLEET),$(DESTDIR)$(pkgdatadir))

# Folders stay, as others may use them, but for our own.
uninstall:
	$(RM) $(addprefix $(DESTDIR)$(bindir)/,$(BIN)) $(addprefix $(DESTDIR)$(sbindir)/,$(SBIN))
	$(RM) $(addprefix $(DESTDIR)$(man8dir)/,$(PAGES)) $(addprefix $(DESTDIR)$(unitdir)/,$(UNITS))
	$(RM) $(addprefix $(DESTDIR)$(pkgdatadir)/,$(notdir $(FLEET)))
	-[ ! -d $(DESTDIR)$(pkgdatadir) ] || rmdir $(DESTDIR)$(pkgdatadir)
	$(RM) $(addprefix $(DESTDIR)$(completiondir)/,netacct $(COMMANDS)) $(DESTDIR)$(zshdir)/_netacct
	$(RM) $(addsuffix .fish,$(addprefix $(DESTDIR)$(fishdir)/,netacct $(COMMANDS)))

# Of the package: see above for the others.
SCRIPTS  += $(addprefix tests/packages/,root build-needs $(addprefix guest/,run functions first second)) \
	    $(wildcard tests/packages/*.bats tests/packages/*.bash) $(addprefix cmd/debian/,preinst postinst prerm postrm)

# The same sources make the same tarball, byte by byte.
NAME   = netacct-$(VERSION)
FILES  = $(shell [ -e .git ] && git ls-files 2>/dev/null || find . -type f ! -path './build/*' ! -path './.git/*' -printf '%P\n')
SOURCE_DATE_EPOCH ?= $(shell [ -e .git ] && git log -1 --format=%ct 2>/dev/null || stat -c %Y Makefile)
MAINTAINER ?= netacct developers <netacct@netacct.invalid>

dist: $(build)/$(NAME).tar.gz

$(build)/$(NAME).tar.gz: FORCE | $(build)/lib
	$(call say,DIST,$@)printf '%s\n' $(FILES) | LC_ALL=C sort | \
		tar --create --files-from=- --format=ustar --transform='s|^|$(NAME)/|' --mtime=@$(SOURCE_DATE_EPOCH) \
		--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX | gzip -9n >$@

# debian/ is made of cmd/debian/, beside the tarball that it packs.
deb:
	@$(MAKE) --no-print-directory deps NEEDS="$(BUILD_NEEDS) $(PACKAGE_NEEDS)"
	@$(MAKE) --no-print-directory run-deb

run-deb: dist
	$(Q)rm -rf $(build)/deb && mkdir -p $(build)/deb
	$(Q)cp $(build)/$(NAME).tar.gz $(build)/deb/netacct_$(VERSION).orig.tar.gz
	$(Q)tar -C $(build)/deb -xf $(build)/$(NAME).tar.gz
	$(Q)cp -r cmd/debian $(build)/deb/$(NAME)/debian
	$(Q)sed -i 's|@VERSION@|$(VERSION)|; s|@MAINTAINER@|$(MAINTAINER)|; s|@DATE@|'"$$(date -uR -d @$(SOURCE_DATE_EPOCH))"'|; s|@BUILD_NEEDS@|$(DEB_NEEDS)|' \
		$(build)/deb/$(NAME)/debian/control $(build)/deb/$(NAME)/debian/changelog
	$(Q)cd $(build)/deb/$(NAME) && env -u SOURCE_DATE_EPOCH -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc
	@ls $(build)/deb/*.deb

FORCE:

.PHONY: FORCE build-needs check-packages deb dist install-strip installdirs run-check-packages run-deb units version

clean:
	rm -rf build

.PHONY: all deps bench run-bench demo check check-faults check-fleet check-kernels root run-demo run-check run-check-faults run-check-fleet run-check-kernels fuzz run-fuzz fuzzers lint run-lint fmt install uninstall clean
.DELETE_ON_ERROR:
.SECONDARY:

-include $(wildcard $(build)/*.d $(build)/lib/*.d $(build)/fuzz/*.d $(build)/fuzz/*/*.d)
