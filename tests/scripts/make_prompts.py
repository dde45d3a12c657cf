"""make_prompts.py COUNT [SEED]: prompts as JSON Lines, made of all texts of the recipes and of tests/golden, and of all that Unicode has.

For same_bits.sh. A row keeps the attributes of the one that it was made of. The same count and seed give the same rows.
"""

import json
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "deploy/recipes").glob("*/data/*.jsonl")) + sorted((ROOT / "tests/golden/library").glob("*.jsonl"))
LABELS = {"id", "text", "label", "note", "difficulty", "lang", "weak", "strong"}
# ranges of code points that are folded, normalised, split or dropped in different ways; surrogates are none of them
RANGES = [
    (0, 0x20), (0x20, 0x7F), (0x7F, 0xA0), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x600, 0x700), (0x900, 0xE00), (0x1100, 0x1200),
    (0x1E00, 0x2000), (0x2000, 0x2070), (0x2070, 0x2C00), (0x3000, 0x3200), (0x4E00, 0x9FFF), (0xA000, 0xAC00), (0xAC00, 0xD7A4),
    (0xE000, 0xF900), (0xF900, 0xFB00), (0xFB00, 0xFE00), (0xFE00, 0xFFFE), (0x10000, 0x12000), (0x1D100, 0x1D800), (0x1F300, 0x1FAFF),
    (0x20000, 0x20100), (0xE0000, 0xE0200), (0x10FF00, 0x110000),
]  # fmt: skip
MOST = 2500  # characters of what is cut out of a document; a few stay whole


def rows():
    for path in FILES:
        with open(path, encoding="utf-8", newline="\n") as lines:
            for row in map(json.loads, lines):
                yield row["text"], {k: v for k, v in row.items() if k not in LABELS}


def strange(chance, most):
    return "".join(chr(chance.randrange(*chance.choice(RANGES))) for _ in range(chance.randrange(1, most)))


def piece(chance, text):
    if len(text) <= MOST:
        return text
    at = chance.randrange(len(text) - MOST)
    return text[at : at + chance.randrange(20, MOST)]


def typos(chance, text):
    letters = list(text)
    for _ in range(1 + len(letters) // 20):
        at = chance.randrange(len(letters))
        letters[at : at + 2] = reversed(letters[at : at + 2])
        if chance.random() < 0.3:
            letters[at] = chance.choice(["", letters[at] * 2, "e", " "])
    return "".join(letters)


def shuffled(chance, text):
    words = text.split()
    chance.shuffle(words)
    return " ".join(words[: chance.randrange(1, 60)])


def riddled(chance, text):
    """Strange characters somewhere in it: marks on letters, joiners, controls, other scripts."""
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + strange(chance, 4) + text[at:]
    return text


def varied(chance, text, other):
    kind = chance.randrange(12)
    if kind < 3:
        return text
    if kind == 3:
        return chance.choice([text.upper(), text.lower(), text.title(), text.swapcase()])
    if kind == 4:
        return typos(chance, text)
    if kind == 5:
        return shuffled(chance, text)
    if kind == 6:
        return chance.choice(["\n\n", " ", ". "]).join([text[: chance.randrange(400)], other[: chance.randrange(400)]])
    if kind == 7:
        return chance.choice(["hello, ", "```\n", "> "]) + text + chance.choice([" thank you so much!", "\n```", "?" * 30, " 42 1,000.5"])
    if kind == 8:
        return "".join(c for c in text if c.isalpha() or c == " ")
    if kind < 11:
        return riddled(chance, text)
    return chance.choice([strange(chance, 200), strange(chance, 8), chance.choice("aé漢🙂") * chance.randrange(1, 400)])


def main(count, seed="1"):
    chance, known = random.Random(int(seed)), list(rows())
    for i in range(int(count)):
        text, attributes = known[i % len(known)] if i % 50 == 0 else chance.choice(known)
        if i % 50:
            text = varied(chance, piece(chance, text), piece(chance, chance.choice(known)[0]))
        print(json.dumps({"id": f"p-{i}", "text": text if text.strip() else "?", "label": None, **attributes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
