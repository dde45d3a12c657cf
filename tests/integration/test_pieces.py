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
COUNT = int(os.environ.get("POINTSMAN_TEST_PIECES", "20000"))
# ranges of code points that differ in how they are normalised, split or dropped
RANGES = [
    (0, 0x20), (0x20, 0x7F), (0x80, 0x250), (0x300, 0x370), (0x370, 0x600), (0x900, 0xE00), (0x1100, 0x1200), (0x1E00, 0x2070),
    (0x2070, 0x2C00), (0x3000, 0x3200), (0x4E00, 0x4F00), (0xA000, 0xAC00), (0xAC00, 0xAD00), (0xE000, 0x10000), (0x10000, 0x12000),
    (0x1D100, 0x1F700), (0x20000, 0x20100), (0xE0000, 0xE0200),
]  # fmt: skip


def library():
    vocabulary = {line.rstrip("\n"): i for i, line in enumerate(VOCABULARY.open(encoding="utf-8"))}
    it = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100, continuing_subword_prefix="##"))
    it.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    it.pre_tokenizer = BertPreTokenizer()
    return it, [word for word in vocabulary if word.isalpha()]


def text(chance, words):
    out = []
    for _ in range(chance.randrange(20)):
        word = chance.choice(words)
        kind = chance.random()
        if kind < 0.5:
            out.append(chance.choice([word, word.upper(), word.title(), word + chance.choice(words)]))
        elif kind < 0.8:
            out.append("".join(chr(chance.randrange(*chance.choice(RANGES))) for _ in range(chance.randrange(1, 8))))
        elif kind < 0.9:
            out.append(word + chr(chance.randrange(0x300, 0x370)))
        else:
            out.append("x" * chance.randrange(90, 110))
        out.append(chance.choice([" ", "", ", ", "\t", "-"]))
    return "".join(out)


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
    for ours, line in zip(got, texts):
        assert ours.split() == [str(i) for i in it.encode(line, add_special_tokens=False).ids[:256]], line
