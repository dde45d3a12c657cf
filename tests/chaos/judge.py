"""The verdict: what independent readers of the topics find, held against what was sent.

lost: a record without its decision, or without its response where it could be decoded. twice: a second one of either. A dead
letter is an orphan unless its record has one decision whose class is the dead letter's own and says that there is one. Repeated
calls are held against what was dispatched and uncommitted at each kill, loss and expired drain.
"""

import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from confluent_kafka import IsolationLevel
from confluent_kafka.admin import OffsetSpec

from ledger import Ledger, dead_letter_class, dead_letter_source
from paths import PATIENCE, ROOT

OUTCOME = re.compile(r'^X\(\w+,\s+"(\w+)",\s+[01],\s+STATUS_(\w+),\s+([01])', re.MULTILINE)
OUTCOMES = {c: (status.lower(), dead == "1") for c, status, dead in OUTCOME.findall((ROOT / "worker/job/outcome.def").read_text())}


@dataclass
class Verdict:
    seed: int
    records: int = 0
    lost: int = 0
    twice: int = 0
    orphans: int = 0
    disorder: int = 0
    repeated: int = 0
    bound: int = 0
    dead_letters: int = 0
    kills: int = 0
    longest_pause: float = 0.0
    seconds: float = 0.0
    mode: str = ""
    kinds: list = field(default_factory=list)
    fired: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    @property
    def passed(self):
        return not self.failures

    def fail(self, words):
        self.failures.append(words)


@dataclass(frozen=True)
class Source:
    """A record that was sent. The id tells apart what lay at the same offset of a topic before it was made anew."""

    id: str
    partition: int
    offset: int


def read_to_the_end(ledger, admin):
    """Until nothing is left unseen: the reader stands where the logs end, and no open transaction hides a part of them."""
    wanted = {tp: OffsetSpec.latest() for tp in ledger.consumer.assignment()}
    end = time.monotonic() + 60 * PATIENCE
    while True:
        answers = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED)
        ends = {(tp.topic, tp.partition): future.result(30).offset for tp, future in answers.items()}
        until = time.monotonic() + 2
        while ledger.ends != ends and time.monotonic() < until:
            ledger.poll(0.1)
        if ledger.ends == ends:
            return
        left = {k: (ledger.ends.get(k), e) for k, e in ends.items() if ledger.ends.get(k) != e}
        assert time.monotonic() < end, f"the output topics cannot be read to their end: {left}"


def decision_source(d, known, bad_at):
    """Where it was sent to; a parked record was moved since. One that cannot be decoded has no id of its own: it is known by where
    it lies."""
    first = d.value.get("parked_from") or d.value["source"]
    place = first["partition"], first["offset"]
    source = Source(d.value["request_id"], *place)
    return source if source in known else bad_at.get(place, source)


def some(things, count=4):
    return ", ".join(str(t) for t in list(things)[:count])


def check_decisions(v, sent, decisions, redone):
    missing = [s for s in sent if decisions[s] == 0]
    v.lost += len(missing)
    if missing:
        v.fail(f"lost: {len(missing)} records without a decision: {some(sorted(missing, key=lambda s: (s.partition, s.offset)))}")
    twice = {s: n for s, n in decisions.items() if n > 1 and s not in redone}
    v.twice += sum(n - 1 for n in twice.values())
    strangers = [s for s in decisions if s not in sent]
    if strangers:
        v.fail(f"{len(strangers)} decisions about records that nobody sent: {some(strangers)}")
    return twice


def check_responses(v, good, responses, redone):
    redone_ids = {s.id for s in redone}
    missing = [s for s in good if responses[s.id] == 0]
    v.lost += len(missing)
    if missing:
        v.fail(f"lost: {len(missing)} records without a response: {some(missing)}")
    twice = {i: n for i, n in responses.items() if n > 1 and i not in redone_ids}
    v.twice += sum(n - 1 for n in twice.values())
    known = {s.id for s in good}
    strangers = [i for i in responses if i not in known]
    if strangers:
        v.fail(f"{len(strangers)} responses to nobody: {some(strangers)}")
    return twice


