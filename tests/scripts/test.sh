#!/bin/bash
# test.sh [PYTEST ARGUMENT...]: the integration tests, with everything they start ended afterwards, whatever happened.
#
# Run folders and logs are kept when something failed. POINTSMAN_BIN and the other variables: see tests/README.md.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/../.."
POINTSMAN_TEST_RUN=$(mktemp -d "${TMPDIR:-/tmp}/pointsman-test.XXXXXX")
export POINTSMAN_TEST_RUN

end_all() {
	local status=$? service pid
	for service in kafka redis registry; do
		[ ! -e "$POINTSMAN_TEST_RUN/$service/pid" ] || "$scripts/$service.sh" stop "$POINTSMAN_TEST_RUN/$service" || true
	done
	# workers and simulators of a pytest that was killed: children of nobody now, known by the run folder in their environment
	grep -lsz "^POINTSMAN_TEST_RUN=$POINTSMAN_TEST_RUN\$" /proc/[0-9]*/environ | cut -d/ -f3 | while read -r pid; do
		case $(readlink "/proc/$pid/exe") in
		*/pointsman | */modelsim) kill -KILL "$pid" || true ;;
		esac
	done || true
	if [ $status = 0 ]; then
		rm -rf "$POINTSMAN_TEST_RUN"
	else
		echo "logs and run folders: $POINTSMAN_TEST_RUN" >&2
	fi
	exit $status
}
trap end_all EXIT
trap 'exit 130' INT TERM

PYTHONDONTWRITEBYTECODE=1 "$VENV/bin/python" -m pytest --basetemp "$POINTSMAN_TEST_RUN/tmp" tests/integration "$@"
