#!/bin/bash
# bench.sh [RECORDS]: throughput and CPU of one worker with a model that answers at once, exactly-once, JSON.
#
# Starts a broker with its defaults and the simulated model, measures with bench.py, ends both. Default 20,000 records.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)
run=$(mktemp -d "${TMPDIR:-/tmp}/pointsman-bench.XXXXXX")
trap '"$here/../scripts/kafka.sh" stop "$run/kafka"; rm -rf "$run"' EXIT
trap 'exit 130' INT TERM

POINTSMAN_KAFKA_DEFAULTS=1 "$here/../scripts/kafka.sh" start "$run/kafka" >/dev/null
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/../integration "$VENV/bin/python" "$here/bench.py" "$run" "${1:-20000}"
