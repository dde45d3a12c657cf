#!/bin/bash
# redis.sh start|stop|kill RUN: one real redis-server on a free port and on RUN/redis.sock, without persistence.
#
# start prints the port. A run folder keeps its port: start after stop or kill is a restart, with an empty memory.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

answers() {
	[ "$(redis-cli -s "$1/redis.sock" ping 2>/dev/null)" = PONG ]
}

start_service() {
	local run=$1
	[ -e "$run/port" ] || free_ports 1 >"$run/port"
	launch "$run" redis-server --bind 127.0.0.1 --port "$(cat "$run/port")" --unixsocket "$run/redis.sock" \
		--save '' --appendonly no --dir "$run"
	wait_ready "$run" 30 answers "$run"
	cat "$run/port"
}

service_main "redis.sh start|stop|kill RUN" "$@"
