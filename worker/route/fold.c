/*
 * fold.c: the folding that makes "Straße", "STRASSE" and "strasse" one keyword.
 *
 * The one idea: the lists and the text go through the same table once, so that matching is a comparison of bytes. The table
 * has two steps: a block for each 128 code points, and in it 0 (stays), 1 (dropped), 2 (white space) or a place in a pool of
 * folded spellings (fold_table.inc, made by tests/scripts/make_fold_table.py). It does not normalise Hangul or kana written in decomposed form.
 */
#include "worker/route/fold.h"

#include "worker/route/fold_table.inc"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "eight bytes are read as a number whose lowest byte is the first");
/* Eight times the same byte. */
#define BYTES(b) ((uint64_t)(b) * UINT64_C(0x0101010101010101))

enum { FOLD_SAME, FOLD_DROP, FOLD_SPACE, FOLD_BLOCK_SHIFT = 7 };

uint32_t fold_decode(struct str s, size_t at, size_t *ret_bytes)
{
	const unsigned char *p = (const unsigned char *)s.data + at;
	size_t left = s.len - at;
	*ret_bytes = 1;
	if (p[0] < 0x80)
		return p[0];
	size_t n = p[0] >= 0xF0 && p[0] <= 0xF4 ? 4 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : 0;
	if (n == 0 || n > left)
		return 0xFFFD;
	uint32_t c = p[0] & (0x7Fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0xFFFD;
		c = c << 6 | (p[i] & 0x3Fu);
	}
	*ret_bytes = n;
	return c;
}

uint32_t fold_decode_before(struct str s, size_t at)
{
	size_t start = at - 1, bytes;
	while (start > 0 && at - start < 4 && ((unsigned char)s.data[start] & 0xC0) == 0x80)
		start--;
	uint32_t c = fold_decode(s, start, &bytes);
	return start + bytes == at ? c : 0xFFFD;
}

bool fold_is_word(uint32_t code_point)
{
	size_t low = 0, high = sizeof fold_word / sizeof fold_word[0];
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (code_point > fold_word[mid][1])
			low = mid + 1;
		else if (code_point < fold_word[mid][0])
			high = mid;
		else
			return true;
	}
	return false;
}

static unsigned lookup(uint32_t c)
{
	size_t block = c >> FOLD_BLOCK_SHIFT;
	return block < sizeof fold_index ? fold_block[fold_index[block]][c & ((1u << FOLD_BLOCK_SHIFT) - 1)] : FOLD_SAME;
}

/* Folds eight bytes at once where all are printable ASCII and no space follows a space; false: it did nothing. */
static bool fold_eight(const char *in, bool after_space, char *out)
{
	uint64_t x;
	memcpy(&x, in, 8);
	uint64_t top = BYTES(0x80);
	if ((x & top) != 0 || ((x + BYTES(0x80 - ' ')) & ~(x + BYTES(1)) & top) != top)
		return false;
	uint64_t space = ~(x + BYTES(0x80 - (' ' + 1))) & top;
	if ((space & (space << 8 | (after_space ? 0x80u : 0))) != 0)
		return false;
	uint64_t capital = (x + BYTES(0x80 - 'A')) & ~(x + BYTES(0x80 - ('Z' + 1))) & top;
	x |= capital >> 2;
	memcpy(out, &x, 8);
	return true;
}

size_t fold_text(struct str s, char *out)
{
	size_t n = 0, bytes;
	for (size_t at = 0; at < s.len; at += bytes) {
		unsigned char byte = (unsigned char)s.data[at];
		if (s.len - at >= 8 && fold_eight(s.data + at, n != 0 && out[n - 1] == ' ', out + n)) {
			bytes = 8;
			n += 8;
			continue;
		}
		if (byte > ' ' && byte < 0x7F) {
			bytes = 1;
			out[n++] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
			continue;
		}
		unsigned code = lookup(fold_decode(s, at, &bytes));
		if (code == FOLD_DROP)
			continue;
		if (code == FOLD_SPACE) {
			if (n == 0 || out[n - 1] != ' ')
				out[n++] = ' ';
		} else if (code == FOLD_SAME) {
			memcpy(out + n, s.data + at, bytes);
			n += bytes;
		} else {
			memcpy(out + n, fold_pool + code + 1, fold_pool[code]);
			n += fold_pool[code];
		}
	}
	return n;
}
