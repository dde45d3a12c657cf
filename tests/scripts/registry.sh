#!/bin/bash
# registry.sh start|stop|kill RUN: an Apicurio schema registry that speaks the Confluent API, in memory.
#
# start prints the base URL for clients of that API.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

answers() {
	curl -sf -o /dev/null "$(cat "$1/url")/subjects"
}

start_service() {
	local run=$1 port
	[ -d "$REGISTRY_HOME" ] || die "no registry in $REGISTRY_HOME: run tests/scripts/deps.sh test"
	[ -e "$run/url" ] || echo "http://127.0.0.1:$(free_ports 1)/apis/ccompat/v7" >"$run/url"
	port=$(sed 's|.*:\([0-9]*\)/.*|\1|' "$run/url")
	launch "$run" java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1 \
		-Dquarkus.http.port="$port" -cp "$REGISTRY_HOME/*:$REGISTRY_HOME/lib/*" io.quarkus.runner.GeneratedMain
	wait_ready "$run" 120 answers "$run"
	cat "$run/url"
}

service_main "registry.sh start|stop|kill RUN" "$@"
