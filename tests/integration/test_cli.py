"""The command line without a broker: messages, exit codes, and what the program says of itself."""

import json
import re
import socket
import subprocess

import pytest

from services import eventually
from worker import BINARY, POLICY, Worker

COMMANDS = ["run", "check-config", "explain", "eval", "topics", "demo", "config", "version"]
GOOD = """\
kafka:
  brokers: localhost:9092
  group: g
input: {topics: [tickets]}
output: {responses: r, decisions: d, dead_letters: x}
models:
  - name: small
    provider: openai
    base_url: http://localhost:8000/v1
    model: m
    price: free
policy: policy.yaml
"""
SMALL_POLICY = """\
name: p
when_unsure: only
routes:
  - {name: only, models: [small]}
stages:
  - rules:
      - {name: printers, when: {keywords: [printer]}, route: only}
"""


def pointsman(*arguments, **more):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **more)


@pytest.fixture
def files(tmp_path):
    """Writes configuration and policy; returns the path of the first."""

    def write(config=GOOD, policy=SMALL_POLICY):
        (tmp_path / "policy.yaml").write_text(policy)
        path = tmp_path / "pointsman.yaml"
        path.write_text(config)
        return path

    return write


def test_a_good_configuration_is_accepted(files):
    done = pointsman("check-config", "-c", files())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "line, bad, words",
    [
        ("  group: g", "  gruop: g", ["gruop", 'did you mean "group"']),
        ("    price: free", "", ["price"]),
        ("    provider: openai", "    provider: opnai", ["opnai", "openai"]),
        ("    model: m", "    model: m\n    model: n", ["model"]),
    ],
    ids=["unknown key", "missing price", "unknown word", "key twice"],
)
def test_a_mistake_is_shown_where_it_is_with_a_caret(files, line, bad, words):
    done = pointsman("check-config", "-c", files(config=GOOD.replace(line, bad)))
    assert done.returncode == 3
    for word in words:
        assert word in done.stderr
    assert re.search(r"pointsman\.yaml:\d+:\d+: ", done.stderr), done.stderr
    assert "^" in done.stderr


def test_a_policy_that_is_not_there_is_named(files):
    done = pointsman("check-config", "-c", files(config=GOOD.replace("policy.yaml", "nowhere.yaml")))
    assert done.returncode == 3
    assert "nowhere.yaml" in done.stderr and "No such file" in done.stderr


@pytest.mark.parametrize(
    "good, bad, words",
    [
        ("route: only}", "route: onyl}", ["onyl", 'did you mean "only"']),
        ("models: [small]", "models: [smal]", ["smal", "small"]),
        ("when_unsure: only", "when_unsure: nobody", ["nobody"]),
        ("keywords: [printer]", "keyword: [printer]", ["keyword", "keywords"]),
    ],
    ids=["route", "model", "when_unsure", "condition"],
)
def test_a_dangling_reference_in_the_policy_is_shown_where_it_is(files, good, bad, words):
    done = pointsman("check-config", "-c", files(policy=SMALL_POLICY.replace(good, bad)))
    assert done.returncode == 3
    assert re.search(r"policy\.yaml:\d+:\d+: ", done.stderr), done.stderr
    for word in words:
        assert word in done.stderr


def test_a_secret_is_never_printed(files):
    config = GOOD.replace("    model: m\n", "    model: m\n    api_key_env: MODEL_KEY\n") + "unknown_key: 1\n"
    import os

    done = pointsman("check-config", "-c", files(config=config), env={**os.environ, "MODEL_KEY": "sk-very-secret"})
    assert "sk-very-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command):
    done = pointsman(command, "--help")
    assert done.returncode == 0
    assert f"usage: pointsman {command}" in done.stdout
    assert "example:" in done.stdout.lower()


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["run"], ["run", "--nonsense"], ["explain"]])
def test_wrong_usage_ends_with_2_and_points_to_help(arguments):
    done = pointsman(*arguments)
    assert done.returncode == 2
    assert "help" in done.stderr and done.stdout == ""


def test_a_configuration_that_is_not_there_ends_with_3(tmp_path):
    done = pointsman("run", "-c", tmp_path / "nowhere.yaml")
    assert done.returncode == 3
    assert "nowhere.yaml" in done.stderr


def test_the_schema_is_json_and_knows_every_section():
    schema = json.loads(pointsman("config", "--schema").stdout)
    assert {"kafka", "input", "output", "models", "policy"} <= set(schema["properties"])
    assert schema["$schema"].endswith("2020-12/schema")


def test_the_example_and_the_reference_speak_of_the_same_keys():
    example, reference = pointsman("config", "--example").stdout, pointsman("config", "--reference").stdout
    for key in ("brokers", "shutdown_grace", "max_answer_bytes", "schema_missing_after"):
        assert key in example and key in reference


def test_explain_tells_the_rule_the_route_and_the_models(files):
    done = pointsman("explain", "-c", files(), "My printer is on fire")
    assert done.returncode == 0, done.stderr
    for word in ("only", "printers", "printer", "small"):
        assert word in done.stdout
    answer = json.loads(pointsman("explain", "-c", files(), "--json", "My printer is on fire").stdout)
    assert answer["route"] == "only"
    unsure = json.loads(pointsman("explain", "-c", files(), "--json", "nothing of the kind").stdout)
    assert unsure["unsure"] is True


GUARDS = """\
guards:
  - {name: cards, when: {pii: card}, not_models: [small]}
  - {name: closed, when: {tenant: initech}, reject: true}
"""


