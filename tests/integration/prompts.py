"""Prompts for the tests. POINTSMAN_TEST_PROMPTS names a file of JSON lines with `text` to be used in their place."""

import json
import os

OPENINGS = ["Hello,", "Hi team,", "Good morning,", "Urgent:", "A question:", "Once more:"]
SUBJECTS = [
    "my printer shows error E-4012 since the update",
    "the invoice of last month has the wrong address",
    "I cannot reset my password on the phone",
    "the parcel was left with a neighbour who moved away",
    "we received a subpoena about an account",
    "explain the difference between the two contracts",
    "write a polite answer to a customer who is angry",
    "the dashboard is slow when I open it in the morning",
    "please summarise the attached minutes in five lines",
    "how do I export all rows to a spreadsheet?",
]
ENDINGS = ["Thanks!", "Please answer today.", "Regards, {}", "This is the {}. time I ask.", "Grüße aus {}", ""]


def prompts(count):
    """count prompts, all different, the same at every run."""
    path = os.environ.get("POINTSMAN_TEST_PROMPTS")
    if path:
        with open(path) as file:
            texts = list(dict.fromkeys(json.loads(line)["text"] for line in file))
        return [texts[i] if i < len(texts) else f"{texts[i % len(texts)]} ({i // len(texts)})" for i in range(count)]
    texts = []
    for i in range(count):
        ending = ENDINGS[i // 60 % len(ENDINGS)].format(i)
        texts.append(f"{OPENINGS[i % 6]} {SUBJECTS[i % 10]}. Case {i}. {ending}".strip())
    return texts
