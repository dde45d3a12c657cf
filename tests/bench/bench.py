"""bench.py RUN RECORDS: measures one worker; RUN holds a broker that is running. Called by bench.sh.

All records wait in the topic before the worker starts. The figures are of the stretch between 20 % and 95 % of the outputs,
seen read_committed, so that start-up and the last half-empty batches do not count; CPU is the worker's own, of all threads.
"""

import json
import os
import platform
import re
import sys
import time
from pathlib import Path

from conftest import Deployment
from prompts import prompts
from services import Kafka, ModelSim

IN_FLIGHT = 1000


class RunningKafka(Kafka):
    def start(self):
        return (self.run / "bootstrap").read_text().strip()


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {"cpu": model[1] if model else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release()}


def measure(deployment, records):
    texts = prompts(records)
    deployment.send(
        [json.dumps({"id": f"r-{i}", "prompt": text}).encode() for i, text in enumerate(texts)], ids=list(range(records))
    )
    ledger = deployment.ledger()
    worker = deployment.worker().start(ready=False)
    marks = []
    for share in (0.20, 0.95):
        while len(ledger.responses) < share * records:
            ledger.poll(0.05)
            assert worker.is_alive(), worker.log_tail()
        marks.append((time.monotonic(), len(ledger.responses), cpu_seconds(worker.process.pid)))
    ledger.wait(records, timeout=120)
    assert len(ledger.responses) == len(ledger.decisions) == records and not ledger.dead_letters
    (t0, n0, c0), (t1, n1, c1) = marks
    return {
        "records": records,
        "records_per_s": round((n1 - n0) / (t1 - t0)),
        "cpu_s_per_10k": round((c1 - c0) / (n1 - n0) * 10_000, 3),
        "peak_rss_mb": round(peak_mb(worker.process.pid), 1),
        "delivery": "exactly_once",
        "format": "json",
        "in_flight": IN_FLIGHT,
        "machine": machine(),
    }


def main():
    run, records = Path(sys.argv[1]), int(sys.argv[2])
    modelsim = ModelSim(run)
    deployment = Deployment(RunningKafka(run / "kafka"), modelsim, run)
    deployment.configure(engine={"max_jobs": IN_FLIGHT}, kafka={"transaction_timeout": "15s"})
    for model in deployment.config["models"]:
        model["limits"] = {"concurrency": IN_FLIGHT}
    try:
        print(json.dumps(measure(deployment, records), indent=1))
    finally:
        deployment.end()
        modelsim.stop()


if __name__ == "__main__":
    main()
