# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
bats_require_minimum_version 1.5.0

CACHE=$BATS_TEST_DIRNAME/../../build/packages
NEW=$(make -s -C "$BATS_TEST_DIRNAME/../.." version)
OLD=0.0.9
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# is ACTUAL EXPECTED: like [ = ], but a failure shows both.
is() {
	[ "$1" = "$2" ] && return
	printf 'expected: %s\n  actual: %s\n' "$2" "$1" >&2
	return 1
}

# root SUITE KIND: a new root of that Debian in $ROOT.
root() {
	local tar

	tar=$("$BATS_TEST_DIRNAME/root" "$@") || return
	ROOT=$CACHE/run-$1-$2
	rm -rf "$ROOT" && mkdir "$ROOT" && tar -C "$ROOT" -xf "$tar"
}

# inside COMMAND: in that root, with a /proc of its own, and without a network, a terminal or the machine's /sys.
inside() {
	# shellcheck disable=SC2016 # the inner shell's
	timeout 900 unshare --mount --pid --net --uts --ipc --fork sh -c \
		'mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive sh -c "$1"' \
		"$ROOT" "$1" </dev/null
}

# debs SUITE: the package of these sources, and one that differs by its older version alone, are in
# $CACHE/SUITE-debs.
debs() {
	make -s -C "$BATS_TEST_DIRNAME/../.." dist >/dev/null || return
	[ "$(cat "$CACHE/$1-debs/of" 2>/dev/null)" = "$(sources_sum)" ] && return
	debs_build "$1" || return
	rm -rf "$ROOT"
}

sources_sum() {
	sha256sum <"$BATS_TEST_DIRNAME/../../build/netacct-$NEW.tar.gz"
}

# debs_build SUITE: makes them in $ROOT, which is left as it is then.
debs_build() {
	local version

	make -s -C "$BATS_TEST_DIRNAME/../.." dist >/dev/null || return
	root "$1" build || return
	mkdir "$ROOT/source" && tar -C "$ROOT/source" --strip-components=1 -xf "$BATS_TEST_DIRNAME/../../build/netacct-$NEW.tar.gz" || return
	rm -rf "${CACHE:?}/$1-debs" && mkdir "$CACHE/$1-debs" || return
	for version in "$OLD" "$NEW"; do
		inside "make -s -C /source deb VERSION=$version" >"$BATS_TEST_TMPDIR/log" 2>&1 ||
			{ tail -n 30 "$BATS_TEST_TMPDIR/log" >&2; return 1; }
		cp "$ROOT"/source/build/deb/netacct_"$version"*.deb "$CACHE/$1-debs" || return
	done
	sources_sum >"$CACHE/$1-debs/of"
}
