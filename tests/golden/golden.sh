#!/bin/bash
# Compares what the face prints of the fixed snapshot, and the help, with expected/.
# golden.sh VMMAP GOLDEN_FACE [--update]
set -u
vmmap=$1 face=$2 update=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
failed=0 compared=0
export LC_ALL=C.UTF-8

check() # NAME COMMAND...
{
	local name=$1 actual
	shift
	# An end marker keeps the line ends at the end.
	actual=$("$@" 2>&1 </dev/null; echo "status $?")
	compared=$((compared + 1))
	if [ "$update" = --update ]; then
		printf '%s\n' "$actual" >"$here/expected/$name"
	elif ! diff -u "$here/expected/$name" <(printf '%s\n' "$actual"); then
		echo "FAIL: $name differs (look at it, then: golden.sh VMMAP GOLDEN_FACE --update)"
		failed=1
	fi
}

for width in 40 80 120 200; do
	check "summary-$width-letters.txt" "$face" summary $width letters
	check "summary-$width-colour.txt" "$face" summary $width colour
	check "map-$width-letters.txt" "$face" map $width letters
done
check summary-plain.txt "$face" summary 0 plain
check map-80-colour.txt "$face" map 80 colour
check moves-80.txt "$face" moves 80 plain
check moves-120-colour.txt "$face" moves 120 colour
for width in 40 80 120; do
	check "heap-$width-letters.txt" "$face" heap $width letters
done
check heap-80-colour.txt "$face" heap 80 colour
check heap-plain.txt "$face" heap 0 plain
check tree-plain.txt "$face" tree 0 plain
check help.txt "$vmmap" --help
for topic in show at free heap strings ps help completions kinds where; do
	check "help-$topic.txt" "$vmmap" help $topic
done
check no-target.txt "$vmmap"
check unknown-option.txt "$vmmap" 1 --viwe regions
check unknown-word.txt "$vmmap" 1 --view=sumary
check unknown-command.txt "$vmmap" shwo 1
check where-mistake.txt "$vmmap" 1 --where 'rss>1M && kid=heap'
check where-control.txt "$vmmap" 1 --where $'path~"\033[31m" && kid=heap'
check kind-mistake.txt "$vmmap" 1 --kind hep
check session-file.txt "$vmmap" -p 1 x.vmmap --json
check odd-ending.txt "$vmmap" -p 1 x.foo
check bad-address.txt "$vmmap" at 1 0xyz
echo "$compared outputs compared"
exit $failed
