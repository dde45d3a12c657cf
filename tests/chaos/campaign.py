"""Many seeds, several at a time: each process has a place of its own and takes one seed after the other.

A line for each seed as it ends, a table at the end. A seed that fails says how it is run again and keeps its logs; the others'
are removed.
"""

import multiprocessing
import os
import shutil
import signal
import sys
import time
import traceback
import uuid
from collections import Counter
from pathlib import Path

import directed
from judge import Verdict
from place import Place
from player import Player


def play(place, schedule, folder):
    player = Player(place, schedule, folder, f"c{schedule.seed}-{uuid.uuid4().hex[:6]}")
    verdict = player.play()
    if verdict.passed:
        player.world.delete_topics()
        if not os.environ.get("POINTSMAN_CHAOS_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
    return verdict


def take_seeds(number, nodes, folder, todo, done):
    """A process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when it is over
    folder.mkdir(parents=True, exist_ok=True)
    clients = os.open(folder / f"clients{number}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(clients, 2)  # what client libraries print while brokers are down
    place = None
    while (schedule := todo.get()) is not None:
        try:
            if place is None:
                place = Place(folder / f"place{number}", nodes)
            verdict = play(place, schedule, folder / f"seed-{schedule.seed}")
        except Exception:
            verdict = Verdict(schedule.seed, mode=schedule.mode, failures=["the suite: " + traceback.format_exc()])
            if place is not None:  # whatever state it is in, the next seed shall have a whole one
                place.kafka.kill()
                place = None
                number += 100
        done.put(verdict)
    if place is not None:
        place.close()


def line(v, done, of):
    story = f"{v.records} records, {v.kills} kills, {v.repeated} calls repeated, longest pause {v.longest_pause:.1f} s"
    return f"[{done}/{of}] seed {v.seed}: {'ok' if v.passed else 'FAILED'} in {v.seconds:.0f} s: {story}; {', '.join(v.kinds)}"


def again(schedule):
    if schedule.seed < 0:
        return f"tests/chaos/run --bug {directed.BUGS[-1 - schedule.seed].__name__}"
    words = f"tests/chaos/run --seed {schedule.seed}" + (f" --brokers {schedule.nodes}" if schedule.nodes > 1 else "")
    return words + (" --unscaled" if schedule.scale > 1 else "")


def report(verdict, schedule, folder, done, of, expect_failure):
    words = line(verdict, done, of)
    if expect_failure:
        words = f"[{done}/{of}] {schedule.bug}: lost {verdict.lost}, twice {verdict.twice} in {verdict.seconds:.0f} s"
    print(words, flush=True)
    if path := os.environ.get("POINTSMAN_CHAOS_RESULTS"):
        with open(path, "a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {words}\n")
    if verdict.passed != expect_failure:
        return
    for failure in verdict.failures:
        print("    " + failure.replace("\n", "\n    "), flush=True)
    if not verdict.passed:
        print(f"    again: {again(schedule)}\n    logs: {folder}/seed-{verdict.seed}", flush=True)


def run(schedules, folder, jobs, expect_failure=False):
    """Plays all, so many at a time; the verdicts as they come."""
    context = multiprocessing.get_context("spawn")
    todo, done = context.Queue(), context.Queue()
    jobs = min(jobs, len(schedules))
    for schedule in [*schedules, *[None] * jobs]:
        todo.put(schedule)
    nodes = schedules[0].nodes
    processes = [context.Process(target=take_seeds, args=(i, nodes, folder, todo, done), daemon=True) for i in range(jobs)]
    for process in processes:
        process.start()
    by_seed, verdicts = {s.seed: s for s in schedules}, []
    try:
        while len(verdicts) < len(schedules):
            verdict = done.get()
            verdicts.append(verdict)
            report(verdict, by_seed[verdict.seed], folder, len(verdicts), len(schedules), expect_failure)
    except KeyboardInterrupt:
        print(f"interrupted: {len(verdicts)} of {len(schedules)} seeds were played to their end", file=sys.stderr)
        sys.exit(130)
    for process in processes:
        process.join(60)
    return verdicts


def summary(verdicts, schedules):
    """Prints the table; the exit code."""
    print(f"\n{'':24} {'seeds':>6} {'failed':>6} {'records':>8} {'lost':>5} {'twice':>5} {'orphans':>7} {'kills':>6} {'repeated':>8} {'pause s':>7}")
    for mode in ("exactly_once", "at_least_once"):
        of = [v for v in verdicts if v.mode == mode]
        if of:
            total = {name: sum(getattr(v, name) for v in of) for name in ("records", "lost", "twice", "orphans", "kills", "repeated")}
            print(
                f"{mode:24} {len(of):6} {sum(not v.passed for v in of):6} {total['records']:8} {total['lost']:5} {total['twice']:5} "
                f"{total['orphans']:7} {total['kills']:6} {total['repeated']:8} {max(v.longest_pause for v in of):7.1f}"
            )
    kinds = Counter(k for v in verdicts for k in v.kinds)
    print("played: " + ", ".join(f"{k} {n}" for k, n in sorted(kinds.items())))
    fired = Counter(p for v in verdicts for p in v.fired)
    print("died at: " + (", ".join(f"{p} {n}" for p, n in sorted(fired.items())) or "no point"))
    failed = [v for v in verdicts if not v.passed]
    by_seed = {s.seed: s for s in schedules}
    for v in failed:
        print(f"failed: {again(by_seed[v.seed])}", file=sys.stderr)
    return 1 if failed else 0
