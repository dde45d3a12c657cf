"""Is the suite able to see anything? For each intentional bug of the fault build a schedule under which it must lose or double
records, and the same schedule without the bug, which must pass.

The schedules are written by hand, each for its bug, and no more than a normal seed might hold.
"""

from schedule import Act, Fault, Schedule, Step


def act(records, seconds, *steps):
    return Act(records, seconds, [Fault("directed", min(s.at for s in steps), ", ".join(f"{s.verb} {s.args}" for s in steps), list(steps))])


def base(seed, bug, **settings):
    s = Schedule(seed, nodes=1, scale=1.0, bug=bug, workers=2, partitions=4, max_jobs=50)
    for name, value in settings.items():
        setattr(s, name, value)
    return s


def skip_epoch_filter(seed, bug):
    """Calls outlast the drain, and members come and go: a living member has answers for partitions that it has lost."""
    s = base(seed, bug, load="long", drain_s=0.1, workers=1)
    moves = [Step(3.0 + 2.5 * i, "start" if i % 2 == 0 else "term", {"who": "x1"}) for i in range(4)]
    s.acts = [act(300, 14, *moves)]
    return s


def commit_early(seed, bug):
    """A kill between the commit that tells of a record and the one that brings its outputs."""
    s = base(seed, bug, load="quick", workers=1, max_jobs=200)
    kills = [Step(1.5 + 1.5 * i, "arm", {"who": "w0", "how": "term", "fault": f"before_begin:{8 + i}:0", "pause": 0.1}) for i in range(5)]
    s.acts = [act(1800, 9, *kills)]
    return s


def queued_is_finished(seed, bug):
    """Kills while calls are under way and committed offsets stand above them."""
    s = base(seed, bug, load="medium")
    s.acts = [act(800, 9, *[Step(3.0 + 2 * i, "kill", {"who": f"w{i % 2}", "pause": 0.3}) for i in range(3)])]
    return s


def trust_empty_member(seed, bug):
    """A worker is stopped just before it asks who it is, for longer than its session; when it wakes, its client learns first that
    it is no member any more."""
    s = base(seed, bug, load="quick", max_jobs=20)
    steps = [Step(0.5, "arm", {"who": "w0", "how": "kill", "fault": "before_group:8:stop=700", "pause": 0.3})]
    steps += [Step(10.0, "cont", {"who": "w0"}), Step(10.1, "burst", {"records": 50})]
    s.acts = [act(1600, 17, *steps)]
    return s


BUGS = [skip_epoch_filter, commit_early, queued_is_finished, trust_empty_member]


def schedules(with_bug, only=None):
    """All, or that of one bug. Their seeds are below 0, so that no drawn one has them."""
    made = [make(-1 - i, make.__name__ if with_bug else "") for i, make in enumerate(BUGS)]
    return [s for s, make in zip(made, BUGS) if only in (None, make.__name__)]
