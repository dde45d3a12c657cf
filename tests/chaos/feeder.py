"""Sends the records of a seed, spread over the time of its act, and remembers where each lies.

The producer is idempotent: a broker's death makes no record twice here, so whatever is twice at the end is the worker's doing.
"""

import threading
import time

from confluent_kafka import Consumer, TopicPartition

from judge import Source
from prompts import prompts


class Feeder:
    def __init__(self, world, schedule, chance):
        self.world, self.schedule, self.chance = world, schedule, chance
        self.producer = world.kafka.producer(**{"enable.idempotence": True, "message.max.bytes": 1_000_000, "log_level": 2})
        self.texts = prompts(sum(act.records for act in schedule.acts) + 2000)
        self.count, self.sent, self.failed = 0, [], []
        self.lock = threading.Lock()

    def _one(self, share):
        number = self.count
        self.count += 1
        bad = self.chance.random() < self.schedule.bad_share
        record_id = f"{'bad' if bad else 'r'}-{number}"
        value = b"\x07 not a record" if bad else self.world.encode(number, record_id, self.texts[number % len(self.texts)], share)
        key = f"k{self.chance.randrange(self.schedule.keys)}" if self.schedule.keys else f"key-{number}"

        def delivered(error, message):
            if error is not None:
                self.failed.append(str(error))
            else:
                self.sent.append(Source(record_id, message.partition(), message.offset()))

        while True:
            try:
                self.producer.produce(self.world.input, value=value, key=key.encode(), headers={"id": record_id}, on_delivery=delivered)
                return
            except BufferError:
                self.producer.poll(0.1)

    def send(self, records, share=1.0):
        with self.lock:
            for _ in range(records):
                self._one(share)
            self.producer.poll(0)

    def run(self, act):
        """A third at once, so that there is a backlog; the rest evenly over nine tenths of the time. In a thread of its own."""
        first = act.records // 3
        self.send(first, 0.0)
        begin, left = time.monotonic(), act.records - first
        for i in range(left):
            due = begin + (i + 1) / left * act.seconds * 0.9
            time.sleep(max(0.0, due - time.monotonic()))
            self.send(1, i / left)

    def finish(self):
        with self.lock:
            left = self.producer.flush(120)
        self.sent = self._with_offsets(self.sent)
        assert left == 0 and not self.failed, f"{left} records could not be sent; {self.failed[:3]}"

    def _with_offsets(self, sent):
        """A record whose acknowledgement was lost with a broker is known to be there, but not where: it is looked for."""
        unknown = {s.id for s in sent if s.offset is None}
        if not unknown:
            return sent
        found = []
        consumer = Consumer({"bootstrap.servers": self.world.kafka.address, "group.id": self.world.name + "-feeder", "enable.auto.commit": False})
        try:
            consumer.assign([TopicPartition(self.world.input, p, 0) for p in range(self.schedule.partitions)])
            end = time.monotonic() + 60
            while len(found) < len(unknown) and time.monotonic() < end:
                for m in consumer.consume(1000, 0.5):
                    record_id = m.error() is None and dict(m.headers() or []).get("id", b"").decode()
                    if record_id in unknown:
                        found.append(Source(record_id, m.partition(), m.offset()))
        finally:
            consumer.close()
        return [s for s in sent if s.offset is not None] + found