def check_dead_letters(v, ledger, exactly):
    """Each has one decision of its class about the record where it lay last, and each decision that promises one has it."""
    letters, promised = Counter(), Counter()
    for d in ledger.dead_letters:
        letters[(*dead_letter_source(d), dead_letter_class(d))] += 1
    for value in (d.value for d in ledger.decisions):
        source = value["source"]
        if OUTCOMES[value["outcome"]][1]:
            promised[(source["topic"], source["partition"], source["offset"], value["outcome"])] += 1
    v.dead_letters = len(ledger.dead_letters)
    if not exactly:  # outputs of one record are not one unit there: a crash can double one without the other
        letters, promised = Counter(letters.keys()), Counter(promised.keys())
    orphans, missing = letters - promised, promised - letters
    v.orphans = sum(orphans.values())
    if orphans:
        v.fail(f"orphaned dead letters: {some(orphans.items())}")
    if missing:
        v.fail(f"decisions that name a dead letter which is not there: {some(missing.items())}")
    crashed = [d for d in letters if d[3] == "crashed_worker"]
    if crashed:
        v.fail(f"records called the cause of ordered kills: {some(crashed)}")


def check_statuses(v, ledger, by_id):
    """A response's status is that of its decision's outcome. by_id: request id -> classes of its decisions."""
    wrong = [r.value["id"] for r in ledger.responses if r.value["status"] not in {OUTCOMES[c][0] for c in by_id[r.value["id"]]}]
    if wrong:
        v.fail(f"{len(wrong)} responses whose status is not their decision's: {some(wrong)}")


def check_order(v, ledger, place_of, redone):
    """Committed responses of a key come in the order of its records. place_of: id -> Source."""
    last = {}
    for r in sorted(ledger.responses, key=lambda r: (r.partition, r.offset)):
        source = place_of.get(r.value["id"])
        if source is None or source in redone:
            continue
        number = int(source.id.partition("-")[2])  # as they were sent: offsets begin again in a topic made anew
        if last.get((source.partition, r.key), -1) > number:
            v.disorder += 1
        last[(source.partition, r.key)] = number
    if v.disorder:
        v.fail(f"{v.disorder} responses before an earlier one of their key")


def judge(v, schedule, world, registry, sent, redone):
    """sent: list of Source; ids of bad records begin with "bad". redone: those that another tool's commit had done again. Returns
    how many attempts beyond the first the decisions tell of."""
    ledger = Ledger(world.kafka, world.topics, registry)
    try:
        read_to_the_end(ledger, world.kafka.admin())
    finally:
        ledger.close()
    known = set(sent)
    good = [s for s in sent if not s.id.startswith("bad")]
    bad_at = {(s.partition, s.offset): s for s in sent if s.id.startswith("bad")}
    decided = [(decision_source(d, known, bad_at), d.value) for d in ledger.decisions]
    decisions = Counter(s for s, value in decided if value["outcome"] != "parked")
    parked = Counter(s for s, value in decided if value["outcome"] == "parked")
    by_id = defaultdict(set)
    for s, value in decided:
        by_id[s.id].add(value["outcome"])
    v.records = len(sent)
    if max(parked.values(), default=0) > 1 and schedule.mode == "exactly_once":
        v.twice += sum(n - 1 for n in parked.values())
        v.fail(f"twice: parked {some((s, n) for s, n in parked.items() if n > 1)}")
    twice_decided = check_decisions(v, known, decisions, redone)
    twice_answered = check_responses(v, good, Counter(r.value["id"] for r in ledger.responses), redone)
    exactly = schedule.mode == "exactly_once"
    if exactly and (twice_decided or twice_answered):
        v.fail(f"twice: decided {some(twice_decided.items())}; answered {some(twice_answered.items())}")
    if not exactly and v.twice > 2 * v.bound:  # a decision and a response each
        v.fail(f"twice {v.twice}, more than the faults explain ({v.bound} records under way at kills and losses)")
    check_dead_letters(v, ledger, exactly)
    check_statuses(v, ledger, by_id)
    if schedule.ordering == "key" and exactly:
        check_order(v, ledger, {s.id: s for s in good}, redone)
    return sum(max(0, len(value["attempts"]) - 1) for _, value in decided)
