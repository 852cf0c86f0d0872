#!/bin/bash
# The contract of the command line on a live process: exit statuses, output files, pipes, signals, formats.
# cli.sh VMMAP
set -u
vmmap=$1
work=$(mktemp -d) || exit 1
failed=0 checks=0
sleep 600 &
pid=$!
# Until then it is still the shell that becomes it.
for _ in $(seq 100); do [ "$(cat /proc/$pid/comm)" = sleep ] && break; sleep 0.05; done
trap 'kill $pid 2>/dev/null; rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8

expect() # TEXT CONDITION...
{
	local text=$1
	shift
	checks=$((checks + 1))
	"$@" || { echo "FAIL: $text"; failed=1; }
}

status() # TEXT WANTED COMMAND...
{
	local text=$1 wanted=$2 got
	shift 2
	"$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	expect "$text: status $got, not $wanted" [ $got -eq $wanted ]
	if [ "$wanted" -ne 0 ]; then
		expect "$text: one line on standard error, from vmmap: $(cat "$work/err")" grep -q '^vmmap: ' "$work/err"
	fi
}

status 'summary' 0 "$vmmap" $pid
expect 'summary names the process' grep -q "^sleep $pid " "$work/out"
expect 'no escape sequences in a file' bash -c "! grep -q $'\033' '$work/out'"
expect 'no bars in a file' bash -c "! grep -q '^Committed ' '$work/out'"
status 'colour when asked for' 0 "$vmmap" $pid --color=always
expect 'bars when asked for' grep -q '^Committed ' "$work/out"
status 'gone before' 3 "$vmmap" 99999999
status 'no such name' 3 "$vmmap" nosuchprocess
status 'unknown column' 2 "$vmmap" $pid --columns foo
status 'expression' 2 "$vmmap" $pid --where 'rss>'
status 'option of another command' 2 "$vmmap" ps --map
status 'option without its value' 2 "$vmmap" $pid --sort
status 'value for none' 2 "$vmmap" $pid --raw=yes
status 'options after --' 3 "$vmmap" -- --help
status 'kernel text by name of view' 0 "$vmmap" show $pid --view=files --sort rss:desc
status 'full disk' 2 bash -c '"$0" "$1" --json >/dev/full' "$vmmap" $pid
expect 'full disk: one line' [ "$(wc -l <"$work/err")" -eq 1 ]
status 'full disk by -o' 2 "$vmmap" $pid -o /dev/full
status 'unwritable' 2 "$vmmap" $pid -o "$work/none/x"
status 'directory' 2 "$vmmap" $pid -o "$work"
status 'closed output' 2 bash -c '"$0" "$1" >&-' "$vmmap" $pid

# A pipe that closes is quiet, whether SIGPIPE kills or not.
bash -c 'set -o pipefail; "$0" ps | head -n 1; "$0" "$1" --json | head -c 1' "$vmmap" $pid >/dev/null 2>"$work/err"
expect 'closed pipe is quiet' [ ! -s "$work/err" ]
(trap '' PIPE; "$vmmap" $pid --json 2>"$work/err" | true; echo "${PIPESTATUS[0]}") >"$work/status"
expect 'closed pipe without SIGPIPE is quiet' [ ! -s "$work/err" ]
expect 'closed pipe without SIGPIPE is no failure' [ "$(cat "$work/status")" -eq 0 ]

# -o replaces the file only when all went well.
echo old >"$work/report"
chmod 640 "$work/report"
status 'failing run with -o' 3 "$vmmap" 99999999 -o "$work/report"
expect 'the old file stands' [ "$(cat "$work/report")" = old ]
status 'run with -o' 0 "$vmmap" $pid -o "$work/report"
expect 'the new file stands' grep -q "^sleep $pid " "$work/report"
expect 'its mode stays' [ "$(stat -c %a "$work/report")" = 640 ]
ln -s report "$work/link"
status 'run with -o on a link' 0 "$vmmap" $pid --csv -o "$work/link"
expect 'the link stays' [ -L "$work/link" ]
expect 'the link leads to the new file' grep -q ^address, "$work/report"
expect 'nothing is left over' [ "$(ls "$work" | grep -c XXXXXX\\\|report\\.)" -eq 0 ]
(umask 027; "$vmmap" $pid -o "$work/fresh")
expect 'a new file follows the umask' [ "$(stat -c %a "$work/fresh")" = 640 ]

