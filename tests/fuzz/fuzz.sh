#!/bin/bash
# fuzz.sh SECONDS [JOBS [TARGET]]: runs the fuzz targets for that many seconds each, JOBS at a time, and prints a table.
#
# Starts from the corpus beside this file. What is found, and the corpus as it has grown, stay outside the tree, in
# ${POINTSMAN_FUZZ:-${XDG_CACHE_HOME:-~/.cache}/pointsman-fuzz}. Fails when a target found something.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build/fuzz
out=${POINTSMAN_FUZZ:-${XDG_CACHE_HOME:-$HOME/.cache}/pointsman-fuzz}
seconds=${1:-60} jobs=${2:-2} only=${3:-}
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$here/leaks.supp:print_suppressions=0

# fuzz_one TARGET: its log and its result are left in the output folder.
fuzz_one() {
	local t=$1 dict=()
	mkdir -p "$out/$t/corpus" "$out/$t/finds"
	[ ! -e "$here/dict/$t" ] || dict=(-dict="$here/dict/$t")
	local code=0
	"$build/fuzz_$t" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1 "${dict[@]}" \
		-artifact_prefix="$out/$t/finds/" "$out/$t/corpus" "$here/corpus/$t" >"$out/$t/log" 2>&1 || code=$?
	echo "$code" >"$out/$t/result"
}

number() { sed -n "s/^stat::$2: *//p" "$out/$1/log" | tail -1; }
covered() { grep -o "$2: [0-9]*" "$out/$1/log" | tail -1 | grep -o '[0-9]*$'; }

targets=()
for source in "$here"/fuzz_*.c; do
	t=$(basename "$source" .c) t=${t#fuzz_}
	[ -n "$only" ] && [ "$only" != "$t" ] || targets+=("$t")
done
[ ${#targets[@]} -gt 0 ] || { echo "no target named $only" >&2; exit 2; }
for t in "${targets[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done # fuzz_one keeps the result in a file
	fuzz_one "$t" &
done
wait

failed=0
printf '%-10s %12s %8s %9s %8s  %s\n' target executions edges features 'peak MB' result
for t in "${targets[@]}"; do
	result=clean
	if [ "$(cat "$out/$t/result")" != 0 ]; then
		failed=1
		find=$(sed -n 's/.*Test unit written to //p' "$out/$t/log" | tail -1)
		result="FOUND: build/fuzz/fuzz_$t ${find:-(did not start)}; see $out/$t/log"
	fi
	printf '%-10s %12s %8s %9s %8s  %s\n' "$t" "$(number "$t" number_of_executed_units)" "$(covered "$t" cov)" "$(covered "$t" ft)" \
		"$(number "$t" peak_rss_mb)" "$result"
done
exit $failed
