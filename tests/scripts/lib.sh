# lib.sh: what the scripts of this folder share: where things are kept, and starting and ending a service by its pid file.
#
# A service lives in a run folder of its own: `pid`, `started`, `log`, and what it writes. It is ended only when the process with
# that pid was started at that time, so that a recycled pid is never hit.
# shellcheck shell=bash disable=SC2034

set -euo pipefail

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${POINTSMAN_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pointsman-test}
KAFKA_VERSION=4.1.1
REGISTRY_VERSION=2.6.13.Final
KAFKA_JARS=$CACHE/kafka-$KAFKA_VERSION
REGISTRY_HOME=$CACHE/apicurio-$REGISTRY_VERSION
VENV=$CACHE/venv

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# free_ports N: that many TCP ports of 127.0.0.1 that are free now and differ from each other. They lie below the range from which
# the kernel takes ports for outgoing connections: else, while a service is down, a client that tries again and again would
# sooner or later be given the very port, connect to itself, and keep the service from coming back.
free_ports() {
	python3 -c '
import random, socket, sys
held = []
for port in random.SystemRandom().sample(range(10000, 32768), 22768):
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", port))
    except OSError:
        continue
    held.append(s)
    if len(held) == int(sys.argv[1]):
        break
print(*[s.getsockname()[1] for s in held])' "$1"
}

# launch RUN COMMAND...: in the background, in RUN, detached from the caller's terminal and signals. The process writes its pid
# itself: setsid may fork, and then what the shell started is not what runs.
launch() {
	local run=$1
	shift
	[ -e "$run/log" ] && mv "$run/log" "$run/log.before"
	rm -f "$run/pid"
	cd "$run"
	# shellcheck disable=SC2016
	setsid sh -c 'echo $$ >pid.part && mv pid.part pid && exec "$@"' sh "$@" >"$run/log" 2>&1 </dev/null 9>&- &
	cd - >/dev/null
	until [ -s "$run/pid" ]; do sleep 0.02; done
	state_and_start "$(cat "$run/pid")" | cut -d' ' -f2 >"$run/started"
}

# state_and_start PID: its state, as one letter, and when it was started. Unlike links in /proc these can be read at any moment of
# a process's life, also in the middle of its exec.
state_and_start() {
	local line
	line=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	line=${line##*) }
	# shellcheck disable=SC2086
	set -- $line
	echo "$1 ${20}"
}

is_running() {
	local run=$1 state start
	[ -s "$run/pid" ] || return 1
	read -r state start < <(state_and_start "$(cat "$run/pid")") || return 1
	[ "$state" != Z ] && [ "$start" = "$(cat "$run/started")" ]
}

# wait_ready RUN SECONDS COMMAND...: until the command succeeds; fails at once when the service has died.
wait_ready() {
	local run=$1 limit=$((SECONDS + $2))
	shift 2
	until "$@"; do
		is_running "$run" || { tail -n 20 "$run/log" >&2; die "$run has died; its log is above"; }
		[ $SECONDS -lt $limit ] || { tail -n 20 "$run/log" >&2; die "$run is not ready in time; its log is above"; }
		sleep 0.1
	done
}

# end_service RUN SIGNAL: and wait; what does not go within 15 seconds is killed.
end_service() {
	local run=$1 signal=$2 i
	is_running "$run" || { rm -f "$run/pid"; return 0; }
	kill "-$signal" "$(cat "$run/pid")"
	for ((i = 0; i < 150; i++)); do
		is_running "$run" || break
		sleep 0.1
	done
	is_running "$run" && kill -KILL "$(cat "$run/pid")"
	rm -f "$run/pid"
}

# kept COMMAND...: what it starts ends with it, and with this script, whatever ends that (keeper.py). To be started in the
# background and waited for: a shell that waits for a command in front hears no signal.
kept() {
	exec "$VENV/bin/python" "$SCRIPTS/keeper.py" "$@"
}

# end_kept: what `kept` has started, if it still runs.
end_kept() {
	if kill %% 2>/dev/null; then wait || true; fi
}

# end_run_folder FOLDER STATUS: ends what a test run left behind: services by their pid files, and processes of ours that have the
# folder in their environment, children of nobody now. The folder is kept when the run failed.
end_run_folder() {
	local folder=$1 status=$2 file pid
	find "$folder" -name pid -type f 2>/dev/null | while read -r file; do
		end_service "$(dirname "$file")" KILL || true
	done
	grep -lsz "^POINTSMAN_TEST_RUN=$folder\$" /proc/[0-9]*/environ | cut -d/ -f3 | while read -r pid; do
		case $(readlink "/proc/$pid/exe") in
		*/pointsman | */modelsim) kill -KILL "$pid" || true ;;
		esac
	done || true
	if [ "$status" = 0 ]; then
		[ -n "${POINTSMAN_CHAOS_KEEP:-}" ] || rm -rf "$folder"
	else
		echo "logs and run folders: $folder" >&2
	fi
}

# For a script whose run folder holds one process. stop_service RUN SIGNAL
stop_service() {
	end_service "$@"
}

# service_main USAGE ACTION RUN: dispatches to start_service, which the calling script defines.
service_main() {
	[ $# = 3 ] || die "usage: $1"
	mkdir -p "$3"
	local run
	run=$(cd "$3" && pwd -P)
	case $2 in
	start)
		is_running "$run" && die "$run is in use"
		start_service "$run"
		;;
	stop) stop_service "$run" TERM ;;
	kill) stop_service "$run" KILL ;;
	*) die "usage: $1" ;;
	esac
}
