#!/bin/bash
# kafka.sh start|stop|kill RUN: one real Kafka broker (KRaft, broker and controller in one) on 127.0.0.1.
#
# start prints host:port. A run folder keeps its ports and its log: start after stop or kill is a restart of the same broker.
# Transactions of dead producers are looked for each 0.5 s and sessions may be 1 s short, so that tests of crashes do not wait
# for a production broker's defaults (10 s, 6 s); POINTSMAN_KAFKA_DEFAULTS=1 keeps those.
#
# There is a second listener that names another port than its own as its address: RUN/back holds where it listens, RUN/front what
# it tells clients. Nothing is at the front unless a test puts a proxy there; whoever enters by it never gets past it.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

write_properties() {
	local run=$1 broker controller back front
	read -r broker controller back front < <(free_ports 4)
	cat >"$run/server.properties" <<-END
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$controller
		controller.listener.names=CONTROLLER
		listeners=PLAINTEXT://127.0.0.1:$broker,PROXIED://127.0.0.1:$back,CONTROLLER://127.0.0.1:$controller
		advertised.listeners=PLAINTEXT://127.0.0.1:$broker,PROXIED://127.0.0.1:$front
		inter.broker.listener.name=PLAINTEXT
		listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
		log.dirs=$run/data
		auto.create.topics.enable=false
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=3
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=3
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		share.coordinator.state.topic.num.partitions=1
		group.initial.rebalance.delay.ms=0
		num.network.threads=2
		num.io.threads=4
		log.cleaner.dedupe.buffer.size=2097152
		controlled.shutdown.enable=false
	END
	[ -n "${POINTSMAN_KAFKA_DEFAULTS:-}" ] || cat >>"$run/server.properties" <<-END
		group.min.session.timeout.ms=1000
		group.consumer.min.session.timeout.ms=1000
		group.consumer.session.timeout.ms=6000
		group.consumer.min.heartbeat.interval.ms=100
		group.consumer.heartbeat.interval.ms=500
		transaction.abort.timed.out.transaction.cleanup.interval.ms=500
	END
	echo "127.0.0.1:$back" >"$run/back"
	echo "127.0.0.1:$front" >"$run/front"
	echo "127.0.0.1:$broker" >"$run/bootstrap"
}

format_storage() {
	local run=$1 id
	id=$(python3 -c 'import base64, uuid; print(base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("="))')
	java -Xmx128m -cp "$KAFKA_JARS/*" kafka.tools.StorageTool format -t "$id" -c "$run/server.properties" >"$run/format.log" 2>&1 ||
		{ cat "$run/format.log" >&2; die "formatting $run/data failed"; }
}

says_started() {
	grep -q 'Kafka Server started' "$1/log"
}

start_service() {
	local run=$1
	[ -d "$KAFKA_JARS" ] || die "no Kafka in $KAFKA_JARS: run tests/scripts/deps.sh test"
	if [ ! -e "$run/server.properties" ]; then
		write_properties "$run"
		format_storage "$run"
	fi
	launch "$run" java -Xms128m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.net.preferIPv4Stack=true \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=info -Dorg.slf4j.simpleLogger.showDateTime=true \
		-cp "$KAFKA_JARS/*" kafka.Kafka "$run/server.properties"
	wait_ready "$run" 120 says_started "$run"
	cat "$run/bootstrap"
}

service_main "kafka.sh start|stop|kill RUN" "$@"
