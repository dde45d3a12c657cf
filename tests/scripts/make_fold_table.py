#!/usr/bin/env python3
"""Writes fold_table.inc: how fold.c maps one code point, and which code points are word characters.

Run from the repository's root:  python3 tests/scripts/make_fold_table.py > worker/route/fold_table.inc
The source is Python's unicodedata (compatibility decomposition, case folding, general categories).
"""
import sys
import unicodedata

LAST = 0x1FFFF
BLOCK = 128
SAME, DROP, SPACE = 0, 1, 2
# Letters that have no decomposition but that people type without the stroke or as two letters.
EXTRA = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ŀ": "l",
         "‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‐": "-", "‑": "-", "‒": "-", "–": "-",
         "—": "-", "―": "-", "−": "-", "⁄": "/"}
# Marks that are optional in writing. Vowel signs of Indic scripts and the voicing marks of kana are not: they are letters.
MARKS = [(0x300, 0x36F), (0x483, 0x487), (0x591, 0x5BD), (0x5BF, 0x5BF), (0x5C1, 0x5C2), (0x5C4, 0x5C5), (0x5C7, 0x5C7),
         (0x610, 0x61A), (0x64B, 0x65F), (0x670, 0x670), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF),
         (0xFE00, 0xFE0F), (0xFE20, 0xFE2F)]
# Left as they are: Hangul (composed is the usual form), kana, compatibility ideographs, Arabic presentation ligatures.
KEEP = [(0x1100, 0x11FF), (0x3040, 0x30FF), (0x3130, 0x33FF), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF),
        (0xFB50, 0xFDFF), (0xFE70, 0xFEFE), (0x1F100, 0x1F2FF)]
# Written without spaces, or with endings glued on (Hangul): a neighbour of these scripts is no hindrance to a keyword.
UNSPACED = [(0x0E00, 0x0EFF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x2E80, 0x2FDF),
            (0x3005, 0x3007), (0x3021, 0x33FF), (0x3400, 0x9FFF), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF),
            (0xFF66, 0xFFDC), (0x1B000, 0x1B16F), (0x20000, 0x3FFFF)]


def within(cp, ranges):
    return any(a <= cp <= b for a, b in ranges)


def fold(cp):
    """SAME, DROP, SPACE or the folded text."""
    ch = chr(cp)
    if 0xD800 <= cp <= 0xDFFF or within(cp, KEEP):
        return SAME
    category = unicodedata.category(ch)
    if ch in "\t\n\v\f\r" or category in ("Zs", "Zl", "Zp") or cp == 0x85:
        return SPACE
    if category == "Cf" or within(cp, MARKS):
        return DROP
    text = unicodedata.normalize("NFKD", ch).casefold()
    text = unicodedata.normalize("NFKD", text)
    out = ""
    for c in text:
        if not within(ord(c), MARKS):
            out += EXTRA.get(c, c)
    if not out or out.isspace() or out[0] == " ":  # spacing accents decompose to a space and the accent
        return SAME
    if len(out.encode()) > 3 * len(ch.encode()):  # a bound for the caller's buffer
        return SAME
    return SAME if out == ch else out


def word(cp):
    return unicodedata.category(chr(cp))[0] in "LNM" and not within(cp, UNSPACED)


def rows(values, per_line):
    for i in range(0, len(values), per_line):
        print("\t" + ",".join(str(v) for v in values[i:i + per_line]) + ",")


def main():
    pool, places = bytearray(b"\0\0\0"), {}
    codes = []
    for cp in range(LAST + 1):
        value = fold(cp)
        if isinstance(value, str):
            data = value.encode()
            if data not in places:
                places[data] = len(pool)
                pool += bytes([len(data)]) + data
            value = places[data]
        codes.append(value)
    assert len(pool) < 65536
    blocks, index = {(SAME,) * BLOCK: 0}, []
    for i in range(0, LAST + 1, BLOCK):
        index.append(blocks.setdefault(tuple(codes[i:i + BLOCK]), len(blocks)))
    assert len(blocks) < 256
    ranges, cp = [], 0
    while cp <= LAST:
        first = cp
        while cp <= LAST and word(cp):
            cp += 1
        if cp > first:
            ranges.append((first, cp - 1))
        cp += 1
    print("/* fold_table.inc: written by tests/scripts/make_fold_table.py from Unicode %s. Do not edit. */" % unicodedata.unidata_version)
    print("static const uint8_t fold_index[%d] = {" % len(index))
    rows(index, 40)
    print("};\nstatic const uint16_t fold_block[%d][%d] = {" % (len(blocks), BLOCK))
    for block in blocks:
        last = max((i for i, v in enumerate(block) if v), default=0)
        text = ",".join(str(v) for v in block[:last + 1])
        print("\t{" + text + "},")
    print("};\nstatic const uint8_t fold_pool[%d] = {" % len(pool))
    rows(list(pool), 60)
    print("};\nstatic const uint32_t fold_word[%d][2] = {" % len(ranges))
    rows(["{%d,%d}" % r for r in ranges], 10)
    print("};")


if __name__ == "__main__":
    sys.exit(main())
