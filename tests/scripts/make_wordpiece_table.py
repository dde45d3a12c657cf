#!/usr/bin/env python3
"""make_wordpiece_table.py: writes worker/route/wordpiece_table.inc: what BERT's normaliser makes of each code point.

The table is asked from the tokenizers library, by which the static model's table was made: its Unicode data are of several
versions, so no version of Python's own would agree everywhere. Run it in an environment that has that package.
"""

import pathlib
import sys

import tokenizers
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

SAME, DROP, SPACE, ALONE, HANGUL, POOL = 0, 1, 2, 3, 4, 5
SHIFT = 7
OUT = pathlib.Path(__file__).resolve().parents[2] / "worker/route/wordpiece_table.inc"

normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
pre_tokenizer = BertPreTokenizer()


def stands_alone(char):
    return len(pre_tokenizer.pre_tokenize_str("a" + char + "b")) == 3


def entry_of(code, pool, places):
    """The number in the table. pool: bytes; an entry there is its length, with 0x80 where it stands alone, and UTF-8."""
    if 0xD800 <= code < 0xE000:
        return DROP
    if 0xAC00 <= code < 0xD7A4:
        return HANGUL
    char = chr(code)
    to = normalizer.normalize_str(char)
    ideograph = len(to) == 3 and to[0] == to[2] == " "
    if ideograph:
        to = to[1]
    if to == "":
        return DROP
    if to == " ":
        return SPACE
    alone = ideograph or stands_alone(to[0])
    assert ideograph or all(stands_alone(c) == alone for c in to), hex(code)
    assert not alone or len(to) == 1, hex(code)
    if to == char:
        return ALONE if alone else SAME
    spelled = bytes([len(to.encode()) | (0x80 if alone else 0)]) + to.encode()
    if spelled not in places:
        places[spelled] = POOL + len(pool)
        pool += spelled
    return places[spelled]


def rows(numbers, form="%d"):
    for at in range(0, len(numbers), 24):
        yield "\t" + ",".join(form % n for n in numbers[at : at + 24]) + ",\n"


def main():
    pool, places, blocks, numbers = bytearray(), {}, [], []
    known = {}
    for first in range(0, 0x110000, 1 << SHIFT):
        block = tuple(entry_of(code, pool, places) for code in range(first, first + (1 << SHIFT)))
        if block not in known:
            known[block] = len(blocks)
            blocks.append(block)
        numbers.append(known[block])
    assert len(blocks) < 256 and POOL + len(pool) < 65536
    while len(numbers) > 1 and numbers[-1] == numbers[-2]:  # the last stands for all above
        numbers.pop()
    with open(OUT, "w") as out:
        out.write(f"/* wordpiece_table.inc: written by tests/scripts/make_wordpiece_table.py with tokenizers {tokenizers.__version__}. */\n")
        out.write(f"enum {{ TABLE_BLOCKS = {len(numbers)} }};\n")
        out.write("static const uint8_t table_block[TABLE_BLOCKS] = {\n")
        out.writelines(rows(numbers))
        out.write(f"}};\nstatic const uint16_t table_entry[{len(blocks)} << {SHIFT}] = {{\n")
        out.writelines(rows([n for block in blocks for n in block]))
        out.write("};\n/* Length (0x80: stands alone) and spelling, one after the other. */\nstatic const uint8_t table_pool[] = {\n")
        out.writelines(rows(list(pool)))
        out.write("};\n")
    print(f"{OUT.name}: {len(numbers)} blocks, {len(blocks)} kinds, {len(pool)} bytes of spellings", file=sys.stderr)


main()
