"""WordPieces against an independent library, over texts made of all that Unicode has. Needs no services."""

import json
import os
import random
import subprocess

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from services import ROOT

VOCABULARY = ROOT / "deploy/models/vocab.txt"
COUNT = int(os.environ.get("POINTSMAN_TEST_PIECES", "100000"))
BATCH = 2000
# ranges of code points that differ in how they are normalised, split or dropped; the last one is all there is
RANGES = [
    (0, 0x20), (0x20, 0x7F), (0x7F, 0x250), (0x250, 0x300), (0x300, 0x370), (0x370, 0x600), (0x600, 0x900), (0x900, 0xE00), (0xE00, 0x1100),
    (0x1100, 0x1200), (0x1E00, 0x2070), (0x2070, 0x2C00), (0x3000, 0x3200), (0x3400, 0x3410), (0x4DF0, 0x4F00), (0x9FF0, 0xA010),
    (0xA000, 0xAC00), (0xAC00, 0xD7B0), (0xE000, 0xF900), (0xF900, 0xFB00), (0xFB00, 0xFE20), (0xFE20, 0x10000), (0x10000, 0x12000),
    (0x1D100, 0x1D800), (0x1F000, 0x1FB00), (0x1FFFE, 0x20100), (0x2A6D0, 0x2A710), (0x2F800, 0x2FA20), (0xE0000, 0xE0200),
    (0x10FF00, 0x110000), (0x10000, 0x110000),
]  # fmt: skip
MARKS = (0x300, 0x370)


def library():
    vocabulary = {line.rstrip("\n"): i for i, line in enumerate(VOCABULARY.open(encoding="utf-8"))}
    it = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100, continuing_subword_prefix="##"))
    it.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    it.pre_tokenizer = BertPreTokenizer()
    return it, [word for word in vocabulary if word.isalpha()]


def strange(chance, most):
    return "".join(chr(chance.randrange(*chance.choice(RANGES))) for _ in range(chance.randrange(1, most)))


def marked(chance, word):
    """Marks on its letters, several on one: in the order of no normal form."""
    return "".join(c + "".join(chr(chance.randrange(*MARKS)) for _ in range(chance.choice([0, 0, 1, 4]))) for c in word)


def long_word(chance, words):
    """As long as words may be, or a little longer: 100 characters is the limit, and marks do not count."""
    letters = chance.choice(["x", "é", "漢", "\u0915", chance.choice(words), chance.choice(words).upper()])
    return (letters * 110)[: chance.randrange(90, 111)] + chance.choice(["", chr(chance.randrange(*MARKS))])


def text(chance, words):
    out = []
    for _ in range(chance.randrange(20)):
        word = chance.choice(words)
        kind = chance.random()
        if kind < 0.4:
            out.append(chance.choice([word, word.upper(), word.title(), word + chance.choice(words), chance.choice(words)[::-1]]))
        elif kind < 0.7:
            out.append(strange(chance, 8))
        elif kind < 0.8:
            at = chance.randrange(len(word) + 1)
            out.append(word[:at] + strange(chance, 3) + word[at:])
        elif kind < 0.9:
            out.append(marked(chance, word))
        else:
            out.append(long_word(chance, words) if kind < 0.95 else chance.choice(["[CLS]", "[UNK]", "[sep]", "##ing", "##", "[MASK"]))
        out.append(chance.choice([" ", "", ", ", "\t", "-", "\n", "\u00a0", "\u3000", "\u2028", "\u200b"]))
    return "".join(out) if chance.random() < 0.998 else "".join(out) * 40


def test_pieces_are_those_of_the_library_that_the_table_was_made_with(tmp_path):
    it, words = library()
    chance = random.Random(11)
    texts = [text(chance, words) for _ in range(COUNT)]
    path = tmp_path / "texts"
    path.write_text("".join(json.dumps(t) + "\n" for t in texts))
    binary = ROOT / "build/unit/test_static_model"
    subprocess.run(["make", "-s", str(binary.relative_to(ROOT))], cwd=ROOT, check=True)
    printed = subprocess.run([binary], env={**os.environ, "POINTSMAN_PIECES": str(path)}, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    got = printed.stdout.decode().splitlines()
    assert len(got) == len(texts)
    for first in range(0, COUNT, BATCH):
        wanted = it.encode_batch_fast(texts[first : first + BATCH], add_special_tokens=False)
        for ours, theirs, line in zip(got[first:], wanted, texts[first:]):
            assert ours == " ".join(map(str, theirs.ids[:256])), line
