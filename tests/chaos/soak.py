"""The soak: one worker lives through it all, at a moderate load, while every half minute something around it breaks. What it holds
of memory and descriptors is looked at every few seconds; at the end the ledger is counted as everywhere.

What breaks, in turn: another worker is killed, stopped beyond its session, or comes and goes; the model answers with errors,
stalls, or is half open; Redis dies or is filled with rubbish; the broker is killed or stands still. The one that is watched is
hit by all of it and never ended, so what it gathers shows.
"""

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import paths  # noqa: F401  the path of the integration tests' helpers; before all that uses them
import redis as redis_client

from ledger import Ledger
from prompts import prompts
from services import Kafka, ModelSim, Redis
from worker import SANITIZER_WORDS, Worker

PARTITIONS, MAX_JOBS, FAULT_EVERY_S, LOOK_EVERY_S = 6, 300, 30, 5


class CountingLedger(Ledger):
    """Keeps only what is counted: hours of records would fill the memory."""

    def _take(self, message):
        name = {v: k for k, v in self.topics.items()}[message.topic()]
        if name == "dead_letters":
            self.dead_letters.append(message.offset())
        elif name == "decisions":
            source = json.loads(message.value())["source"]
            self.decisions.append((source["partition"], source["offset"]))
        else:
            self.responses.append(json.loads(message.value())["id"])


