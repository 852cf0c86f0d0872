#!/usr/bin/env bash
# Runs one fuzzer for a while on its corpus. Usage: fuzz-one.sh PROGRAM SECONDS LOG_DIR
# Leaves LOG_DIR/NAME.log, and LOG_DIR/NAME.ok with the number of runs when nothing was found.
set -uo pipefail
program=$1 seconds=$2 logs=$3
name=$(basename "$program")
corpus=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/fuzz/corpus" 2>/dev/null && pwd)/$name
mkdir -p "$logs/$name.found" "$logs/$name.corpus"
seeds=()
[ -d "$corpus" ] && seeds=("$corpus")
if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	-artifact_prefix="$logs/$name.found/" "$logs/$name.corpus" ${seeds[@]+"${seeds[@]}"} >"$logs/$name.log" 2>&1; then
	sed -n 's/^stat::number_of_executed_units: *\(.*\)/\1 runs/p' "$logs/$name.log" >"$logs/$name.ok"
else
	# What was found goes to the log as text: the folder is gone after the run.
	for found in "$logs/$name.found"/*; do
		[ -f "$found" ] && { echo "finding $(basename "$found"), base64:"; base64 "$found" | head -n 40; } >>"$logs/$name.log"
	done
	exit 0
fi
