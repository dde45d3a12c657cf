"""From a seed to a schedule: who works, on what load, and which faults come at which moments.

The one idea: everything that is left to chance is drawn here, from one random generator, before anything starts. A schedule is a
list of timed steps that a person can read; playing it draws nothing. So a seed can be run again, though what the machine makes
of the moments is never quite the same twice. Nothing here does I/O.

Durations are a tenth of what they are in production: a session of 1 s for 6 to 10, transactions of 2 s for 10 to 15, calls of up
to 6 s for a minute. `--unscaled` multiplies all by ten.
"""

import random
from dataclasses import dataclass, field

SESSION_S, TRANSACTION_S = 1.0, 2.0
POINTS = ["before_begin", "after_produce", "after_send_offsets", "inside_commit", "inside_revoke", "after_answer", "start"]
LOADS = {"quick": (15, 0.6), "medium": (150, 0.8), "long": (1200, 0.8)}  # median of a call in ms, sigma; long reaches 6 s and more


@dataclass
class Step:
    at: float  # seconds from the start of its act
    verb: str  # a method of Player: do_VERB
    args: dict = field(default_factory=dict)


@dataclass
class Fault:
    kind: str
    at: float
    words: str  # for people
    steps: list


@dataclass
class Act:
    """A stretch of load with its faults. Afterwards everything is healed; a prologue runs before it, with time to wait."""

    records: int
    seconds: float
    faults: list
    prologue: Step | None = None


@dataclass
class Schedule:
    seed: int
    nodes: int
    scale: float
    mode: str = "exactly_once"
    format: str = "json"
    ordering: str = "none"
    workers: int = 1
    partitions: int = 4
    keys: int = 0  # 0: each record has its own
    instance: bool = False
    load: str = "quick"
    max_jobs: int = 50
    bad_share: float = 0.0
    answer_bytes: int = 0
    redis: bool = False
    model_timeout_s: float = 15.0
    drain_s: float = 0.5
    full: str = "wait"  # what becomes of records beyond a model's share
    acts: list = field(default_factory=list)
    bug: str = ""  # an intentional one, for the test of the suite itself
    worker_env: dict = field(default_factory=dict)

    @property
    def records(self):
        return sum(act.records for act in self.acts)

    @property
    def latency_ms(self):
        return LOADS[self.load][0] * self.scale

    def kinds(self):
        """The names of its faults, and of what else a set of seeds should hold once."""
        named = {f.kind for act in self.acts for f in act.faults} | {act.prologue.verb for act in self.acts if act.prologue}
        return named | {self.mode, "format " + self.format, "load " + self.load, "ordering " + self.ordering, "full: " + self.full} | (
            {"rolling restart, static names"} if self.instance and "rolling restart" in named else set()
        )

    def text(self):
        head = f"seed {self.seed}: {self.mode}, {self.format}, ordering {self.ordering}, {self.nodes} broker{'s' * (self.nodes > 1)}, "
        head += f"{self.workers} worker{'s' * (self.workers > 1)}{' with static names' if self.instance else ''}, "
        head += f"{self.partitions} partitions, {self.records} records ({self.bad_share:.0%} bad, {self.keys or 'all'} keys), "
        head += f"{self.load} calls, at most {self.max_jobs} at once a worker, drain {self.drain_s:g} s"
        head += f", full models: {self.full}" if self.full != "wait" else ""
        head += (", redis" if self.redis else "") + (f", answers of {self.answer_bytes} bytes" if self.answer_bytes else "")
        head += f", intentional bug {self.bug}" if self.bug else ""
        lines = [head]
        for number, act in enumerate(self.acts):
            if act.prologue:
                lines.append(f"  then: {act.prologue.verb.replace('_', ' ')} {act.prologue.args or ''}".rstrip())
            lines.append(f"  act {number + 1}: {act.records} records over {act.seconds:.1f} s")
            lines += [f"    {f.at:5.1f} s  {f.kind}: {f.words}" for f in sorted(act.faults, key=lambda f: f.at)]
        return "\n".join(lines)


