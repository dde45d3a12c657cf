"""How long does a kill hold up the readers, and how many calls does it repeat? On a broker with its defaults.

A steady stream of records, one worker or two, and a kill -9 every now and then: half of them with a transaction open, which is
the worst moment, because read_committed readers wait behind it. The pause is the longest time without a new committed decision
in any of the partitions, from the kill until all is caught up.
"""

import os
import random
import statistics
import threading
import time

from paths import PATIENCE
from place import Place
from player import Player
from schedule import Act, Schedule

RATE, PARTITIONS = 40, 4
CASES = {
    "with instance, restarted at once": {"instance": True, "workers": 1},
    "without instance, restarted at once": {"instance": False, "workers": 1},
    "without instance, another one lives": {"instance": False, "workers": 2},
}


class Steady(Player):
    """A player whose workers have the timeouts of production, and whose feeder does not end."""

    def configuration(self, name):
        config = super().configuration(name)
        for scaled in ("session_timeout", "transaction_timeout", "drain_on_revoke"):
            del config["kafka"][scaled]
        return config

    def feed(self, until):
        while not until.is_set():
            self.feeder.send(1)
            time.sleep(1 / RATE)

    def catch_up(self, seconds):
        """Until hardly anything is outstanding, watching; the longest gap in any partition's decisions."""
        begin = time.monotonic()
        last, seen, longest = dict.fromkeys(range(PARTITIONS), begin), len(self.ledger.decisions), 0.0
        while time.monotonic() - begin < seconds:
            self.crew.look()
            self.ledger.poll(0.05)
            now = time.monotonic()
            for d in self.ledger.decisions[seen:]:
                partition = d.value["source"]["partition"]
                longest = max(longest, now - last[partition])
                last[partition] = now
            seen = len(self.ledger.decisions)
            self.producer_poll()
            calm = now - begin > 8 and min(last.values()) > now - 2 and self.outstanding() < RATE * 2
            if calm:
                return longest
        self.verdict.fail(f"not caught up {seconds} s after a kill")
        return longest

    def producer_poll(self):
        with self.feeder.lock:
            self.feeder.producer.poll(0)

    def one_kill(self, number):
        before = self.world.modelsim.stats()["dup_calls"]
        if number % 2 == 0:
            self.crew.kill("w0", 0.0)
        else:  # it is started anew with the fault, and dies in a transaction; what that start costs is not measured
            self.crew.arm("w0", "term", "after_send_offsets:40", 0.0)
            died = self.crew.kills
            self.watch(60 * PATIENCE, lambda: self.crew.kills > died)
        pause = self.catch_up(90 * PATIENCE)
        return pause, self.world.modelsim.stats()["dup_calls"] - before

    def measure(self, kills):
        self.open_reader()
        until, figures = threading.Event(), []
        feeding = threading.Thread(target=self.feed, args=(until,), daemon=True)
        self.start_all()
        feeding.start()
        self.catch_up(60 * PATIENCE)
        try:
            for number in range(kills):
                figures.append(self.one_kill(number))
                time.sleep(random.random())
        finally:
            until.set()
            feeding.join()
            self.feeder.finish()
            self.watch(60 * PATIENCE, self.is_done)
            self.crew.end()
            self.close()
        return figures


def schedule(case):
    s = Schedule(0, nodes=1, scale=1.0, partitions=PARTITIONS, load="medium", max_jobs=100, **CASES[case])
    s.acts = [Act(1000, 1, [])]
    return s


def print_row(case, figures):
    pauses, repeated = sorted(p for p, _ in figures), sorted(r for _, r in figures)

    def three(values, digits):
        p90 = values[min(len(values) - 1, int(len(values) * 0.9))]
        return f"{statistics.median(values):8.{digits}f} {p90:8.{digits}f} {values[-1]:8.{digits}f}"

    print(f"{case:38} {len(figures):5} {three(pauses, 1)} {three(repeated, 0)}", flush=True)


def run(folder, kills):
    """Plays all cases, one after the other, and prints the table. The exit code."""
    os.environ["POINTSMAN_KAFKA_DEFAULTS"] = "1"
    place = Place(folder / "place")
    print(f"{'':38} {'kills':>5} {'longest pause s':>26} {'repeated calls':>26}")
    print(f"{'':44} {'median':>8} {'p90':>8} {'max':>8} {'median':>8} {'p90':>8} {'max':>8}", flush=True)
    failures = []
    try:
        for number, case in enumerate(CASES):
            player = Steady(place, schedule(case), folder / f"case{number}", f"recovery{number}")
            print_row(case, player.measure(kills))
            failures += player.verdict.failures
    finally:
        place.close()
    for words in failures:
        print("failed: " + words)
    return 1 if failures else 0
