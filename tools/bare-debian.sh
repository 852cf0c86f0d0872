#!/usr/bin/env bash
# Runs ./run and ./test as a newcomer would: on a bare Debian that holds nothing but its minimal base system, from a
# fresh clone. Needs root, debootstrap and git. The mirror is the one that this machine's apt uses.
#
#   tools/bare-debian.sh [--keep] [--release NAME] [--root DIR] [ARGUMENTS OF ./test]
#
# --keep leaves the root folder for a look inside; --root uses DIR, made by an earlier run with --keep.
# The clone has what is committed. Mounts and processes are in namespaces of their own: they end with the script.
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=0 release=bookworm root=
while [ $# -gt 0 ]; do
	case $1 in
	--keep) keep=1 ;;
	--release) release=$2 && shift ;;
	--root) root=$2 keep=1 && shift ;;
	*) break ;;
	esac
	shift
done

die() {
	echo "bare-debian: $*" >&2
	exit 2
}
[ "$(id -u)" -eq 0 ] || die "must be root"
command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"

host_mirror() { # of the archive itself, not of its security updates
	apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
		awk -v release="$release" '$2 == release { print $1; exit }'
}

make_root() {
	local mirror
	mirror=$(host_mirror)
	[ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/\{0,1\}$')
	[ -n "$mirror" ] || die "apt on this machine has no Debian mirror"
	echo "== debootstrap $release from $mirror"
	debootstrap --variant=minbase "$release" "$root" "$mirror" >"$root.log" 2>&1 || {
		tail -n 30 "$root.log"
		die "debootstrap failed"
	}
	# How to reach the mirror: proxies, relaxed dates of snapshots, certificates.
	apt-config dump | grep -E '^Acquire::(https?::|Check-|Retries|Languages)' >"$root/etc/apt/apt.conf.d/90host" || true
	[ ! -d /etc/ssl/certs ] || { mkdir -p "$root/etc/ssl" && cp -rL /etc/ssl/certs "$root/etc/ssl/" 2>/dev/null; } || true
}

if [ -z "$root" ]; then
	root=$(mktemp -d "${TMPDIR:-/tmp}/vmmap-bare.XXXXXX")
	chmod 755 "$root"
fi
clean_up() {
	if [ "$keep" = 1 ]; then
		echo "bare-debian: kept $root" >&2
	else
		rm -rf --one-file-system "$root" "$root.log"
	fi
}
trap clean_up EXIT
[ -e "$root/etc/debian_version" ] || make_root
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true

clone=$root/usr/src/vmmap
rm -rf "$clone"
git clone -q --no-hardlinks "$source" "$clone"

# What runs in namespaces of its own: $1 is the root folder, the rest are arguments of ./test.
# pivot_root and not chroot: a process in a chroot may not make user namespaces, which some tests do.
inside() {
	local status=0 name
	local environment=(env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LANG=C.UTF-8 CI=true)
	for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
		[ -z "${!name:-}" ] || environment+=("$name=${!name}")
	done
	mount --bind "$1" "$1"
	mount -t proc proc "$1/proc"
	mount --rbind /sys "$1/sys"
	mount --rbind /dev "$1/dev"
	mountpoint -q "$1/dev/pts" || { mkdir -p "$1/dev/pts" && mount -t devpts devpts "$1/dev/pts"; }
	cd "$1"
	pivot_root . .
	umount -l .
	cd /usr/src/vmmap
	shift
	in_clone() {
		echo "== $*"
		"${environment[@]}" "$@" </dev/null
	}
	in_clone ./run --version || status=1
	in_clone ./run || status=1
	in_clone .ci/run "$@" || status=1
	return $status
}
export -f inside
unshare --mount --pid --fork --kill-child bash -c 'set -eu; inside "$@"' bash "$root" "$@"
