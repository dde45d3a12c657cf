"""bench.py RUN RECORDS: measures one worker; RUN holds a broker that is running. Called by bench.sh.

All records wait in the topic before the worker starts. The figures are of the stretch between 20 % and 95 % of the outputs,
seen read_committed, so that start-up and the last half-empty batches do not count; CPU is the worker's own, of all threads.
Where it goes is told by thread (the kernel's accounting) and, where perf is installed, by library (its samples, which cost a
little themselves).
"""

import json
import os
import platform
import re
import shutil
import signal
import subprocess
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


def cpu_by_thread(pid):
    """Thread name -> CPU seconds so far; threads of one name are added up."""
    seconds = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, fields = (task / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        ticks = sum(int(field) for field in fields.split()[11:13])
        seconds[name] = seconds.get(name, 0) + ticks / os.sysconf("SC_CLK_TCK")
    return seconds


def percent(parts):
    whole = sum(parts.values())
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    return {name: round(100 * part / whole, 1) for name, part in ranked if part > 0.005 * whole} if whole else {}


class Sampler:
    """perf, sampling the worker; without perf it knows nothing and says so."""

    def __init__(self, pid, folder):
        self.data = Path(folder) / "perf.data"
        command = ["perf", "record", "-q", "-F", "199", "-o", str(self.data), "-p", str(pid)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL) if shutil.which("perf") else None

    def by_library(self):
        if self.process is None:
            return "perf is not installed"
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        report = subprocess.run(
            ["perf", "report", "-i", str(self.data), "--stdio", "--sort", "dso", "-q"], capture_output=True, text=True
        )
        rows = re.findall(r"^\s*([\d.]+)%\s+(\S+)", report.stdout, re.MULTILINE)
        return percent({name: float(share) for share, name in rows}) or "perf may not sample here"


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
    marks, sampler = [], None
    for share in (0.20, 0.95):
        while len(ledger.responses) < share * records:
            ledger.poll(0.05)
            assert worker.is_alive(), worker.log_tail()
        marks.append((time.monotonic(), len(ledger.responses), cpu_by_thread(worker.process.pid)))
        sampler = sampler or Sampler(worker.process.pid, deployment.folder)
    ledger.wait(records, timeout=120)
    assert len(ledger.responses) == len(ledger.decisions) == records and not ledger.dead_letters
    (t0, n0, c0), (t1, n1, c1) = marks
    spent = {name: c1[name] - c0.get(name, 0) for name in c1}
    return {
        "records": records,
        "records_per_s": round((n1 - n0) / (t1 - t0)),
        "cpu_s_per_10k": round(sum(spent.values()) / (n1 - n0) * 10_000, 3),
        "cpu_percent_by_thread": percent(spent),
        "cpu_percent_by_library": sampler.by_library(),
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
