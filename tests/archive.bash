# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only

# archive NAME: where this machine gets its own Debian from has the other releases, too.
archive() {
	# shellcheck disable=SC2016 # apt's
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 "/$1/*$" ||
		echo "${0##*/}: apt has no source whose address ends in /$1" >&2
}
