#!/bin/bash
# kafka.sh start|stop|kill RUN: a real Kafka (KRaft, broker and controller in one) on 127.0.0.1: one node, or three with
# POINTSMAN_KAFKA_NODES=3 (all topics threefold, two replicas in sync).
#
# start prints host:port, of three nodes comma separated. A run folder keeps its ports and its log: start after stop or kill is a
# restart of the same broker. Three nodes live in RUN/node1 to RUN/node3, each a run folder that can be started and killed by
# itself. Transactions of dead producers are looked for each 0.5 s and sessions may be 1 s short, so that tests of crashes do
# not wait for a production broker's defaults (10 s, 6 s); POINTSMAN_KAFKA_DEFAULTS=1 keeps those.
#
# There is a second listener that names another port than its own as its address: a node's folder has `back`, where it listens, and
# `front`, what it tells clients. Nothing is at the front unless a test puts a proxy there; whoever enters by it never gets past it.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# broker_session REPLICAS: how long a silent broker is believed to live. Short where others can take over. One broker alone has nobody
# to take over, and each fencing makes it load its group coordinator again, which 4.1.1 does wrong when it is slow (ARCHITECTURE.md,
# "What the broker must keep"). It is slow where tens of thousands of commits wait to be read, so these are thinned out early, too.
broker_session() {
	[ "$1" = 1 ] && echo 9000 || echo 3000
}

# write_properties RUN NODE VOTERS REPLICAS IN_SYNC BROKER_PORT CONTROLLER_PORT BACK_PORT FRONT_PORT
write_properties() {
	cat >"$1/server.properties" <<-END
		process.roles=broker,controller
		node.id=$2
		controller.quorum.voters=$3
		controller.listener.names=CONTROLLER
		listeners=PLAINTEXT://127.0.0.1:$6,PROXIED://127.0.0.1:$8,CONTROLLER://127.0.0.1:$7
		advertised.listeners=PLAINTEXT://127.0.0.1:$6,PROXIED://127.0.0.1:$9
		inter.broker.listener.name=PLAINTEXT
		listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
		log.dirs=$1/data
		auto.create.topics.enable=false
		default.replication.factor=$4
		min.insync.replicas=$5
		offsets.topic.replication.factor=$4
		offsets.topic.num.partitions=3
		transaction.state.log.replication.factor=$4
		transaction.state.log.min.isr=$5
		transaction.state.log.num.partitions=3
		share.coordinator.state.topic.replication.factor=$4
		share.coordinator.state.topic.min.isr=$5
		share.coordinator.state.topic.num.partitions=1
		group.initial.rebalance.delay.ms=0
		num.network.threads=2
		num.io.threads=4
		log.cleaner.dedupe.buffer.size=2097152
		controlled.shutdown.enable=false
	END
	[ -n "${POINTSMAN_KAFKA_DEFAULTS:-}" ] || cat >>"$1/server.properties" <<-END
		group.min.session.timeout.ms=1000
		group.consumer.min.session.timeout.ms=1000
		group.consumer.session.timeout.ms=6000
		group.consumer.min.heartbeat.interval.ms=100
		group.consumer.heartbeat.interval.ms=500
		transaction.abort.timed.out.transaction.cleanup.interval.ms=500
		broker.session.timeout.ms=$(broker_session "$4")
		broker.heartbeat.interval.ms=500
		offsets.topic.segment.bytes=1048576
		log.cleaner.backoff.ms=2000
		log.cleaner.min.cleanable.ratio=0.1
		log.cleaner.delete.retention.ms=1000
	END
	echo "127.0.0.1:$8" >"$1/back"
	echo "127.0.0.1:$9" >"$1/front"
}

# Ports, properties and formatted storage, once. With three nodes RUN holds a folder for each.
make_nodes() {
	local run=$1 count=${POINTSMAN_KAFKA_NODES:-1} in_sync=1 voters="" bootstrap="" id node i
	local -a ports
	read -r -a ports < <(free_ports $((4 * count)))
	[ "$count" = 1 ] || in_sync=2
	for ((i = 0; i < count; i++)); do
		bootstrap+=${bootstrap:+,}127.0.0.1:${ports[4 * i]}
		voters+=${voters:+,}$((i + 1))@127.0.0.1:${ports[4 * i + 1]}
	done
	id=$(python3 -c 'import base64, uuid; print(base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("="))')
	for ((i = 0; i < count; i++)); do
		node=$run
		[ "$count" = 1 ] || node=$run/node$((i + 1))
		mkdir -p "$node"
		write_properties "$node" $((i + 1)) "$voters" "$count" $in_sync "${ports[@]:4 * i:4}"
		echo "$bootstrap" >"$node/bootstrap"
		java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$KAFKA_JARS/*" kafka.tools.StorageTool format -t "$id" \
			-c "$node/server.properties" >"$node/format.log" 2>&1 || { cat "$node/format.log" >&2; die "formatting $node/data failed"; }
	done
	echo "$bootstrap" >"$run/bootstrap"
}

# The folders of the nodes in a run folder: itself, or those of the three.
nodes_of() {
	if [ -e "$1/server.properties" ]; then echo "$1"; else echo "$1"/node[1-9]; fi
}

says_started() {
	grep -qs 'Kafka Server started' "$1/log"
}

start_service() {
	local run=$1 node
	[ -d "$KAFKA_JARS" ] || die "no Kafka in $KAFKA_JARS: run tests/scripts/deps.sh test"
	[ -e "$run/bootstrap" ] || make_nodes "$run"
	for node in $(nodes_of "$run"); do
		is_running "$node" || launch "$node" java -Xms128m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
			-Djava.net.preferIPv4Stack=true -Dorg.slf4j.simpleLogger.defaultLogLevel=info \
			-Dorg.slf4j.simpleLogger.showDateTime=true -cp "$KAFKA_JARS/*" kafka.Kafka "$node/server.properties"
	done
	for node in $(nodes_of "$run"); do
		wait_ready "$node" 120 says_started "$node"
	done
	cat "$run/bootstrap"
}

stop_service() {
	local node
	for node in $(nodes_of "$1"); do
		end_service "$node" "$2" &
	done
	wait
}

service_main "kafka.sh start|stop|kill RUN" "$@"
