#!/bin/bash
# sanitize.sh [LANE...]: unit and integration tests under address, undefined and thread sanitizers, then valgrind on the units.
#
# Lanes: address undefined thread valgrind (default: all but thread). A finding in the worker's log fails the test that ran it.
# The thread lane needs a librdkafka built with --disable-c11threads, found by LD_LIBRARY_PATH: Debian's uses C11 threads, which
# the thread sanitizer does not follow, and the worker crashes in it. What libraries do among themselves is suppressed.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/../.."
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=suppressions=$scripts/tsan.supp:history_size=4
export POINTSMAN_TEST_RECORDS=${POINTSMAN_TEST_RECORDS:-400}

valgrind_units() {
	local unit
	make -s all unit
	for unit in build/unit/test_*; do
		if [ -d "$unit" ] || [ ! -x "$unit" ]; then continue; fi
		echo "valgrind $unit"
		valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite "$unit" >/dev/null
	done
}

[ $# -gt 0 ] || set -- address undefined valgrind
for lane in "$@"; do
	if [ "$lane" = valgrind ]; then
		valgrind_units
	else
		make -s SAN="$lane" all unit
		POINTSMAN_BIN=$PWD/build/$lane/pointsman "$scripts/test.sh" -k "main_job or malformed or kill or outages or shutdown"
	fi
	echo "sanitize: $lane is clean"
done
