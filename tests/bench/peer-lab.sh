#!/bin/bash
# peer-lab.sh DIR [CASES] [WORKERS] [ROUNDS]: this worker beside others in the comparison harness in DIR.
#
# The harness (broker, simulated model, loader, checker) must be built and its broker and model started: see its README.
# Defaults: l50,kill  pointsman,go-hand-tx  3. It starts a worker by a command line with the topics, group and model's URL in
# the environment; for this worker that command is this script again, as `peer-lab.sh --worker`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=${POINTSMAN_BIN:-$here/../../build/pointsman}

# Called by the harness, at the start and after a kill; the folder is the same for both.
become_worker() {
	local folder
	folder=${TMPDIR:-/tmp}/pointsman-peer-lab.$(id -u)/$GROUP
	mkdir -p "$folder"
	cat >"$folder/policy.yaml" <<-END
		name: peer-lab
		when_unsure: answer
		routes:
		  - {name: answer, models: [simulated]}
		stages:
		  - rules:
		      - {name: short, when: {min_chars: 1}, route: answer}
	END
	cat >"$folder/pointsman.yaml" <<-END
		kafka: {brokers: "$BOOTSTRAP", group: "$GROUP", instance: worker-0, start: earliest}
		input: {topics: ["$IN_TOPIC"], format: json}
		output: {responses: "$OUT_TOPIC", decisions: "$AUDIT_TOPIC", dead_letters: "$OUT_TOPIC.dead-letters", format: json}
		models:
		  - name: simulated
		    provider: openai
		    base_url: "${MODEL_URL%/chat/completions}"
		    model: simulated
		    price: free
		    limits: {concurrency: $INFLIGHT}
		admin: {listen: "127.0.0.1:0"}
		engine: {max_jobs: $((INFLIGHT + INFLIGHT / 2))}
		policy: policy.yaml
	END
	if [ ! -e "$folder/topics" ]; then
		"$binary" topics -c "$folder/pointsman.yaml" --create >"$folder/topics.log" 2>&1
		touch "$folder/topics"
	fi
	exec "$binary" run -c "$folder/pointsman.yaml" 2>>"$folder/log"
}

if [ "${1:-}" = --worker ]; then
	become_worker
fi
lab=${1:?usage: peer-lab.sh DIR [CASES] [WORKERS] [ROUNDS]}
[ -x "$lab/suite.sh" ] || { echo "peer-lab.sh: no suite.sh in $lab" >&2; exit 2; }
[ -x "$binary" ] || { echo "peer-lab.sh: no worker at $binary: run make first" >&2; exit 2; }
export EXTRA="pointsman|$here/peer-lab.sh --worker"
exec "$lab/suite.sh" "${2:-l50,kill}" "${3:-pointsman,go-hand-tx}" "${4:-3}"
