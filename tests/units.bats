# SPDX-License-Identifier: GPL-2.0-only
# systemd's units say what systemd understands, and let a service do little more than it has to.
# bats file_tags=anywhere
load helpers

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return
	ROOT=$BATS_TEST_TMPDIR/root
	# The paths are those of the programs that are there.
	make -s units sbindir="$(realpath "$BUILD")" bindir="$(realpath "$BUILD")" build="$ROOT" >/dev/null
	UNITS=$ROOT/systemd
}

services() {
	local unit

	for unit in "$UNITS"/*.service; do
		echo "${unit/@./@records.}"
	done
}

@test "units: systemd-analyze verify says nothing" {
	cp "$UNITS/netacct@.service" "$UNITS/netacct@records.service"
	for unit in $(services) "$UNITS"/*.timer; do
		# Not what it says of other units of this machine.
		SYSTEMD_UNIT_PATH=$UNITS: run -0 systemd-analyze --man=no verify "$unit"
		is "$unit: $(grep -F netacct <<<"$output" || true)" "$unit: "
	done
}

@test "units: each service is hardened" {
	cp "$UNITS/netacct@.service" "$UNITS/netacct@records.service"
	for unit in $(services); do
		# In tenths; what is left is mostly what loading programs takes.
		SYSTEMD_UNIT_PATH=$UNITS: run -0 systemd-analyze security --no-pager --offline=yes --threshold=45 "$unit"
	done
}

@test "units: every page that they name is there" {
	for page in $(sed -n 's/^Documentation=//p' "$UNITS"/* | tr ' ' '\n' | sed -n 's/^man:\(.*\)(8)$/\1/p' | sort -u); do
		[ -e "cmd/$page.8" ]
	done
}

@test "units: no placeholder is left, and every program is where it says" {
	run -1 grep -E '@[a-z]+@' -r "$UNITS"
	while read -r program; do
		[ -x "$program" ]
	done < <(grep -ohE "$(realpath "$BUILD")/netacct-[a-z]+" -r "$UNITS" | sort -u)
}
