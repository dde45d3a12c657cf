"""A call into the Kafka client that never returns (librdkafka issue 5456: offsets sent to a transaction, whatever the timeout)."""

from services import eventually


def test_a_hang_in_the_middle_of_the_work_ends_the_process_with_the_reason(deployment, modelsim):
    """The bound is twice the transaction's timeout and 30 s: 32 s here."""
    modelsim.configure(latency_ms=20)
    deployment.configure(kafka={"transaction_timeout": "1s"}, commit={"max_records": 20})
    sent = deployment.send_prompts(200)
    worker = deployment.worker(env={"POINTSMAN_FAULT": "inside_send_offsets:3:hang=600000"}).start()
    eventually(lambda: not worker.is_alive(), 120, "the watchdog ends the process")
    assert worker.process.returncode == 1
    assert worker.log_has("cannot go on", "librdkafka issue 5456")
    assert worker.log_has("a call into the Kafka client does not come back")
    ledger = deployment.ledger()
    ledger.poll(1)
    assert len(ledger.sources()) < 200, "it hung in the middle of the work"
    del worker.env["POINTSMAN_FAULT"]
    worker.start()
    ledger.wait(200, timeout=60)
    ledger.assert_exactly_once(sent)
    assert worker.stop() == 0


def test_a_hang_at_the_start_is_given_up_and_another_producer_works(deployment, modelsim):
    sent = deployment.send_prompts(50)
    worker = deployment.worker(env={"POINTSMAN_FAULT": "inside_probe:1:hang=600000"}).start(timeout=120)
    assert worker.log_has("probe of the broker hangs; tried with another producer", "has not answered for 20 s")
    ledger = deployment.ledger().wait(50, timeout=60)
    ledger.assert_exactly_once(sent)
    assert worker.stop() == 0