class Draw:
    """Makes the faults of one act. Each method is a kind; its name is the kind's."""

    def __init__(self, chance, schedule, seconds):
        self.chance, self.schedule, self.seconds, self.extras = chance, schedule, seconds, 0

    def moment(self, latest=0.9):
        return round(self.chance.uniform(0.08, latest) * self.seconds, 2)

    def span(self, low, high):
        return round(self.chance.uniform(low, high) * self.schedule.scale, 2)

    def worker(self):
        return f"w{self.chance.randrange(self.schedule.workers)}"

    def extra(self):
        self.extras += 1
        return f"x{self.extras}"

    def kill(self):
        at, who, pause = self.moment(), self.worker(), self.span(0, 2)
        return at, f"{who}, back after {pause} s", [Step(at, "kill", {"who": who, "pause": pause})]

    def barrage(self):
        at, who, steps = self.moment(0.3), self.worker(), []
        moment = at
        for _ in range(10):
            steps.append(Step(moment, "kill", {"who": who, "pause": 0.0}))
            moment = round(moment + self.span(0.1, 1.0), 2)
        return at, f"ten kills of {who}, the last at {moment} s", steps

    def at_point(self, point=None):
        at, who, pause = self.moment(), self.worker(), self.span(0, 1.5)
        point = point or self.chance.choice(POINTS)
        times = 1 if point in ("start", "inside_revoke") else self.chance.randrange(1, 30 if point == "after_answer" else 5)
        delay_us = self.chance.choice([0, 0, 500, 3000, 20000]) if point != "inside_commit" else self.chance.randrange(0, 30000)
        how = self.chance.choice(["kill", "term"])
        fault = f"{point}:{times}:{delay_us}"
        steps = [Step(at, "arm", {"who": who, "how": how, "fault": fault, "pause": pause})]
        words = f"{who} ({how}ed and started again) dies at {fault}, back after {pause} s"
        if point == "inside_revoke":  # somebody must come, or nothing is revoked
            extra, later = self.extra(), at + 2 * self.schedule.scale
            steps += [Step(later, "start", {"who": extra}), Step(later + 2 * self.schedule.scale, "term", {"who": extra})]
            words += f"; {extra} joins"
        return at, words, steps

    def pause(self):
        at, who, length = self.moment(0.8), self.worker(), self.span(1.5, 4.5)
        steps = [Step(at, "stop", {"who": who}), Step(at + length, "cont", {"who": who})]
        return at, f"{who} stopped for {length} s, beyond its session", steps

    def storm(self):
        at, steps = self.moment(0.5), []
        moment, names = at, []
        for _ in range(self.chance.randrange(2, 4)):
            name = self.extra()
            names.append(name)
            stay = self.span(0.3, 4)
            verb = self.chance.choice(["term", "term", "kill"])
            steps += [Step(moment, "start", {"who": name}), Step(round(moment + stay, 2), verb, {"who": name})]
            moment = round(moment + self.span(0.2, 1.5), 2)
        return at, f"{', '.join(names)} join and leave until {max(s.at for s in steps)} s", steps

    def rolling_restart(self):
        at, steps = self.moment(0.4), []
        apart = self.span(0.8, 2)
        for i in range(self.schedule.workers):
            steps.append(Step(round(at + i * apart, 2), "term", {"who": f"w{i}", "pause": 0.0}))
        return at, f"each worker in turn, {apart} s apart", steps

    def broker_kill(self):
        node, down = self.chance.randrange(1, self.schedule.nodes + 1), self.span(0.2, 3)
        at = self.moment(0.6)
        return at, f"node {node}, started again after {down} s", [Step(at, "broker_kill", {"node": node, "down": down})]

    def group_coordinator_kill(self):
        at, down = self.moment(0.6), self.span(0.5, 4)
        return at, f"started again after {down} s", [Step(at, "broker_kill", {"node": "group", "down": down})]

    def transaction_coordinator_kill(self):
        at, who, down = self.moment(0.6), self.worker(), self.span(0.5, 4)
        return at, f"that of {who}, started again after {down} s", [Step(at, "broker_kill", {"node": who, "down": down})]

    def redis_kill(self):
        at, down = self.moment(), self.span(0.5, 3)
        return at, f"started again after {down} s", [Step(at, "redis_kill"), Step(at + down, "redis_start")]

    def redis_rubbish(self):
        at = self.moment()
        return at, "all values overwritten, three times", [Step(at + 0.5 * i, "redis_rubbish") for i in range(3)]

    def registry_gone(self):
        at, down, who = self.moment(0.5), self.span(2, 4), self.worker()
        steps = [Step(at, "registry_stop"), Step(at + 0.1, "kill", {"who": who, "pause": 0.0}), Step(at + down, "registry_start")]
        return at, f"for {down} s, and {who} is killed and knows no schema then", steps

    def model_stall(self):
        at, length = self.moment(0.7), self.span(1, 4)
        return at, f"no answers for {length} s", [Step(at, "model", {"stall": 1}), Step(at + length, "model", {"stall": 0})]

    def model_half_open(self):
        at, length = self.moment(0.6), self.span(3.5, 5)
        return at, f"connections dead for {length} s", [Step(at, "model_freeze"), Step(at + length, "model_thaw")]

    def model_errors(self):
        at, length = self.moment(0.7), self.span(1, 4)
        steps = [Step(at, "model", {"p429": 0.2, "p500": 0.2}), Step(at + length, "model", {"p429": 0, "p500": 0})]
        return at, f"two of five calls fail for {length} s", steps

    def model_fast(self):
        """Answers at once while the brokers get half of the time: outputs come twice as fast as they can be taken."""
        at, length = self.moment(0.6), self.span(2, 4)
        steps = [Step(at, "model", {"latency_ms": 0, "sigma": 0}), Step(at, "burst", {"records": 200})]
        steps += [Step(round(at + i * 0.4, 2), "broker_freeze", {"seconds": 0.2}) for i in range(int(length / 0.4))]
        steps.append(Step(at + length, "model", {"latency_ms": self.schedule.latency_ms, "sigma": LOADS[self.schedule.load][1]}))
        return at, f"no latency and slow brokers for {length} s, 200 records more", steps