def test_explain_shows_the_guards_and_check_config_warns_of_those_that_empty_a_route(files):
    two = GOOD.replace("policy:", "  - {name: other, provider: openai, base_url: 'http://localhost:8001/v1', price: free}\npolicy:")
    config = files(config=two, policy=SMALL_POLICY + GUARDS)
    done = pointsman("explain", "-c", config, "My printer ate 4024 0056 8359 0486")
    assert done.returncode == 0, done.stderr
    assert "guard        cards: card in message 1 of 1; small may not see it" in done.stdout
    assert "none: the record would be rejected" in done.stdout and "8359" not in done.stdout
    answer = json.loads(pointsman("explain", "-c", config, "--json", "My printer ate 4024 0056 8359 0486").stdout)
    assert answer["models"] == [] and answer["guards"][0]["name"] == "cards" and "guards leave no model" in answer["reason"]
    closed = pointsman("explain", "-c", config, "--tenant", "initech", "My printer")
    assert closed.returncode == 0 and "rejected     guard closed: tenant initech; rejected" in closed.stdout
    answer = json.loads(pointsman("explain", "-c", config, "--json", "--tenant", "initech", "My printer").stdout)
    assert answer["outcome"] == "guard" and answer["guards"] == [{"name": "closed", "effect": "tenant initech; rejected"}]
    done = pointsman("check-config", "-c", config)
    assert done.returncode == 0, done.stderr
    assert "guard cards leaves route only no model" in done.stdout + done.stderr
    done = pointsman("check-config", "-c", files(config=two, policy=SMALL_POLICY + GUARDS.replace("pii: card", "pii: crad")))
    assert done.returncode == 3 and 'did you mean "card"?' in done.stderr


def test_explain_needs_no_secret_and_check_config_says_which_is_missing(files):
    secrets = "redis: {url: 'redis://localhost', password_file: nowhere}\ncache: {secret_env: NOT_SET_ANYWHERE}\n"
    config = files(config=GOOD.replace("    model: m\n", "    api_key_env: NOT_SET_EITHER\n") + secrets)
    done = pointsman("explain", "-c", config, "My printer is on fire")
    assert done.returncode == 0, done.stderr
    done = pointsman("check-config", "-c", config)
    assert done.returncode == 3
    assert "nowhere" in done.stderr or "NOT_SET" in done.stderr


def test_explain_takes_a_prompt_from_standard_input_and_refuses_what_is_not_text(files):
    for arguments, given, code in [
        (["-"], b"My printer is on fire", 0),
        (["-"], b"My printer \xff", 2),
        (["-a", b"product=\xff", "printer"], b"", 2),
        (["--tenant", b"\xff", "printer"], b"", 2),
        (["-"], b"", 0),
    ]:
        done = subprocess.run([BINARY, "explain", "--json", "-c", files(), *arguments], input=given, capture_output=True, timeout=60)
        assert done.returncode == code, done.stderr
        if code == 0:
            assert json.loads(done.stdout)["route"] == "only"


@pytest.mark.parametrize("arguments", [["version", "more"], ["config", "--example", "more"]])
def test_a_word_too_many_is_said(arguments):
    done = pointsman(*arguments)
    assert done.returncode == 2 and '"more"' in done.stderr


def test_output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "config", "--reference"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "standard output" in done.stderr


def test_a_demo_of_one_record_and_one_without_its_files(tmp_path):
    done = pointsman("demo", "--records", "1")
    assert done.returncode == 0, done.stderr
    assert "1 records, 1 responses" in done.stdout
    done = pointsman("demo", "--data", tmp_path / "nowhere")
    assert done.returncode == 2 and "nowhere" in done.stderr


def test_a_worker_that_waits_for_its_brokers_can_be_watched_and_ended(tmp_path):
    config = {
        "kafka": {"brokers": "127.0.0.1:1"},
        "models": [{"name": name, "base_url": "http://127.0.0.1:1/v1", "price": "free"} for name in ("small", "capable")],
    }
    worker = Worker(tmp_path, config).start(ready=False)
    try:
        eventually(lambda: worker.get("/healthz")[0] == 200, 20, "the admin pages answer")
        assert worker.get("/readyz")[0] == 503
        assert worker.status()["ready_reason"] == "starting"
        assert worker.stop(timeout=10) == 0  # the start itself asks for half a minute
        assert "while it was starting" in worker.log_text()
    finally:
        if worker.is_alive():
            worker.kill()


def test_a_taken_admin_port_is_said_at_once(files):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = GOOD.replace("localhost:9092", "127.0.0.1:1") + f"admin: {{listen: '127.0.0.1:{taken.getsockname()[1]}'}}\n"
        done = pointsman("run", "-c", files(config=config))
    assert done.returncode == 1
    assert "another process has the port" in done.stderr and "librdkafka" not in done.stderr


def test_version_is_one_line():
    assert re.fullmatch(r"pointsman \d+\.\d+\.\d+\S*\n.*", pointsman("version").stdout, re.DOTALL)


def test_demo_counts_what_it_promises():
    done = pointsman("demo", "--json", "--records", "300")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["records"] == told["responses"] == told["decisions"] == 300
    assert {"dead_letters", "routes", "cost_usd", "baseline_cost_usd", "cache"} <= told.keys()


def test_the_policy_of_these_tests_is_one_that_the_program_accepts(files):
    policy = json.dumps(POLICY)
    config = GOOD + "  \n"
    config = config.replace("models:\n", "models:\n  - {name: capable, provider: openai, base_url: 'http://localhost:1/v1', model: c, price: free}\n")
    done = pointsman("check-config", "-c", files(config=config, policy=policy))
    assert done.returncode == 0, done.stderr
