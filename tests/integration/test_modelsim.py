"""The simulated model server itself: other tests believe its counts, so these must be right."""

import concurrent.futures
import socket
import subprocess
import threading
import time

import pytest
import requests

from services import ModelSim


def ask(sim, text="hello", model="small", headers=None, path="/chat/completions", **members):
    body = {"model": model, "messages": [{"role": "user", "content": text}], **members}
    if path == "/embeddings":
        body = {"model": model, "input": text, **members}
    return requests.post(sim.base_url + path, json=body, headers=headers or {}, timeout=30)


def text_of(answer):
    return answer.json()["choices"][0]["message"]["content"]


def test_the_same_question_gets_the_same_answer_and_another_model_another_one(modelsim):
    first, again = ask(modelsim, "where is my parcel"), ask(modelsim, "where is my parcel")
    assert first.status_code == 200 and text_of(first) == text_of(again)
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert len({text_of(ask(modelsim, "where is my parcel", model=f"m{i}")) for i in range(20)}) > 5


def test_usage_is_about_a_token_for_four_characters(modelsim):
    usage = ask(modelsim, "x" * 400).json()["usage"]
    assert usage["prompt_tokens"] == 100
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_max_tokens_cuts_the_answer_and_says_so(modelsim):
    choice = ask(modelsim, max_tokens=5).json()["choices"][0]
    assert choice["finish_reason"] == "length" and len(choice["message"]["content"]) == 20


def test_a_key_answered_twice_is_counted_and_a_failed_call_is_not(modelsim):
    ask(modelsim, headers={"Idempotency-Key": "a", "x-sim-status": "500"})
    ask(modelsim, headers={"Idempotency-Key": "a", "x-sim-garbage": "1"})
    ask(modelsim, headers={"Idempotency-Key": "a"})
    assert modelsim.stats()["dup_calls"] == 0
    ask(modelsim, headers={"Idempotency-Key": "a", "x-record-id": "r"})
    ask(modelsim, headers={"Idempotency-Key": "b", "x-record-id": "r"})
    stats = modelsim.stats()
    assert (stats["dup_calls"], stats["distinct"]) == (1, 2)
    assert (stats["dup_record_calls"], stats["distinct_records"]) == (1, 1)
    assert stats["by_status"] == {"200": 4, "500": 1} and stats["calls"] == 5


def test_counts_are_exact_for_many_keys(modelsim):
    session = requests.Session()
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    for i in range(3000):
        session.post(modelsim.base_url + "/chat/completions", json=body, headers={"Idempotency-Key": f"k{i % 2500}"}, timeout=30)
    stats = modelsim.stats()
    assert (stats["calls"], stats["distinct"], stats["dup_calls"]) == (3000, 2500, 500)


@pytest.mark.parametrize(
    "headers, status, header",
    [
        ({"x-sim-status": "503"}, 503, None),
        ({"x-sim-status": "429", "x-sim-retry-after": "7"}, 429, ("Retry-After", "7")),
        ({"x-sim-status": "nonsense"}, 200, None),
    ],
)
def test_headers_choose_the_status(modelsim, headers, status, header):
    answer = ask(modelsim, headers=headers)
    assert answer.status_code == status
    if header:
        assert answer.headers[header[0]] == header[1]


def test_a_reset_connection_and_an_answer_of_a_chosen_size(modelsim):
    with pytest.raises(requests.ConnectionError):
        ask(modelsim, headers={"x-sim-reset": "1"})
    assert len(text_of(ask(modelsim, headers={"x-sim-bytes": "2000000"}))) == 2_000_000
    assert "usage" not in ask(modelsim, headers={"x-sim-no-usage": "1"}).json()


def test_shares_of_errors_are_about_as_asked(modelsim):
    modelsim.configure(p429=0.3, p500=0.2, seed=7)
    session = requests.Session()
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    codes = [session.post(modelsim.base_url + "/chat/completions", json=body, timeout=30).status_code for _ in range(1000)]
    assert 230 < codes.count(429) < 370 and 140 < codes.count(500) < 260


def test_a_stalled_server_accepts_and_answers_when_it_is_let_go(modelsim):
    modelsim.configure(stall=1)
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(ask, modelsim) for _ in range(5)]
        while modelsim.stats()["in_flight"] < 5:
            time.sleep(0.01)
        assert not any(call.done() for call in calls)
        modelsim.configure(stall=0)
        assert [call.result().status_code for call in calls] == [200] * 5
    assert modelsim.stats()["in_flight"] == 0


def test_calls_wait_side_by_side(modelsim):
    modelsim.configure(latency_ms=300, sigma=0.1)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda _: ask(modelsim), range(40)))
    assert modelsim.stats()["max_in_flight"] > 1


def test_vectors_have_length_one_and_texts_that_share_words_are_nearer(modelsim):
    def vectors(*texts):
        data = ask(modelsim, list(texts), path="/embeddings", dimensions=64).json()["data"]
        return [item["embedding"] for item in data]

    parcel, parcel_too, dog = vectors("my parcel is late", "is my parcel lost", "a dog barks loudly")
    assert all(abs(sum(x * x for x in v) - 1) < 1e-4 and len(v) == 64 for v in (parcel, parcel_too, dog))
    near, far = (sum(a * b for a, b in zip(parcel, other)) for other in (parcel_too, dog))
    assert near > far + 0.2
    assert vectors("my parcel is late")[0] == parcel


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"model":1,"messages":[{"role":"user","content":"x"}]}', b'{"model":"m","messages":[]}',
     b'{"model":"m","messages":[{"content":"x"}]}', b'{"model":"m","messages":[{"role":"user","content":7}]}',
     b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', b'{"model":"m","messages":[{"role":"user","content":"x"}]} x'],
)
def test_a_malformed_request_is_refused(modelsim, body):
    answer = requests.post(modelsim.base_url + "/chat/completions", data=body, timeout=30)
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"


def test_unknown_paths_settings_and_options_are_refused(modelsim):
    root = modelsim.base_url[: -len("/v1")]
    assert requests.get(root + "/v1/chat/completions", timeout=30).status_code == 404
    assert requests.post(root + "/config?latency=5", timeout=30).status_code == 400
    assert requests.post(root + "/config?p429=2", timeout=30).status_code == 400
    binary = modelsim.process.args[0]
    assert subprocess.run([binary, "--port", "x"], capture_output=True, timeout=30).returncode == 2
    assert b"usage:" in subprocess.run([binary, "--help"], capture_output=True, timeout=30).stdout


def test_a_taken_port_is_said(modelsim):
    done = subprocess.run([modelsim.process.args[0], "--port", str(modelsim.port)], capture_output=True, timeout=30)
    assert done.returncode == 1 and b"cannot listen" in done.stderr


def test_it_ends_cleanly_with_calls_waiting_and_clients_gone(tmp_path):
    sim = ModelSim(tmp_path, "--latency-ms", "60000")
    impatient = socket.create_connection(("127.0.0.1", sim.port))
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'
    impatient.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    patient = threading.Thread(target=lambda: pytest.raises(requests.ConnectionError, ask, sim))
    patient.start()
    while sim.stats()["in_flight"] < 2:
        time.sleep(0.01)
    impatient.close()
    sim.stop()
    patient.join()
    assert sim.process.returncode == 0