class Soak:
    def __init__(self, folder, rate, seed):
        self.folder, self.rate, self.chance = folder, rate, random.Random(seed)
        self.name = "soak-" + uuid.uuid4().hex[:6]
        self.kafka, self.redis, self.modelsim = Kafka(folder / "kafka"), Redis(folder / "redis"), ModelSim(folder)
        self.input = self.name + ".requests"
        self.topics = {k: f"{self.name}.{k.replace('_', '-')}" for k in ("responses", "decisions", "dead_letters")}
        self.kafka.create_topics([self.input, *self.topics.values()], PARTITIONS)
        self.modelsim.configure(latency_ms=300, sigma=0.8, seed=seed)
        self.ledger = CountingLedger(self.kafka, self.topics)
        self.watched = self.worker("watched").start()
        self.others = [self.worker("other0").start(), self.worker("other1").start()]
        self.producer = self.kafka.producer(**{"enable.idempotence": True, "log_level": 2})
        self.texts, self.sent, self.failed, self.ended = prompts(2000), {}, [], threading.Event()
        self.samples, self.faults = [], Counter()

    def worker(self, name):
        model = {"provider": "openai", "base_url": self.modelsim.base_url, "price": "free", "timeout": "5s", "limits": {"concurrency": MAX_JOBS}}
        config = {
            "kafka": {"brokers": self.kafka.address, "group": self.name, "session_timeout": "2s", "transaction_timeout": "5s"},
            "input": {"topics": [self.input], "format": "json"},
            "output": {**self.topics, "format": "json"},
            "models": [{"name": "small", "model": "tiny-1", **model}, {"name": "capable", "model": "large-1", **model}],
            "engine": {"max_jobs": MAX_JOBS, "shutdown_grace": "10s"},
            "redis": {"url": self.redis.url, "key_prefix": self.name},
            "cache": {"secret_env": "POINTSMAN_CACHE_SECRET", "near_entries": 2000},
        }
        return Worker(self.folder / name, config)

    # ---- the load, in a thread of its own

    def feed(self):
        for n in itertools.count():
            if self.ended.wait(1 / self.rate):
                return
            record_id = f"r-{n}"
            value = json.dumps({"id": record_id, "prompt": f"{self.texts[n % len(self.texts)]} ({n // 3})"}).encode()

            def delivered(error, message, record_id=record_id):
                if error is not None:
                    self.failed.append(str(error))
                else:
                    self.sent[message.partition(), message.offset()] = record_id

            while True:
                try:
                    self.producer.produce(self.input, value=value, key=record_id.encode(), on_delivery=delivered)
                    break
                except BufferError:
                    self.producer.poll(0.5)
            self.producer.poll(0)

    # ---- what breaks

    def fault_another_is_killed(self):
        other = self.chance.choice(self.others)
        other.kill()
        self.wait(2)
        other.start(ready=False)

    def fault_another_is_stopped_beyond_its_session(self):
        other = self.chance.choice(self.others)
        other.signal(signal.SIGSTOP)
        self.wait(5)
        other.signal(signal.SIGCONT)

    def fault_another_leaves_and_comes(self):
        other = self.chance.choice(self.others)
        assert other.stop() == 0, other.log_tail()
        self.wait(1)
        other.start(ready=False)

    def fault_model_errors(self):
        self.modelsim.configure(p500=0.3, p429=0.1)
        self.wait(8)
        self.modelsim.configure(p500=0, p429=0)

    def fault_model_stalls(self):
        self.modelsim.configure(stall=1)
        self.wait(7)
        self.modelsim.configure(stall=0)

    def fault_model_half_open(self):
        os.kill(self.modelsim.process.pid, signal.SIGSTOP)
        self.wait(7)
        os.kill(self.modelsim.process.pid, signal.SIGCONT)

    def fault_redis_dies(self):
        self.redis.kill()
        self.wait(5)
        self.redis.start()

    def fault_redis_is_filled_with_rubbish(self):
        client = redis_client.Redis(port=int(self.redis.address), socket_timeout=2)
        for key in itertools.islice(client.scan_iter(count=1000), 3000):
            client.set(key, os.urandom(40))

    def fault_broker_is_killed(self):
        self.kafka.kill()
        self.wait(2)
        self.kafka.start()

    def fault_broker_stands_still(self):
        pid = int((self.kafka.run / "pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        self.wait(4)
        os.kill(pid, signal.SIGCONT)

    # ---- watching

    def look(self):
        pid = self.watched.process.pid
        status = Path(f"/proc/{pid}/status").read_text()
        rss = int(status.split("VmRSS:")[1].split()[0]) / 1024
        threads = int(status.split("Threads:")[1].split()[0])
        self.samples.append((time.monotonic(), rss, len(os.listdir(f"/proc/{pid}/fd")), threads))

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.ledger.poll(min(1.0, max(0.05, end - time.monotonic())))
            assert self.watched.is_alive(), f"the watched worker ended:\n{self.watched.log_tail()}"
            if not self.samples or time.monotonic() - self.samples[-1][0] >= LOOK_EVERY_S:
                self.look()

    def run(self, minutes):
        begin = time.monotonic()
        feeding = threading.Thread(target=self.feed, daemon=True)
        feeding.start()
        kinds = [getattr(self, n) for n in dir(self) if n.startswith("fault_")]
        turn = []
        while time.monotonic() - begin < minutes * 60:
            started = time.monotonic()
            turn = turn or self.chance.sample(kinds, len(kinds))
            kind = turn.pop()
            kind()
            self.faults[kind.__name__[6:].replace("_", " ")] += 1
            self.wait(max(1, FAULT_EVERY_S - (time.monotonic() - started)))
            if sys.stderr.isatty() or sum(self.faults.values()) % 10 == 0:
                _, rss, fds, threads = self.samples[-1]
                print(
                    f"{(time.monotonic() - begin) / 60:5.1f} min  {len(self.sent)} sent, {len(self.decisions())} decided, "
                    f"{sum(self.faults.values())} faults, {rss:.1f} MB, {fds} descriptors, {threads} threads",
                    file=sys.stderr,
                    flush=True,
                )
        self.ended.set()
        feeding.join()
        assert self.producer.flush(120) == 0 and not self.failed, self.failed[:3]
        end = time.monotonic() + 120
        while len(self.decisions()) < len(self.sent) and time.monotonic() < end:
            self.wait(1)
        self.wait(2)

    def decisions(self):
        return self.ledger.decisions

    def report(self):
        """Whether all is well, and the figures."""
        decided, answered = Counter(self.ledger.decisions), Counter(self.ledger.responses)
        lost = len(self.sent.keys() - decided.keys()) + len(set(self.sent.values()) - answered.keys())
        twice = sum(n - 1 for n in decided.values()) + sum(n - 1 for n in answered.values())
        tenth = max(1, len(self.samples) // 10)
        early, late = self.samples[tenth : 3 * tenth], self.samples[-2 * tenth :]
        print(f"records {len(self.sent)}  lost {lost}  twice {twice}  dead letters {len(self.ledger.dead_letters)}")
        print("faults  " + ", ".join(f"{k} {n}" for k, n in sorted(self.faults.items())))
        for what, at in (("resident MB", 1), ("descriptors", 2), ("threads", 3)):
            first, last = (statistics.median(s[at] for s in part) for part in (early, late))
            print(f"{what:12} after a tenth {first:.1f}   in the last fifth {last:.1f}   most {max(s[at] for s in self.samples):.1f}")
        findings = [w.folder.name for w in (self.watched, *self.others) if SANITIZER_WORDS.search(w.log_text())]
        if findings:
            print("sanitizers found something: " + ", ".join(findings))
        return lost == 0 and twice == 0 and not findings

    def close(self):
        self.ended.set()
        os.kill(self.modelsim.process.pid, signal.SIGCONT)
        for worker in (self.watched, *self.others):
            worker.end()
        self.ledger.close()
        self.modelsim.stop()
        self.redis.stop()
        self.kafka.stop()


def main():
    parser = argparse.ArgumentParser(prog="tests/chaos/soak", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--rate", type=float, default=40, help="records a second (40)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(os.environ.get("POINTSMAN_TEST_RUN") or tempfile.mkdtemp(prefix="pointsman-soak-"))
    soak = Soak(folder, args.rate, args.seed)
    try:
        soak.run(args.minutes)
        return 0 if soak.report() else 1
    finally:
        soak.close()


if __name__ == "__main__":
    sys.exit(main())
