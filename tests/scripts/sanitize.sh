#!/bin/bash
# sanitize.sh [LANE...]: unit and integration tests under address, undefined and thread sanitizers, then valgrind on the units.
#
# Lanes: address undefined thread valgrind (default: all). A finding in the worker's log fails the test that ran it. Each lane
# has a build of its own; the models are simulated by the plain build. The thread lane has a librdkafka of its own as well, see
# rdkafka.sh.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/../.."
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1
# die_after_fork: a test of a start that cannot be undone has a process of its own, and threads there
export TSAN_OPTIONS="die_after_fork=0:history_size=4:second_deadlock_stack=1:suppressions=$scripts/tsan.supp:print_suppressions=0"
export POINTSMAN_TEST_RECORDS=${POINTSMAN_TEST_RECORDS:-400}

# What threads share, and what dies: the road, the cache, questions that one asks for many, a policy that changes, members.
TESTS="main_job or malformed or kill or outages or shutdown or router or conversations or static_members"

valgrind_units() {
	local unit
	make -s all unit
	for unit in build/unit/test_*; do
		if [ -d "$unit" ] || [ ! -x "$unit" ]; then continue; fi
		echo "valgrind $unit"
		valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite "$unit" >/dev/null
	done
}

# In the thread lane the library differs in how it was built, not in its interface: what is linked here runs with either.
sanitized_tests() {
	local lane=$1
	if [ "$lane" = thread ]; then
		LD_LIBRARY_PATH=$("$scripts/rdkafka.sh" thread)/lib
		export LD_LIBRARY_PATH
	fi
	make -s all
	make -s SAN="$lane" all unit
	POINTSMAN_BIN=$PWD/build/$lane/pointsman "$scripts/test.sh" -k "$TESTS"
}

[ $# -gt 0 ] || set -- address undefined thread valgrind
for lane in "$@"; do
	if [ "$lane" = valgrind ]; then
		valgrind_units
	else
		(sanitized_tests "$lane") # a shell of its own: no lane leaves its environment to the next
	fi
	echo "sanitize: $lane is clean"
done
