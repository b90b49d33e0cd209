# SPDX-License-Identifier: GPL-2.0-only
# The package in clean roots of Debian 12 and 13: built and checked there, installed, upgraded and removed. What a
# kernel is needed for: guest.bats.
load packages

teardown() {
	rm -rf "$ROOT"
}

builds() {
	debs_build "$1"
	run -0 inside "lintian --allow-root --fail-on error,warning /source/build/deb/netacct_*.changes"
	is "$output" ""
}

@test "Debian 12: the package builds, and lintian is content" {
	builds bookworm
}

@test "Debian 13: the package builds, and lintian is content" {
	builds trixie
}

# What there is, but for what dpkg notes of its own work.
everything() {
	(cd "$ROOT" && find . -xdev \( -path ./proc -o -path ./debs -o -path ./var/lib/dpkg/\*-old -o -path ./var/log/dpkg.log \) -prune \
		-o \( -type f -printf '%p %m %u %g %s\n' \) -o -printf '%p %m %u %g %l\n') | LC_ALL=C sort
}

installs() {
	debs "$1"
	root "$1" clean
	mkdir "$ROOT/debs"
	cp "$CACHE/$1"-debs/*.deb "$ROOT/debs"
	everything >"$BATS_TEST_TMPDIR/before"

	inside "dpkg -i /debs/netacct_$OLD*.deb"
	is "$(inside "netacct-show --version")" "netacct-show $OLD"
	[ -L "$ROOT/etc/systemd/system/sysinit.target.wants/netacct.service" ]
	[ ! -e "$ROOT/etc/systemd/system/timers.target.wants/netacct-metrics.timer" ]
	[ ! -e "$ROOT/etc/systemd/system/timers.target.wants/netacct-records.timer" ]
	echo 'NETACCT_OPTIONS="--no-flows"' >"$ROOT/etc/default/netacct"
	mkdir -p "$ROOT/var/lib/netacct"
	echo mine >"$ROOT/var/lib/netacct/saved"

	inside "dpkg -i /debs/netacct_$NEW*.deb"
	for command in load reset show status top unload watch; do
		is "$(inside "netacct-$command --version")" "netacct-$command $NEW"
	done
	is "$(cat "$ROOT/etc/default/netacct")" 'NETACCT_OPTIONS="--no-flows"'
	is "$(inside "dpkg -V netacct")" "??5?????? c /etc/default/netacct"
	run -3 inside "netacct-show"
	[ ! -e "$ROOT/usr/sbin/netacct-unload.old" ]

	inside "dpkg -r netacct"
	is "$(cat "$ROOT/var/lib/netacct/saved")" mine
	[ -e "$ROOT/etc/default/netacct" ]
	inside "dpkg -P netacct"
	everything >"$BATS_TEST_TMPDIR/after"
	is "$(diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after")" ""
}

@test "Debian 12: installs, upgrades, and is removed without a trace" {
	installs bookworm
}

@test "Debian 13: installs, upgrades, and is removed without a trace" {
	installs trixie
}

@test "each Debian's systemd takes the units as they are" {
	for suite in bookworm trixie; do
		debs "$suite"
		root "$suite" systemd
		cp "$CACHE/$suite-debs/netacct_$NEW"*.deb "$ROOT/deb"
		inside "dpkg -i /deb"
		units="netacct.service netacct@records.service netacct-metrics.service netacct-metrics.timer netacct-records.service netacct-records.timer"
		run -0 inside "systemd-analyze --man=no verify $units 2>&1"
		is "$suite: $output" "$suite: "
		for unit in $units; do
			[[ $unit == *.timer ]] || inside "systemd-analyze security --no-pager --offline=yes --threshold=45 $unit >/dev/null"
		done
		rm -rf "$ROOT"
	done
}

# scripts SUITE: with programs in the place of netacct's that only note how they were called.
scripts() {
	local command

	debs "$1"
	root "$1" clean
	mkdir "$ROOT/stubs"
	cp "$CACHE/$1-debs/netacct_$NEW"*.deb "$ROOT/stubs/deb"
	inside "dpkg -i /stubs/deb"
	for command in load status unload unload.old; do
		printf '#!/bin/sh\necho %s "$@" >>/stubs/log\n' "$command" >"$ROOT/stubs/netacct-$command"
		chmod +x "$ROOT/stubs/netacct-$command"
	done
	mkdir -p "$ROOT"/sys/fs/bpf/netacct{,-records}
}

# script NAME WORD...: calls it as dpkg does, and prints what it called.
script() {
	: >"$ROOT/stubs/log"
	"${INSIDE:-inside}" "PATH=/stubs:\$PATH sh -e /var/lib/dpkg/info/netacct.$*" >&2 || return
	cat "$ROOT/stubs/log"
}

in_chroot() {
	chroot "$ROOT" sh -c "$1"
}

with_proc() {
	unshare --mount sh -c "mount --rbind /proc '$ROOT/proc' && exec chroot '$ROOT' sh -c \"\$0\"" "$1"
}

@test "the scripts of the package: in a chroot they leave the accounts of the machine alone" {
	scripts bookworm
	for INSIDE in in_chroot with_proc; do
		is "$(script postinst configure 0.0.9)" ""
		is "$(script prerm remove)" ""
	done
}

# shellcheck disable=SC2016 # of the stubs
@test "the scripts of the package: an upgrade replaces, what cannot be replaced goes through a file" {
	scripts bookworm
	is "$(script postinst configure 0.0.9)" "status --pin-dir /sys/fs/bpf/netacct
load --replace --pin-dir /sys/fs/bpf/netacct
status --pin-dir /sys/fs/bpf/netacct-records
load --replace --pin-dir /sys/fs/bpf/netacct-records"
	# A fresh installation has nothing to replace.
	is "$(script postinst configure)" ""
	# Nothing is loaded.
	printf '#!/bin/sh\nexit 3\n' >"$ROOT/stubs/netacct-status"
	is "$(script postinst configure 0.0.9)" ""
	# Other hooks or tables: loaded until it is unloaded.
	rmdir "$ROOT/sys/fs/bpf/netacct-records"
	printf '#!/bin/sh\ngrep -q unload /stubs/log && exit 3 || exit 1\n' >"$ROOT/stubs/netacct-status"
	printf '#!/bin/sh\necho load "$@" >>/stubs/log; [ "$1" != --replace ]\n' >"$ROOT/stubs/netacct-load"
	mkdir -p "$ROOT/var/lib/netacct"
	touch "$ROOT/var/lib/netacct/saved"
	printf '#!/bin/sh\necho unload "$@" >>/stubs/log; touch "$4"\n' >"$ROOT/stubs/netacct-unload.old"
	is "$(script postinst configure 0.0.9)" "load --replace --pin-dir /sys/fs/bpf/netacct
unload --pin-dir /sys/fs/bpf/netacct --to /var/lib/netacct/saved
load --pin-dir /sys/fs/bpf/netacct --restore /var/lib/netacct/saved"
	is "$(cd "$ROOT/var/lib/netacct" && echo *)" "saved.refused saved.restored"
	# And where even that fails, the package is installed all the same.
	printf '#!/bin/sh\nexit 1\n' >"$ROOT/stubs/netacct-unload.old"
	script postinst configure 0.0.9
}

@test "the scripts of the package: removal unloads every account, and saves what can be saved" {
	scripts bookworm
	is "$(script prerm remove)" "unload --pin-dir /sys/fs/bpf/netacct --to /var/lib/netacct/saved
unload --pin-dir /sys/fs/bpf/netacct-records --to /var/lib/netacct/saved-records"
	is "$(script prerm upgrade 0.2.0)" ""
	rmdir "$ROOT/sys/fs/bpf/netacct-records"
	# shellcheck disable=SC2016 # of the stub
	printf '#!/bin/sh\necho unload "$@" >>/stubs/log; [ $# -lt 4 ]\n' >"$ROOT/stubs/netacct-unload"
	is "$(script prerm remove)" "unload --pin-dir /sys/fs/bpf/netacct --to /var/lib/netacct/saved
unload --pin-dir /sys/fs/bpf/netacct"
}