# kind -> (weight, may this schedule have it?)
KINDS = {
    "kill": (3, lambda s: True),
    "barrage": (1, lambda s: True),
    "at_point": (6, lambda s: True),
    "pause": (3, lambda s: True),
    "storm": (3, lambda s: True),
    "rolling_restart": (2, lambda s: True),
    "broker_kill": (1, lambda s: True),
    "group_coordinator_kill": (3, lambda s: s.nodes > 1),
    "transaction_coordinator_kill": (3, lambda s: s.nodes > 1 and s.mode == "exactly_once"),
    "redis_kill": (1, lambda s: s.redis),
    "redis_rubbish": (1, lambda s: s.redis),
    "registry_gone": (3, lambda s: s.format == "avro-confluent"),
    "model_stall": (1, lambda s: True),
    "model_half_open": (1, lambda s: s.load == "quick"),
    "model_errors": (1, lambda s: True),
    "model_fast": (1, lambda s: s.load != "long"),
}


def make_fault(draw, kind, **choice):
    at, words, steps = getattr(draw, kind)(**choice)
    point = steps[0].args["fault"].split(":")[0] if kind == "at_point" else ""
    return Fault(f"kill at {point}" if point else kind.replace("_", " "), at, words, steps)


def draw_act(chance, schedule, prologue=None):
    seconds = round(chance.uniform(6, 11) * schedule.scale, 1)
    kinds = [k for k, (_, may) in KINDS.items() if may(schedule)]
    chosen = chance.choices(kinds, [KINDS[k][0] for k in kinds], k=chance.randrange(2, 6))
    draw = Draw(chance, schedule, seconds)
    # what one fault of a kind makes certain, a second one would only blur
    once = [k for i, k in enumerate(chosen) if k in ("kill", "at_point") or k not in chosen[:i]]
    faults = [make_fault(draw, kind) for kind in once]
    if any(f.kind == "model half open" for f in faults):
        schedule.model_timeout_s = 3.0 * schedule.scale
    median, sigma = LOADS[schedule.load]
    mean_s = median / 1000 * (1 + sigma) * schedule.scale
    capacity = 0.4 * schedule.workers * schedule.max_jobs / max(mean_s, 0.05) * seconds
    records = int(min(chance.randrange(200, 1500), capacity))
    if schedule.ordering == "key":  # one call and one commit a key at a time
        records = min(records, int(4 * schedule.keys * seconds))
    return Act(max(records, 60), seconds, faults, prologue)


def make(seed, nodes=1, unscaled=False):
    """The schedule of a seed."""
    chance = random.Random(seed)
    s = Schedule(seed, nodes, 10.0 if unscaled else 1.0)
    s.mode = chance.choices(["exactly_once", "at_least_once"], [4, 1])[0]
    s.format = chance.choices(["json", "avro-confluent", "avro-single-object"], [5, 2, 1])[0]
    s.workers, s.partitions = chance.randrange(1, 5), chance.randrange(1, 9)
    s.instance = chance.random() < 0.4
    s.load = chance.choices(list(LOADS), [3, 4, 3])[0]
    s.max_jobs = chance.choice([20, 50, 100, 200])
    s.bad_share = chance.choice([0, 0, 0.02])
    s.answer_bytes = chance.choice([0, 0, 0, 20_000])
    s.redis = chance.random() < 0.4
    s.drain_s = chance.choice([0.2, 0.2, 0.5, 1.5]) * s.scale
    wants_order = chance.random() < 0.35
    s.keys = chance.choice([5, 20, 60]) if wants_order or chance.random() < 0.2 else 0
    s.ordering = "key" if wants_order else "none"
    s.acts = [draw_act(chance, s)]
    prologue = chance.random()
    if prologue < 0.12:
        s.bad_share = 0  # what cannot be decoded is known by its offset alone, and offsets come twice here
        s.acts.append(draw_act(chance, s, Step(0, "topic_made_anew", {"alive": chance.random() < 0.5})))
    elif prologue < 0.24:
        s.acts.append(draw_act(chance, s, Step(0, "metadata_poisoned", {"how": chance.choice(["text", "crc", "base"])})))
    if s.ordering == "none" and len(s.acts) == 1:  # parked records keep no order, and what is done again is parked again
        s.full = random.Random(f"full {seed}").choices(["wait", "next", "park"], [6, 1, 2])[0]
    return s


def covering(pool, nodes=1):
    """A small set of the pool's seeds that holds every kind at least once: greedily, by new kinds for the time they take."""
    made = {seed: make(seed, nodes) for seed in pool}
    left = {seed: s.kinds() for seed, s in made.items()}
    # a broker's restart, a second act and long calls take their time
    cost = {n: 15 + sum(a.seconds for a in s.acts) + 15 * len(left[n] & {"broker kill", "load long"}) for n, s in made.items()}
    wanted = set().union(*left.values())
    chosen = []
    while wanted:
        seed = max(left, key=lambda n: len(left[n] & wanted) / cost[n])
        wanted -= left.pop(seed)
        chosen.append(seed)
    return chosen
