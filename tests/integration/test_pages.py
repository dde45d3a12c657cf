"""The pages that pointsman writes and serves, in a real browser: on a desk, on a phone and on paper."""

import base64
import json
import re
import subprocess

import pytest

from browser import DESK, PHONE, Browser
from offline import config
from services import eventually
from worker import BINARY

CONFIG = config(small="price: {input: 0.1, output: 0.4}", capable="price: {input: 2.5, output: 10}")
POLICY = """\
name: triage
when_unsure: careful
routes:
  - {name: billing, models: [small], examples: billing.txt}
  - {name: devices, models: [small], examples: devices.txt}
  - {name: careful, models: [capable]}
stages:
  - rules:
      - {name: lawyers, when: {keywords: [lawyer, subpoena]}, route: careful}
  - semantic: {accept: 0.45, margin: 0.02, k: 1}
  - classifier: {model: triage.pmc, accept: 0.6}
"""
BILLING = ["I was charged twice for the same invoice", "The card was declined when I paid the bill", "Refund the payment of last month, please",
           "Why is VAT missing on my invoice?", "Change the bank account that you charge"]
DEVICES = ["The router does not switch on any more", "The screen of my phone stays black", "The printer jams after two pages",
           "Firmware update failed and the device restarts", "The speaker crackles when it is loud"]
ROWS = [("My invoice lists a payment that I never made", "billing"), ("You charged my card two times", "billing"),
        ("Where do I see what I have paid?", "billing"), ("The device gets hot and switches off", "devices"),
        ("My phone does not charge", "devices"), ("The screen flickers since the firmware update", "devices"),
        ("My lawyer will write to you", "careful"), ("An invoice for a printer that jams", "careful"),
        ("<script>alert(1)</script> the printer", None), ("Who won the match?", None)]


@pytest.fixture(scope="module")
def browser():
    it = Browser()
    yield it
    it.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """(the page, the figures of the same run)"""
    folder = tmp_path_factory.mktemp("report")
    (folder / "pointsman.yaml").write_text(CONFIG)
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "billing.txt").write_text("\n".join(BILLING))
    (folder / "devices.txt").write_text("\n".join(DEVICES))
    with open(folder / "train.jsonl", "w") as out:
        for text, label in [(t, "billing") for t in BILLING] + [(t, "devices") for t in DEVICES]:
            out.write(json.dumps({"text": text, "label": label}) + "\n")
    with open(folder / "rows.jsonl", "w") as out:
        for text, label in ROWS * 3:
            out.write(json.dumps({"text": text, "label": label, "channel": "web"}) + "\n")
    subprocess.run([BINARY, "train", "train.jsonl", "-o", "triage.pmc"], cwd=folder, check=True, capture_output=True, timeout=120)
    command = [BINARY, "eval", "-c", "pointsman.yaml", "rows.jsonl", "--html", "report.html", "--slice-rows", "1", "--json"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=120)
    return folder / "report.html", json.loads(done.stdout)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_report_fits_the_window_and_fetches_nothing(browser, report, size):
    page, _ = report
    browser.open(page.as_uri(), size)
    assert browser.requested() == [page.as_uri()] and browser.complaints() == []
    assert browser.value("document.documentElement.scrollWidth") <= size[0], "only tables may scroll, within their section"
    small = browser.value("[...document.querySelectorAll('h2,p,td,li')].filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length")
    assert small == 0, "everything can be read"
    assert browser.value("document.querySelectorAll('script').length") == 0


def test_the_report_has_its_charts_and_they_say_what_the_figures_say(browser, report):
    page, figures = report
    browser.open(page.as_uri())
    titles = browser.value("[...document.querySelectorAll('h2')].map(e => e.textContent)")
    for title in ("Stages", "Confusions", "Reliability of the classifier", "Thresholds of semantic", "Thresholds of classifier",
                  "Cost and quality", "Slices", "Wrong, and sure of it", "Routes"):
        assert title in titles, titles
    drawn = browser.value("[...document.querySelectorAll('svg')].map(e => [e.getAttribute('aria-label'), e.querySelectorAll('circle,polyline').length])")
    assert len(drawn) == 4 and all(count >= 2 for _, count in drawn), drawn
    boxes = browser.value("""[...document.querySelectorAll('svg')].map(s => [...s.querySelectorAll('circle,polyline,text')].every(e => {
        const a = e.getBoundingClientRect(), b = s.getBoundingClientRect();
        return a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1 }))""")
    assert all(boxes), "nothing is drawn outside of its chart"
    semantic = {stage["stage"]: stage for stage in figures["stages"]}["semantic"]
    words = browser.value("[...document.querySelectorAll('.now title')].map(e => e.textContent)")[0]
    share, wrong = (float(x) for x in re.fullmatch(r"in force: decides ([\d.]+) %, ([\d.]+) % of them wrong", words).groups())
    reached = semantic["reached"]
    assert share == pytest.approx(100 * semantic["decided"]["hits"] / reached, abs=0.06)
    assert wrong == pytest.approx(100 * (1 - semantic["right"]["share"]), abs=0.06)
    cost = browser.value("[...document.querySelectorAll('h2')].find(e => e.textContent == 'Cost and quality').parentNode.innerText")
    share_of_safe = float(re.search(r"as it is\s+([\d.]+)", cost).group(1))
    assert 0 < share_of_safe < 100, "some rows go to the small model, which is cheaper"


def test_a_wrong_row_is_shown_with_the_examples_that_pulled_it(browser, report):
    page, _ = report
    browser.open(page.as_uri())
    rows = browser.value("[...document.querySelectorAll('li')].map(e => e.innerText)")
    (row,) = {r for r in rows if r.startswith("An invoice for a printer that jams") and "line 8," in r}
    assert "The printer jams after two pages" in row and "devices.txt:3" in row, row
    assert any("<script>alert(1)</script>" in r for r in rows), "a hostile text is text"


def test_the_report_can_be_printed(browser, report):
    page, _ = report
    browser.open(page.as_uri())
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("[...document.querySelectorAll('.scroll')].every(e => getComputedStyle(e).overflowX == 'visible')")
    browser.call("Emulation.setEmulatedMedia", media="")
    paper = base64.b64decode(browser.print_to_pdf())
    assert paper.startswith(b"%PDF") and b"%%EOF" in paper[-16:]


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_admin_page_is_alive(browser, deployment, size):
    worker = deployment.worker().start()
    deployment.send_prompts(50)
    deployment.ledger().wait(50, timeout=60)
    browser.open(worker.admin + "/", size)
    eventually(lambda: "50" in browser.value("document.body.innerText"), 30, "the page shows what was done")
    assert browser.value("document.documentElement.scrollWidth") <= size[0]
    assert all(url.startswith(worker.admin) for url in browser.requested()) and browser.complaints() == []
