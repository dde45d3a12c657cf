"""The command line of the chaos suite: see run --help."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import paths  # noqa: F401  the path of the integration tests' helpers; before all that uses them
import campaign
import directed
import recovery
import schedule

ROUNDS = 3
MORE = """\
examples:
  tests/chaos/run --short                        what `make test` plays: every kind of fault once
  tests/chaos/run --seeds 200 --jobs 2           a campaign; a line for each seed, a table at the end
  tests/chaos/run --seed 98 --print              what seed 98 does, without doing it
  tests/chaos/run --seed 98                      a failing seed once more
  tests/chaos/run --bugs                         can the suite see anything?
  tests/chaos/run soak --minutes 45 --rate 40    one worker through a fault each half minute; soak --help

Needs `make all` and `make FAULTS=1 all`; `make chaos` does both.
A seed that fails keeps its folder (schedule, story, logs), which is named. Ctrl-C ends everything and says how far it came.
POINTSMAN_CHAOS_PATIENCE=3 triples all bounds on waiting; POINTSMAN_CHAOS_KEEP=1 keeps all folders;
POINTSMAN_CHAOS_RESULTS=FILE adds each seed's line to a file; POINTSMAN_BIN is the worker under test.
exit code: 0 all held, 1 something did not, 2 usage, 130 interrupted
"""


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/chaos/run",
        description="Kills, stops, storms and outages by seed, and a ledger that counts what came of it.",
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, action="append", help="play this seed; may be given more than once")
    parser.add_argument("--seeds", type=int, default=0, help="play so many seeds (10)")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first of them (1)")
    parser.add_argument("--short", action="store_true", help="a few seeds that hold every kind of fault")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="of each seed (1); three hold everything threefold and lose coordinators, too")
    parser.add_argument("--jobs", type=int, default=0, help="seeds at a time, each with brokers of its own (2; with three brokers 1)")
    parser.add_argument("--unscaled", action="store_true", help="durations of production instead of a tenth")
    parser.add_argument("--bugs", action="store_true", help="show that each intentional bug is seen, and nothing without them")
    parser.add_argument("--bug", help="the same for one: " + ", ".join(make.__name__ for make in directed.BUGS))
    parser.add_argument("--measure-recovery", type=int, const=10, nargs="?", metavar="KILLS", help="pauses and repeated calls after kills, on a broker with its defaults (10 kills a case)")
    parser.add_argument("--print", action="store_true", help="print the schedules and play nothing")
    return parser.parse_args()


def chosen_seeds(args):
    if args.seed:
        return args.seed
    if args.short:
        return schedule.covering(range(1, 300), args.brokers)
    return list(range(args.first, args.first + (args.seeds or 10)))


def find_bugs(args, folder):
    """The bugs that were not found out. A schedule's moments are the machine's to hit: each has three rounds."""
    missed = directed.schedules(True, args.bug)
    for number in range(ROUNDS):
        verdicts = campaign.run(missed, folder / f"broken{number}", args.jobs or 2, expect_failure=True)
        harmless = {v.seed for v in verdicts if v.lost + v.twice == 0}
        missed = [s for s in missed if s.seed in harmless]
        if not missed:
            break
    return missed


def show_bugs(args, folder):
    """Each bug must be found out by what it does to records; without it the same schedule must pass."""
    missed, sound = find_bugs(args, folder), directed.schedules(False, args.bug)
    print(f"\nintentional bugs found out: {len(sound) - len(missed)} of {len(sound)}", *[s.bug + " was not" for s in missed])
    print("the same schedules without them:")
    return campaign.summary(campaign.run(sound, folder / "sound", args.jobs or 2), sound) or bool(missed)


def main():
    args = arguments()
    folder = Path(os.environ.get("POINTSMAN_TEST_RUN") or tempfile.mkdtemp(prefix="pointsman-chaos-"))
    if args.measure_recovery:
        return recovery.run(folder, args.measure_recovery)
    if args.bugs or args.bug:
        return show_bugs(args, folder)
    schedules = [schedule.make(seed, args.brokers, args.unscaled) for seed in chosen_seeds(args)]
    if args.print:
        print("\n".join(s.text() for s in schedules))
        return 0
    verdicts = campaign.run(schedules, folder, args.jobs or (2 if args.brokers == 1 else 1))
    return campaign.summary(verdicts, schedules)


if __name__ == "__main__":
    sys.exit(main())
