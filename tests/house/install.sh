#!/usr/bin/env bash
# Installs into a staging folder and uses what lies there as a stranger would: the program, the library through
# pkg-config with nothing but the installed headers, the manual, the completions. Usage: install.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
source=$1 build=$2
stage=$(mktemp -d "${TMPDIR:-/tmp}/vmmap-install.XXXXXX")
trap 'rm -rf "$stage"' EXIT

fail() {
	echo "FAIL: $*" >&2
	exit 1
}
note() {
	echo "note: $*"
}

DESTDIR=$stage cmake --install "$build" >"$stage/log" || { cat "$stage/log"; fail "cmake --install"; }
prefix=$stage$(sed -n 's/^CMAKE_INSTALL_PREFIX:[A-Z]*=//p' "$build/CMakeCache.txt")
libdir=$(dirname "$(find "$prefix" -name 'libvmmap.so')")
[ -x "$prefix/bin/vmmap" ] || fail "no program"
"$prefix/bin/vmmap" --version >/dev/null || fail "the installed program does not run"

# Headers and tables, each of them.
for header in "$source"/include/vmmap/*; do
	cmp "$header" "$prefix/include/vmmap/$(basename "$header")" || fail "header $header"
done

# The library: soname, the links that ld and ld.so follow, the static one.
readelf -d "$libdir/libvmmap.so" | grep 'SONAME.*\[libvmmap\.so\.[0-9][0-9]*\]' >/dev/null || fail "soname"
[ -e "$libdir/$(readelf -d "$libdir/libvmmap.so" | sed -n 's/.*SONAME.*\[\(.*\)\].*/\1/p')" ] || fail "no file of the soname's name"
[ -f "$libdir/libvmmap.a" ] || fail "no static library"

client() { # name, compiler options...
	local name=$1
	shift
	"${CC:-cc}" -Wall -Wextra -Werror "$source/examples/types.c" -o "$stage/$name" "$@" || fail "$name does not compile"
	LD_LIBRARY_PATH=$libdir "$stage/$name" $$ >"$stage/out" || fail "$name does not run"
	grep -q '^Total ' "$stage/out" || fail "$name prints no total"
}

# The example, against the installed files alone.
if ! command -v pkg-config >/dev/null; then
	note "pkg-config is not installed: the library was not linked"
else
	export PKG_CONFIG_PATH=$libdir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$stage
	[ "$(pkg-config --modversion vmmap)" = "$("$prefix/bin/vmmap" --version | sed -n '1s/^vmmap \([0-9.]*\).*/\1/p')" ] ||
		fail "the versions of pkg-config and program differ"
	sanitize=()
	[ "${VMMAP_ASAN:-0}" = 0 ] || sanitize=(-fsanitize=address -fsanitize=undefined)
	read -ra flags <<<"$(pkg-config --cflags --libs vmmap)"
	client shared "${flags[@]}" "${sanitize[@]}"
	readelf -d "$stage/shared" | grep 'NEEDED.*libvmmap\.so' >/dev/null || fail "the example is not linked with libvmmap.so"
	# What the static library needs; each of these as a shared one.
	mapfile -t needed < <(pkg-config --print-requires-private vmmap)
	read -ra flags <<<"$(pkg-config --cflags vmmap)"
	read -ra libraries <<<"$(env -u PKG_CONFIG_SYSROOT_DIR pkg-config --libs "${needed[@]}")"
	client static "${flags[@]}" "$libdir/libvmmap.a" "${libraries[@]}" -pthread -lm "${sanitize[@]}"
fi

# The manual renders without a warning.
manual=$(find "$prefix" -name vmmap.1)
if [ -z "$manual" ]; then
	[ ! -e "$source/man/vmmap.1" ] || fail "the manual is not installed"
elif command -v groff >/dev/null; then
	groff -man -Tutf8 -ww "$manual" >/dev/null 2>"$stage/warnings" || fail "groff cannot render the manual"
	[ ! -s "$stage/warnings" ] || { cat "$stage/warnings"; fail "the manual has warnings"; }
else
	note "groff is not installed: the manual was not rendered"
fi

# Completions load in their shells.
completion() { # installed file's name, its source, shell, command that loads it from $1
	local file
	[ -e "$source/completions/$2" ] || return 0
	file=$(find "$prefix" -path "*compl*/$1" -o -path "*site-functions/$1" | head -n 1)
	[ -n "$file" ] || fail "completion $2 is not installed"
	if command -v "$3" >/dev/null; then
		"$3" -c "$4" "$file" "$file" || fail "completion $2 does not load in $3"
	else
		note "$3 is not installed: its completion was not loaded"
	fi
}
completion vmmap vmmap.bash bash '. "$1" && complete -p vmmap >/dev/null'
completion _vmmap _vmmap zsh 'zsh -n "$1" && head -n 1 "$1" | grep -q "^#compdef vmmap"'
completion vmmap.fish vmmap.fish fish 'fish --no-execute $argv[1]'
