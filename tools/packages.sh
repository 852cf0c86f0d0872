# Installing Debian packages; sourced by run, test and bare-debian.sh.
# shellcheck shell=bash

# Libraries that vmmap is built with; only the first must be there.
# shellcheck disable=SC2034
library_packages="libsqlite3-dev libarchive-dev libzstd-dev libexpat1-dev libmicrohttpd-dev"

# Prints the packages among "$@" that are not installed.
packages_missing() {
	local package
	for package in "$@"; do
		dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -x installed >/dev/null || echo "$package"
	done
}

# Runs a command as root: directly, or through sudo when that needs no terminal or has one.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
		sudo "$@"
	else
		return 126
	fi
}

# Installs packages, quietly: $1 is who asks, $2 a log file, the rest are package names that exist here.
# Returns 1 after a line on standard error when it cannot.
packages_install() {
	local who=$1 log=$2
	shift 2
	[ $# -eq 0 ] && return 0
	if ! command -v apt-get >/dev/null; then
		echo "$who: missing: $*; this is no Debian system, install what these packages hold by hand" >&2
		return 1
	fi
	echo "$who: installing $*" >&2
	if ! as_root true; then
		echo "$who: not permitted to install; run as root: apt-get install --no-install-recommends $*" >&2
		return 1
	fi
	if ! { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } \
		>"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		echo "$who: apt-get could not install $*" >&2
		return 1
	fi
}

# True when the C compiler $1 finds the headers of the C library.
compiler_works() {
	command -v "$1" >/dev/null && echo '#include <stdio.h>' | "$1" -E -x c - >/dev/null 2>&1
}
