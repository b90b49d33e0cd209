# SPDX-License-Identifier: GPL-2.0-only
# What make install puts where, that make uninstall takes all of it away, and the tarball.
# bats file_tags=anywhere
load helpers

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return
	ROOT=$BATS_TEST_TMPDIR/root
}

# install FILE... as one list, from the programs that are built.
install_to() {
	make -s install DESTDIR="$ROOT" "$@" >/dev/null
}

files() {
	(cd "$ROOT" && find . \( ! -type d -o -name netacct \) | LC_ALL=C sort)
}

# What is to be there, below BIN SBIN SHARE UNITS.
expected() {
	local command name

	for command in show status top watch; do echo ".$1/netacct-$command"; done
	for command in load reset unload; do echo ".$2/netacct-$command"; done
	for command in -load -reset -show -status -top -unload -watch ""; do
		echo ".$3/bash-completion/completions/netacct$command"
		echo ".$3/fish/vendor_completions.d/netacct$command.fish"
		echo ".$3/man/man8/netacct$command.8"
	done
	[ ! -d cmd/fleet ] || echo ".$3/netacct"
	for name in cmd/fleet/*; do
		[ ! -e "$name" ] || echo ".$3/netacct/${name##*/}"
	done
	echo ".$3/man/man8/netacct.service.8"
	echo ".$3/zsh/site-functions/_netacct"
	for name in netacct.service netacct@.service netacct-{metrics,records}.{service,timer}; do echo ".$4/$name"; done
}

@test "make install: below /usr/local; uninstall takes away what it put there, and nothing else" {
	mkdir -p "$ROOT/usr/local/bin"
	touch "$ROOT/usr/local/bin/netacct-mine"
	install_to
	is "$(files)" "$( (expected /usr/local/bin /usr/local/sbin /usr/local/share /usr/local/lib/systemd/system
		echo ./usr/local/bin/netacct-mine) | LC_ALL=C sort)"
	grep -q "^ExecStop=/usr/local/sbin/netacct-unload " "$ROOT/usr/local/lib/systemd/system/netacct.service"
	make -s uninstall DESTDIR="$ROOT" >/dev/null
	is "$(files)" ./usr/local/bin/netacct-mine
}

@test "make install: prefix, PREFIX and each folder are as the command line says" {
	install_to prefix=/usr
	is "$(files)" "$(expected /usr/bin /usr/sbin /usr/share /usr/lib/systemd/system | LC_ALL=C sort)"
	grep -q "^ExecStop=/usr/sbin/netacct-unload " "$ROOT/usr/lib/systemd/system/netacct.service"
	make -s uninstall DESTDIR="$ROOT" prefix=/usr >/dev/null
	is "$(files)" ""
	install_to PREFIX=/opt/a
	is "$(files)" "$(expected /opt/a/bin /opt/a/sbin /opt/a/share /opt/a/lib/systemd/system | LC_ALL=C sort)"
	make -s uninstall DESTDIR="$ROOT" PREFIX=/opt/a >/dev/null
	other=(exec_prefix=/e sbindir=/s datarootdir=/d unitdir=/u sysconfdir=/c)
	install_to "${other[@]}"
	is "$(files)" "$(expected /e/bin /s /d /u | LC_ALL=C sort)"
	grep -q "^EnvironmentFile=-/c/default/netacct$" "$ROOT/u/netacct.service"
	make -s uninstall DESTDIR="$ROOT" "${other[@]}" >/dev/null
	is "$(files)" ""
}

@test "make install: INSTALL is what installs; every mode is right" {
	printf '#!/bin/sh\necho >>%s\nexec install "$@"\n' "$BATS_TEST_TMPDIR/log" >"$BATS_TEST_TMPDIR/install"
	chmod +x "$BATS_TEST_TMPDIR/install"
	install_to INSTALL="$BATS_TEST_TMPDIR/install"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/log")" -ge 6 ]
	is "$(find "$ROOT" -type f -perm 755 | sed 's|.*/||' | LC_ALL=C sort | paste -sd' ')" \
		"netacct-load netacct-reset netacct-show netacct-status netacct-top netacct-unload netacct-watch"
	is "$(find "$ROOT" -type f ! -perm 755 ! -perm 644)" ""
}

@test "make dist: the same sources make the same tarball, whenever and whoever" {
	make -s dist >/dev/null
	tarball=$(echo "${BUILD%/sanitize}"/netacct-*.tar.gz)
	cp "$tarball" "$BATS_TEST_TMPDIR/first.tar.gz"
	sleep 1
	(umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 make -s dist >/dev/null)
	cmp "$tarball" "$BATS_TEST_TMPDIR/first.tar.gz"
	is "$(tar -tvf "$tarball" | awk '{ print $2 }' | sort -u)" 0/0
	is "$(tar -tf "$tarball" | sed 's|/.*||' | sort -u)" "$(basename "$tarball" .tar.gz)"
}

@test "make dist: the tarball builds, makes itself again, and installs" {
	make -s dist >/dev/null
	tarball=$(echo "${BUILD%/sanitize}"/netacct-*.tar.gz)
	tar -C "$BATS_TEST_TMPDIR" -xf "$tarball"
	cd "$BATS_TEST_TMPDIR/$(basename "$tarball" .tar.gz)"
	make -s all >/dev/null
	install_to
	is "$(files)" "$(expected /usr/local/bin /usr/local/sbin /usr/local/share /usr/local/lib/systemd/system | LC_ALL=C sort)"
	make -s dist >/dev/null
	cmp build/netacct-*.tar.gz "$tarball"
}
