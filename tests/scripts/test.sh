#!/bin/bash
# test.sh [PYTEST ARGUMENT...]: the integration tests, with everything they start ended afterwards, whatever happened.
#
# Without an argument all of them, in two lanes at once: most of the time they wait, for sessions and timeouts to run out. Each
# lane has services of its own; the second one's words come when the first has ended.
# Run folders and logs are kept when something failed. POINTSMAN_BIN and the other variables: see tests/README.md.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/../.."

# Those that stop, kill and starve workers and wait for it to be noticed.
SLOW="audit_verify hang static_members zombie fencing group_protocol quarantine order park settle growth outages"

run_lanes() {
	local slow=() rest=() file name status=0 log
	for file in tests/integration/test_*.py; do
		name=$(basename "$file" .py)
		if [[ " $SLOW " == *" ${name#test_} "* ]]; then slow+=("$file"); else rest+=("$file"); fi
	done
	log=$(mktemp)
	"$0" "${slow[@]}" >"$log" 2>&1 &
	"$0" "${rest[@]}" || status=$?
	wait $! || status=$?
	cat "$log"
	rm -f "$log"
	exit $status
}
[ $# -gt 0 ] || run_lanes

POINTSMAN_TEST_RUN=$(mktemp -d "${TMPDIR:-/tmp}/pointsman-test.XXXXXX")
export POINTSMAN_TEST_RUN

end_all() {
	local status=$?
	end_run_folder "$POINTSMAN_TEST_RUN" $status
	exit $status
}
trap end_all EXIT
trap 'exit 130' INT TERM

folder=tests/integration
[[ $1 != tests/integration/* ]] || folder= # files are named
PYTHONDONTWRITEBYTECODE=1 "$VENV/bin/python" -m pytest --basetemp "$POINTSMAN_TEST_RUN/tmp" ${folder:+"$folder"} "$@"
