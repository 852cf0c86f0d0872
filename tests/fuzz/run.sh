#!/bin/sh
# Runs every fuzzer for SECONDS each, in turn; fails when one finds something. What it finds stays in
# BUILD_DIR/findings/, what it learns in BUILD_DIR/fuzz-corpus/. With names, only those fuzzers.
#   cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DVMMAP_FUZZ=ON && ninja -C build-fuzz
#   tests/fuzz/run.sh 60 build-fuzz [fuzz_smaps ...]
set -u
if [ $# -lt 2 ]; then
	echo "usage: $0 SECONDS BUILD_DIR [FUZZER ...]" >&2
	exit 2
fi
seconds=$1
build=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
programs=$build/tests/fuzz
if [ $# -eq 0 ]; then
	for source in "$here"/fuzz_*.c; do
		name=${source##*/}
		set -- "$@" "${name%.c}"
	done
fi
mkdir -p "$build/findings"
failed=
for name in "$@"; do
	learned=$build/fuzz-corpus/$name
	log=$build/findings/$name.log
	mkdir -p "$learned"
	dictionary=
	[ -f "$here/$name.dict" ] && dictionary=-dict=$here/$name.dict
	# No input may take long or much memory: both are findings too.
	if "$programs/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 $dictionary \
		-artifact_prefix="$build/findings/$name-" "$learned" "$here/corpus/$name" >"$log" 2>&1; then
		printf '%-20s %s executions, nothing found\n' "$name" \
			"$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
	else
		printf '%-20s FOUND, see %s\n' "$name" "$log"
		failed="$failed $name"
	fi
done
if [ -n "$failed" ]; then
	echo "findings in:$failed" >&2
	exit 1
fi
