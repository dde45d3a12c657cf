"""Plays one schedule and judges it.

An act: the feeder sends, the steps come at their moments, the crew is looked after, and a read_committed reader watches that
outputs go on coming. Then everything is healed, and all records must be decided and the lag be 0 in bounded time. At the end
everybody leaves in order, and judge.py counts.
"""

import json
import os
import random
import signal
import threading
import time
import traceback

import requests
from confluent_kafka import Consumer, TopicPartition

from crew import Crew
from feeder import Feeder
from judge import Verdict, judge
from ledger import Ledger
from paths import PATIENCE
from place import World
from schedule import LOADS, SESSION_S, TRANSACTION_S
from services import eventually
from worker import POLICY

ATTEMPTS = 4  # engine.attempts
STALL_S, FINISH_S = 25, 600  # bounds on what is no fault's doing; generous: machines are busy


class Player:
    def __init__(self, place, schedule, folder, name):
        self.schedule, self.folder = schedule, folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schedule").write_text(schedule.text() + "\n")
        self.story = open(folder / "story", "w", buffering=1)
        self.world = World(place, schedule, folder, name)
        self.feeder = Feeder(self.world, schedule, random.Random(f"records of {schedule.seed}"))
        self.crew = Crew(
            folder, self.configuration, POLICY, schedule.bug, schedule.instance, lambda: self.world.away & {"broker", "topic"}, self.note
        )
        self.verdict = Verdict(schedule.seed, mode=schedule.mode, kinds=sorted(schedule.kinds()))
        self.redone, self.begin = set(), time.monotonic()
        self.now = threading.Event()  # whatever waits to come back, comes back
        self.last_output, self.outputs, self.live_since = time.monotonic(), 0, time.monotonic()
        self.outages, self.renewed, self.stalled = 0, False, False
        self.regular = [f"w{i}" for i in range(schedule.workers)]
        self.set_model()

    def note(self, words):
        self.story.write(f"{time.monotonic() - self.begin:7.2f} {words}\n")

    # ---- what the seed is made of

    def configuration(self, name):
        s, w = self.schedule, self.world
        model = {
            "provider": "openai",
            "base_url": w.modelsim.base_url,
            "api_key_env": "MODEL_KEY",
            "timeout": f"{int(s.model_timeout_s * 1000)}ms",
            "limits": self.limits(),
            "price": "free",
        }
        if s.answer_bytes:
            model["headers"] = {"x-sim-bytes": str(s.answer_bytes)}
        config = {
            "kafka": {
                "brokers": w.kafka.address,
                "group": w.name,
                "delivery": s.mode,
                "session_timeout": f"{int(SESSION_S * s.scale * 1000)}ms",
                "transaction_timeout": f"{int(TRANSACTION_S * s.scale * 1000)}ms",
                "drain_on_revoke": f"{int(s.drain_s * 1000)}ms",
            },
            "input": {"topics": w.inputs, "format": s.format if s.format != "json" else "auto"},
            "output": {**w.topics, "format": "json" if s.format == "json" else "input" if s.bad_share == 0 else s.format},
            "models": [{"name": "small", "model": "tiny-1", **model}, {"name": "capable", "model": "large-1", **model}],
            "engine": {"max_jobs": s.max_jobs, "shutdown_grace": f"{int(20 * s.scale)}s"},
        }
        if s.ordering != "none":
            config["input"]["ordering"] = s.ordering
        if s.instance:
            config["kafka"]["instance"] = f"{w.name}-{name}"
        if w.redis is not None:
            config["redis"] = {"url": w.redis.url, "key_prefix": w.name}
            config["cache"] = {"secret_env": "POINTSMAN_CACHE_SECRET", "near_entries": 16}
        if w.forwarder is not None:
            config["registry"] = {"url": w.forwarder.url, "timeout": "2s"}
        return config

    def limits(self):
        """A model is full soon, where it matters what happens then."""
        s = self.schedule
        if s.full == "wait":
            return {"concurrency": s.max_jobs}
        limits = {"concurrency": max(2, s.max_jobs // 5), "max_waiting": max(2, s.max_jobs // 5), "when_full": s.full}
        return {**limits, "park_topic": self.world.inputs[1]} if s.full == "park" else limits

    def set_model(self):
        median, sigma = LOADS[self.schedule.load]
        self.world.modelsim.configure(latency_ms=median * self.schedule.scale, sigma=sigma, seed=abs(self.schedule.seed))

    # ---- the verbs of the steps

    def do_kill(self, who, pause=None):
        self.crew.kill(who, pause)

    def do_term(self, who, pause=None):
        self.crew.term(who, pause)

    def do_start(self, who):
        self.crew.start(who)

    def do_arm(self, who, how, fault, pause):
        self.crew.arm(who, how, fault, pause)

    def do_stop(self, who):
        self.crew.stop(who)

    def do_cont(self, who):
        self.crew.cont(who)

    def do_broker_kill(self, node, down):
        if "broker" in self.world.away:
            return  # one at a time: two of three down is no service, and no fault of ours
        self.world.away.add("broker")
        try:
            number = self.node_number(node)
        except Exception as e:  # the brokers were just not to be asked; any will do
            self.note(f"no coordinator known: {e}")
            number = 1
        self.note(f"broker {number} is killed")
        self.outages += 1
        self.world.broker_kill(number, down, self.now)

    def node_number(self, node):
        if isinstance(node, int):
            return node
        if node == "group":
            return self.world.coordinator_of_group()
        ids = [line["transactional_id"] for line in self.crew.member(node).worker.log_lines() if "transactional_id" in line]
        mine = ids[-1] if ids else f"{self.world.name}-{self.world.name}-{node}"
        return self.world.coordinator_of_transaction(mine)

    def do_broker_freeze(self, seconds):
        if "broker" in self.world.away:
            return

        pids = self.world.place.broker_pids()

        def work():
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for pid in pids:
                    try:
                        os.kill(pid, number)
                    except ProcessLookupError:  # killed just now
                        pass
                time.sleep(seconds)

        self.world.errand(work)

    def do_burst(self, records):
        self.feeder.send(records)

    def do_redis_kill(self):
        self.world.errand(self.world.redis.kill)

    def do_redis_start(self):
        self.world.errand(self.start_redis)

    def start_redis(self):
        if not (self.world.redis.run / "pid").exists():
            self.world.redis.start()

    def do_redis_rubbish(self):
        self.world.redis_rubbish()

    def do_registry_stop(self):
        self.world.away.add("registry")
        self.world.forwarder.stop()

    def do_registry_start(self):
        if self.world.forwarder.server is None:
            self.world.forwarder.start()
        self.world.away.discard("registry")

    def do_model(self, **settings):
        try:
            self.world.modelsim.configure(**settings)
        except requests.RequestException:  # it is frozen
            self.world.errand(lambda: self.world.modelsim.configure(**settings))
        if settings.get("stall") == 1:
            self.world.away.add("model")
        elif settings.get("stall") == 0:
            self.world.away.discard("model")

    def do_model_freeze(self):
        self.world.away.add("model")
        os.kill(self.world.modelsim.process.pid, signal.SIGSTOP)

    def do_model_thaw(self):
        os.kill(self.world.modelsim.process.pid, signal.SIGCONT)
        self.world.away.discard("model")

    # ---- what comes before an act

    def do_topic_made_anew(self, alive):
        """All that was sent is done; then the topic goes and comes, under living workers or while none lives."""
        if not alive:
            self.crew.end()
        kafka, admin = self.world.kafka, self.world.kafka.admin()
        self.world.away.add("topic")
        for future in admin.delete_topics([self.world.input]).values():
            future.result(30)
        eventually(lambda: self.world.input not in admin.list_topics(timeout=10).topics, 60, "the topic is gone")
        kafka.create_topics([self.world.input], self.schedule.partitions)
        self.world.away.discard("topic")
        if alive:
            self.watch(5 * self.schedule.scale, lambda: False)
        self.start_all()

    def do_metadata_poisoned(self, how):
        """Everybody dies; when the group is empty another tool commits the same offsets with words of its own. What was finished
        above them is done again, and nothing is skipped."""
        self.feeder.send(300)
        self.watch(2 * self.schedule.scale, lambda: False)
        self.crew.end(signal.SIGKILL)
        held = eventually(self.stable, 60 * PATIENCE, "the dead workers' transactions are settled")
        eventually(lambda: self.overwrite(held, how), 60 * PATIENCE, "another tool's commit is taken")
        self.feeder.finish()
        self.redone |= {s for s in self.feeder.sent if s.partition in held and s.offset >= held[s.partition].offset}
        self.start_all()

    def stable(self):
        try:
            return self.world.committed()
        except Exception as e:
            self.note(f"offsets not stable: {e}")
            return None

    def overwrite(self, held, how):
        words = {"text": "set by a tool", "crc": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "base": "AQ" * 2000}[how]
        parts = [TopicPartition(self.world.input, p, tp.offset, metadata=words) for p, tp in held.items()]
        settings = {"bootstrap.servers": self.world.kafka.address, "group.id": self.world.name, "enable.auto.commit": False}
        consumer = Consumer(settings)
        try:
            return all(tp.error is None for tp in consumer.commit(offsets=parts, asynchronous=False))
        except Exception as e:  # the group is not empty yet
            self.note(f"commit refused: {e}")
            return False
        finally:
            consumer.close()

    # ---- watching

    def start_all(self):
        for name in self.regular:
            self.crew.start(name)

    def open_reader(self):
        self.ledger = WatchingLedger(self.world.kafka, self.world.topics, self.world.place.registry if self.world.forwarder else None)

    def outstanding(self):
        return len(self.feeder.sent) + len(self.redone) - self.ledger.final

    def watch_outputs(self):
        """Liveness: with work left, a worker that lives, and the world in order, outputs go on coming."""
        now, count = time.monotonic(), len(self.ledger.decisions)  # parking is an output, too
        excused = self.outstanding() <= 0 or self.world.away or not self.crew.someone_lives(3 * self.schedule.scale)
        if count != self.outputs or excused:
            self.outputs, self.last_output, self.renewed = count, now, False
            return
        pause = now - self.last_output
        if pause > STALL_S * PATIENCE * self.schedule.scale / 2 and not self.renewed:
            self.note(f"no output for {pause:.0f} s: is it the reader? a new one is asked")
            self.renewed = True
            self.ledger.close()
            self.open_reader()
            self.ledger.poll(2)
            return
        self.verdict.longest_pause = max(self.verdict.longest_pause, pause)
        if pause > STALL_S * PATIENCE * self.schedule.scale:
            ready = self.crew.ready_members()
            self.verdict.fail(f"no output for {pause:.0f} s with {self.outstanding()} records left; ready: {ready or 'nobody'}")
            self.last_output, self.stalled = now + 3600, True

    def watch(self, seconds, until):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self.crew.look()
            self.ledger.poll(0.05)
            self.watch_outputs()

    def play_act(self, act):
        thread = threading.Thread(target=self.feeder.run, args=(act,), daemon=True)
        begin = time.monotonic()
        thread.start()
        for step in sorted((s for f in act.faults for s in f.steps), key=lambda s: s.at):
            self.watch(begin + step.at - time.monotonic(), lambda: False)
            if step.verb != "broker_freeze":
                self.note(f"{step.verb} {step.args}")
            getattr(self, "do_" + step.verb)(**step.args)
        self.watch(begin + act.seconds - time.monotonic(), lambda: False)
        self.watch(60 * PATIENCE, lambda: not thread.is_alive())
        self.heal()
        self.feeder.finish()
        finish_s = (15 if self.schedule.bug else FINISH_S) * PATIENCE * self.schedule.scale
        self.watch(finish_s, lambda: self.is_done() or self.stalled)
        if not self.is_done():
            self.verdict.fail(f"after {finish_s:g} s in good order {self.outstanding()} records are not decided")
        elif (lag := self.lag()) != 0:
            self.verdict.fail(f"lag {lag} though all is done")

    def is_done(self):
        """Every record has its decision, some perhaps more."""
        return self.ledger.final >= len(self.feeder.sent) and self.ledger.finally_decided() >= len(self.feeder.sent)

    def lag(self):
        left = [0]

        def gone():
            left[0] = sum(self.world.kafka.lag(self.world.name, topic, self.schedule.partitions) for topic in self.world.inputs)
            return left[0] == 0

        end = time.monotonic() + 20 * PATIENCE
        while not gone() and time.monotonic() < end:
            self.watch(0.5, lambda: False)
        return left[0]

    def heal(self):
        self.note("heal")
        self.now.set()
        self.do_model_thaw()
        self.do_model(p429=0, p500=0, stall=0)
        self.set_model()
        for errand in self.world.errands:
            self.watch(300 * PATIENCE, errand.done)
            errand.result(0)
        self.world.errands.clear()
        if self.world.redis is not None:
            self.start_redis()
        if self.world.forwarder is not None:
            self.do_registry_start()
        self.world.away.clear()
        self.now.clear()
        self.crew.heal(self.regular)

    # ---- the whole

    def play(self):
        """The verdict. What the suite itself stumbles over is a failure of the seed, too."""
        v = self.verdict
        try:
            self.open_reader()
            self.start_all()
            for act in self.schedule.acts:
                if act.prologue is not None:
                    self.note(f"{act.prologue.verb} {act.prologue.args}")
                    getattr(self, "do_" + act.prologue.verb)(**act.prologue.args)
                self.play_act(act)
            self.crew.end()
            self.note("everybody has left")
            self.count_kills()
            attempts = judge(v, self.schedule, self.world, self.ledger.registry, self.feeder.sent, self.redone)
            self.count_calls(attempts)
        except Exception:
            v.fail("the suite: " + traceback.format_exc())
        finally:
            self.close()
        return v

    def count_kills(self):
        """The bound: what was dispatched and uncommitted at each kill (all of a worker's jobs at most), loss and expired drain (the
        workers say how many)."""
        v, crew = self.verdict, self.crew
        v.kills, v.fired = crew.kills, crew.fired
        late = crew.said("the last commit did not get through in time") + crew.said("consumer failed; joining anew")
        v.bound = (crew.kills + late) * self.schedule.max_jobs + crew.unfinished_at_losses() + len(self.redone)

    def count_calls(self, more_attempts):
        """more_attempts: those beyond the first that the decisions tell of. A call that timed out may have been answered, and one of
        a record that was then lost with its worker is told of by no decision."""
        v = self.verdict
        v.repeated = self.world.modelsim.stats()["dup_calls"]
        timed_out = "model half open" in v.kinds
        bound = v.bound * (ATTEMPTS if timed_out else 1) + more_attempts
        if v.repeated > bound:
            v.fail(f"{v.repeated} repeated calls, of at most {bound}")

    def close(self):
        v = self.verdict
        try:
            if any(m.worker.process is not None for m in self.crew.members.values()):
                self.crew.end(signal.SIGKILL)
            self.world.close()
            if hasattr(self, "ledger"):
                self.ledger.close()
        except Exception:
            v.fail("the suite: " + traceback.format_exc())
        v.failures += self.crew.failures + self.crew.findings()
        v.seconds = time.monotonic() - self.begin
        self.note("passed" if v.passed else "\n".join(v.failures))
        (self.folder / "verdict.json").write_text(json.dumps(v.__dict__, indent=1))
        self.story.close()


class WatchingLedger(Ledger):
    """The reader that watches while the seed is played. It shall not end for what the judge is to find."""

    final = 0  # decisions but those that a record was parked

    def _take(self, message):
        before = len(self.decisions)
        super()._take(message)
        self.final += len(self.decisions) > before and self.decisions[-1].value["outcome"] != "parked"

    def finally_decided(self):
        """Records with such a one: by id, because a record that comes back from its park topic lies elsewhere."""
        return len({d.value["request_id"] for d in self.decisions if d.value["outcome"] != "parked"})