# VMMap's own form.
for ending in csv txt json; do
	status "-p FILE.$ending" 0 "$vmmap" -p $pid "$work/file.$ending"
	expect "-p FILE.$ending is quiet" [ ! -s "$work/out" ]
done
expect 'FILE.csv is as VMMap writes it' bash -c "head -1 '$work/file.csv' | grep -q '^\"Process:\",' && grep -q '^\"Address\",\"Type\",\"Size\",' '$work/file.csv'"
expect 'FILE.txt holds summary and details' bash -c "grep -q ^Total '$work/file.txt' && grep -q '^Address ' '$work/file.txt'"
status '-p alone' 0 "$vmmap" -p $pid
expect '-p alone is the summary' grep -q "^sleep $pid " "$work/out"

if command -v python3 >/dev/null; then
	json() { python3 -c "import json,sys; d=json.load(open(sys.argv[1])); assert $1, d.keys()" "$2"; }
	expect 'FILE.json is the whole document' json "d['target']['pid']==$pid and d['regions'] and d['summary']" "$work/file.json"
	address=$(sed -n '/\[heap\]/s/-.*//p' /proc/$pid/maps)
	status 'at' 0 "$vmmap" at $pid "$address" 0x0 --json
	expect 'at finds the heap' json "d['addresses'][0]['region']['kind']=='heap'" "$work/out"
	expect 'at finds the hole at 0' json "d['addresses'][1]['mapped'] is False and d['addresses'][1]['gap']['address']=='0x0'" "$work/out"
	for command in "show $pid --view threads" "show $pid --view images" "show $pid --view free" "show $pid --view files" \
		"show $pid --view heaps" "free $pid" ps; do
		status "$command --json" 0 "$vmmap" $command --json
		expect "$command --json is JSON" json "d['schema']==1" "$work/out"
	done
	status 'ndjson' 0 "$vmmap" $pid --format ndjson
	expect 'ndjson has a row per line' [ "$(grep -c '^{.*}$' "$work/out")" -eq "$(wc -l <"$work/out")" ]
fi

# Addresses: the kernel's own map says what is there.
status 'at in text' 0 "$vmmap" at $pid "$(sed -n '/\[stack\]/s/-.*//p' /proc/$pid/maps)"
expect 'at shows the mapping' grep -q '\[stack\]' "$work/out"
expect 'at shows flags in words' grep -q 'grows down' "$work/out"
status 'free' 0 "$vmmap" free $pid
status 'free --map' 0 "$vmmap" free $pid --map
expect 'the picture marks the largest free block' [ "$(grep -c 'the largest free block' "$work/out")" -eq 1 ]

# --watch ends on a signal with 0 and with its target with 4.
# The loop below must not see what an earlier command wrote: the background job empties the file only when it starts.
: >"$work/out"
"$vmmap" $pid --watch 0.1 >"$work/out" 2>"$work/err" &
watcher=$!
for _ in $(seq 100); do [ "$(grep -c ' every 0.1 s' "$work/out")" -ge 2 ] && break; sleep 0.1; done
kill -TERM $watcher
wait $watcher
expect "watch ends on a signal with status $?, not 0" [ $? -eq 0 ]
expect 'watch printed one table after another' [ "$(grep -c ' every 0.1 s' "$work/out")" -ge 2 ]
sleep 600 &
victim=$!
: >"$work/out"
"$vmmap" $victim --watch 0.1 >"$work/out" 2>"$work/err" &
watcher=$!
for _ in $(seq 100); do [ "$(grep -c ' every 0.1 s' "$work/out")" -ge 1 ] && break; sleep 0.1; done
kill $victim
wait $victim 2>/dev/null
wait $watcher
got=$?
expect "watch ends with its target with status $got, not 4: $(cat "$work/err")" [ $got -eq 4 ]
expect 'watch says so' grep -q '^vmmap: ' "$work/err"
status 'watch to a file format' 2 "$vmmap" $pid --watch 1 --json

echo "$checks checks"
exit $failed
