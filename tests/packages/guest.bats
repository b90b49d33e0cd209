# SPDX-License-Identifier: GPL-2.0-only
# The package at work: Debian 12 and 13, each with its kernel, booted twice by their systemd in a virtual machine.
load packages

teardown() {
	rm -rf "$ROOT"
}

# Seconds for a boot: two minutes where nothing else runs.
LIMIT=${NETACCT_BOOT_SECONDS:-1200}

# image SUITE VERSION STEPS: a root with the package installed that runs guest/STEPS, packed as a kernel wants it.
image() {
	local guest=$BATS_TEST_DIRNAME/guest unit

	root "$1" systemd
	mkdir "$ROOT/netacct"
	cp "$CACHE/$1-debs/netacct_$2"*.deb "$ROOT/netacct/installed.deb"
	cp "$CACHE/$1-debs/netacct_$NEW"*.deb "$ROOT/netacct/new.deb"
	cp "$guest"/* "${BUILD:-$BATS_TEST_DIRNAME/../../build}/tests/traffic" "$ROOT/netacct"
	mv "$ROOT/netacct/$3" "$ROOT/netacct/steps"
	inside "dpkg -i /netacct/installed.deb"
	cp "$guest"/*.service "$ROOT/etc/systemd/system"
	mkdir -p "$ROOT"/etc/systemd/system/{multi-user,sysinit}.target.wants "$ROOT/etc/systemd/system.conf.d"
	ln -s /etc/systemd/system/test.service "$ROOT/etc/systemd/system/multi-user.target.wants"
	ln -s /etc/systemd/system/carry.service "$ROOT/etc/systemd/system/sysinit.target.wants"
	for unit in getty@tty1 serial-getty@ttyS0 console-getty; do
		ln -sf /dev/null "$ROOT/etc/systemd/system/$unit.service"
	done
	# The guests are slow.
	printf '[Manager]\nDefaultTimeoutStartSec=900\nDefaultTimeoutStopSec=300\n' >"$ROOT/etc/systemd/system.conf.d/slow.conf"
	# No first boot, which would enable all units.
	echo 0123456789abcdef0123456789abcdef >"$ROOT/etc/machine-id"
	ln -sf usr/lib/systemd/systemd "$ROOT/init"
	rm -rf "$ROOT"/usr/share/{doc,man,locale,i18n} "$ROOT"/var/cache/*
	if [ -s "$BATS_TEST_TMPDIR/more" ]; then
		base64 -d "$BATS_TEST_TMPDIR/more" | tar -C "$ROOT" -xf -
	fi
	(cd "$ROOT" && find . | cpio --quiet -o -H newc) >"$BATS_TEST_TMPDIR/initrd"
	rm -rf "$ROOT"
}

boot() {
	"$BATS_TEST_DIRNAME/../kernels" --boot "$1" "$BATS_TEST_TMPDIR" "$LIMIT" no_timer_check systemd.firstboot=off \
		>"$BATS_TEST_TMPDIR/log" 2>&1 && return
	tail -n 40 "$BATS_TEST_TMPDIR/log" >&2
	tail -n 20 "$BATS_TEST_TMPDIR/console" >&2
	return 1
}

works() {
	debs "$1"
	image "$1" "$OLD" first
	boot "$2"
	[ -s "$BATS_TEST_TMPDIR/more" ]
	image "$1" "$NEW" second
	boot "$2"
}

@test "Debian 12: counts from boot on, through an upgrade and a reboot; nothing is left of it" {
	works bookworm 6.1
}

@test "Debian 13: counts from boot on, through an upgrade and a reboot; nothing is left of it" {
	works trixie 6.12
}
