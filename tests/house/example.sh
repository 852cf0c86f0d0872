#!/usr/bin/env bash
# The example client prints the table of types of a process; its total is the kernel's. Usage: example.sh PROGRAM
set -euo pipefail
types=$1

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

sleep 60 &
target=$!
# It is stopped below: no other signal would end it.
trap 'kill -KILL $target 2>/dev/null || true' EXIT
# Until exec has happened the process still is this shell.
until [ "$(cat /proc/$target/comm)" = sleep ] && grep -q '\[stack\]' /proc/$target/maps; do :; done
kill -STOP $target

output=$("$types" $target)
echo "$output"
size=$(awk '$1 == "Total" { print $2 }' <<<"$output")
kernel=$(awk '$1 == "VmSize:" { print $2 }' /proc/$target/status)
[ "$size" = "$kernel" ] || fail "total size $size KiB, VmSize is $kernel kB"
for kind in Image Stack System; do
	grep -q "^$kind " <<<"$output" || fail "no row for $kind"
done

status=0
"$types" 2>/dev/null || status=$?
[ $status -eq 2 ] || fail "without arguments: status $status, not 2"
status=0
message=$("$types" no-such-process-anywhere 2>&1) || status=$?
[ $status -eq 3 ] && [ -n "$message" ] || fail "unknown target: status $status, not 3: $message"
