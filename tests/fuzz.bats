# SPDX-License-Identifier: GPL-2.0-only
# What fuzzing has found, and what leads it everywhere, once more: make fuzz goes on from there.
# bats file_tags=anywhere
load helpers

# once TARGET: over its corpus, as it is.
once() {
	[ -x "$BUILD/fuzz/$1" ] || skip "build/fuzz/$1 is not there: its compiler had no libFuzzer (libclang-rt-dev)"
	run -0 "$BUILD/fuzz/$1" -timeout=60 -artifact_prefix="$BATS_TEST_TMPDIR/" "$BATS_TEST_DIRNAME/fuzz/corpus/$1"/*
	rm -f "$BATS_TEST_TMPDIR"/*
}

@test "hostile rows in the maps" {
	once maps
}

@test "command lines" {
	once options
}

@test "files to restore" {
	once saved
}
