#!/bin/bash
# test.sh [PYTEST ARGUMENT...]: the integration tests, with everything they start ended afterwards, whatever happened.
#
# Without an argument all of them, in lanes at once: most of the time they wait, for sessions and timeouts to run out. Each lane has
# services of its own; what the others say comes when the last one has ended.
# Run folders and logs are kept when something failed. POINTSMAN_BIN and the other variables: see tests/README.md.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/../.."

# About equally long, nine minutes each; what is not named is a lane, too.
LANES=(
	"hang order outages park quarantine redrive settle static_members zombie"
	"audit_verify fencing group_protocol growth kill shutdown stream"
)

# lane_of FILE: its number; that of what is not named is the last.
lane_of() {
	local i name
	name=$(basename "$1" .py)
	for ((i = 0; i < ${#LANES[@]}; i++)); do
		[[ " ${LANES[i]} " != *" ${name#test_} "* ]] || break
	done
	echo "$i"
}

run_lanes() {
	local file i status=0 logs
	local -a files pids
	logs=$(mktemp -d)
	for ((i = 0; i <= ${#LANES[@]}; i++)); do
		mapfile -t files < <(for file in tests/integration/test_*.py; do [ "$(lane_of "$file")" != "$i" ] || echo "$file"; done)
		if [ "$i" = ${#LANES[@]} ]; then
			kept "$scripts/test.sh" "${files[@]}" &
		else
			kept "$scripts/test.sh" "${files[@]}" >"$logs/$i" 2>&1 &
		fi
		pids+=($!)
	done
	for ((i = ${#LANES[@]}; i >= 0; i--)); do
		wait "${pids[i]}" || status=$?
		[ ! -e "$logs/$i" ] || cat "$logs/$i"
	done
	rm -rf "$logs"
	exit $status
}
[ $# -gt 0 ] || run_lanes

POINTSMAN_TEST_RUN=$(mktemp -d "${TMPDIR:-/tmp}/pointsman-test.XXXXXX")
export POINTSMAN_TEST_RUN

end_all() {
	local status=$?
	end_kept
	end_run_folder "$POINTSMAN_TEST_RUN" $status
	exit $status
}
trap end_all EXIT
trap 'exit 130' INT TERM

folder=tests/integration
[[ $1 != tests/integration/* ]] || folder= # files are named
export PYTHONDONTWRITEBYTECODE=1
kept "$VENV/bin/python" -m pytest --basetemp "$POINTSMAN_TEST_RUN/tmp" ${folder:+"$folder"} "$@" <&0 &
wait $!
