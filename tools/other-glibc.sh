#!/usr/bin/env bash
# Runs the live tests of stacks, arenas and chunks on target programs under other releases' glibc: unpacks their libc6 from the
# mirror that apt uses and starts the programs through its loader. By hand, since it needs the network.
#
#   tools/other-glibc.sh BUILD_DIR [RELEASE ...]      (default: trixie sid)
set -euo pipefail

[ $# -ge 1 ] || {
	echo "usage: $0 BUILD_DIR [RELEASE ...]" >&2
	exit 2
}
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- trixie sid
mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -v security | head -n 1)
[ -n "$mirror" ] || {
	echo "other-glibc: apt knows no mirror: run apt-get update" >&2
	exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unpack_libc() { # RELEASE: libc6 of that release into $work/RELEASE/root
	local folder=$work/$1
	local options=(-o "Dir::Etc::sourcelist=$folder/list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$folder/lists"
		-o "Dir::State::status=$folder/status" -o "Dir::Cache::archives=$folder/archives" -o Dir::Cache::pkgcache=
		-o Dir::Cache::srcpkgcache= -o Acquire::Languages=none -o APT::Sandbox::User=root)
	mkdir -p "$folder"/{lists,archives}/partial
	: >"$folder/status"
	echo "deb $mirror $1 main" >"$folder/list"
	apt-get "${options[@]}" update -qq
	(cd "$folder" && apt-get "${options[@]}" download -qq libc6 && dpkg -x libc6_*.deb root)
	# tcmalloc with the C++ library that it needs; the first release with this name of the package is trixie.
	(cd "$folder" && apt-get "${options[@]}" download -qq libtcmalloc-minimal4t64 libstdc++6 libgcc-s1 2>/dev/null &&
		for package in libtcmalloc*.deb libstdc*.deb libgcc*.deb; do dpkg -x "$package" root; done) || true
}

test_tcmalloc() { # RELEASE LOADER
	local programs=$work/$1/programs-tcmalloc library
	library=$(find "$work/$1/root" -name libtcmalloc_minimal.so.4 | head -n 1)
	[ -n "$library" ] || return 0
	echo "== $1: $(basename "$work/$1"/libtcmalloc-minimal*.deb)"
	mkdir -p "$programs"
	printf '#!/bin/sh\nexec %s --library-path %s --preload %s %s "$@"\n' "$2" "${2%/*}:${library%/*}" "$library" \
		"$build/tests/targets/t_alloc" >"$programs/t_alloc"
	chmod +x "$programs/t_alloc"
	python3 -B "$source/tests/live/alloc_tcmalloc.py" --vmmap "$build/vmmap" --targets "$programs" \
		--chunks "$build/tests/live/chunks_of" --loaded
}

failed=0
for release in "$@"; do
	unpack_libc "$release"
	loader=$(find "$work/$release/root" -name 'ld-linux-x86-64.so.2' -path '*x86_64-linux-gnu*' | head -n 1)
	programs=$work/$release/programs
	mkdir -p "$programs"
	for name in t_arenas t_threads t_alloc t_heap; do
		printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$loader" "${loader%/*}" "$build/tests/targets/$name" >"$programs/$name"
		chmod +x "$programs/$name"
	done
	echo "== $release: $(basename "$work/$release"/libc6_*.deb)"
	for test in arenas threads; do
		python3 -B "$source/tests/live/$test.py" --vmmap "$build/vmmap" --targets "$programs" || failed=1
	done
	python3 -B "$source/tests/live/alloc_glibc.py" --vmmap "$build/vmmap" --targets "$programs" --chunks "$build/tests/live/chunks_of" \
		--count 20 || failed=1
	test_tcmalloc "$release" "$loader" || failed=1
done
exit $failed
