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
	local status=$?
	end_run_folder "$POINTSMAN_TEST_RUN" $status
	exit $status
}
trap end_all EXIT
trap 'exit 130' INT TERM

PYTHONDONTWRITEBYTECODE=1 "$VENV/bin/python" -m pytest --basetemp "$POINTSMAN_TEST_RUN/tmp" tests/integration "$@"
