/*
 * pii_unit.c: characters as detectors read them, and words around a place.
 *
 * The one idea: whoever wants to be read by people can write digits in many ways (full-width, Arabic, with hyphens of every
 * kind, with spaces that do not break), so a detector never looks at bytes but at what they show.
 */
#include "worker/route/pii_unit.h"

enum { BACK_BYTES = 48, AHEAD_BYTES = 24, SKIPPED_MAX = 8, WORD_MAX = 24 };

const char *const pii_no_words[] = {NULL};
const char *const pii_thing_words[] = {"order*", "invoice*", "ticket*", "case", "ref", "reference", "serial*", "sku", "isbn", "issn", "ean", "upc",
                                       "gtin", "tracking", "track", "parcel", "shipment", "consignment", "article", "part", "model", "version",
                                       "build", "release", "firmware", "imei", "iccid", "po", "rma", "batch", "lot", "item", "doi", "vin",
                                       "bestell*", "rechnung*", "artikel*", "sendung*", "auftrag*", "commit", "patent", "asin", "barcode",
                                       "coupon", "voucher", "meter", "asset", "uuid", "guid", "timestamp", "epoch", "commande", "facture",
                                       "pedido", "factura", "ordine", "fattura", "product", "pos", NULL};

static int two_bytes(unsigned char a, unsigned char b)
{
	if (a == 0xC2)
		return b == 0xA0 ? ' ' : b == 0xB7 ? '.' : b == 0xAD ? 0 : UNIT_OTHER;
	if (a == 0xD9 && b >= 0xA0 && b <= 0xA9)
		return '0' + (b - 0xA0);
	if (a == 0xDB && b >= 0xB0 && b <= 0xB9)
		return '0' + (b - 0xB0);
	return UNIT_OTHER;
}

/* 0: shows nothing. */
static int three_bytes(unsigned char a, unsigned char b, unsigned char c)
{
	if (a == 0xE2 && b == 0x80) {
		if (c <= 0x8A || c == 0xAF)
			return ' ';
		if (c <= 0x8F)
			return 0;
		return c <= 0x95 ? '-' : UNIT_OTHER;
	}
	if (a == 0xE2)
		return b == 0x81 && c == 0xA0 ? 0 : b == 0x81 && c == 0x9F ? ' ' : b == 0x88 && c == 0x92 ? '-' : UNIT_OTHER;
	if (a == 0xE3)
		return b == 0x80 && c == 0x80 ? ' ' : UNIT_OTHER;
	if (a == 0xE0)
		return b == 0xA5 && c >= 0xA6 && c <= 0xAF ? '0' + (c - 0xA6) : UNIT_OTHER;
	if (a != 0xEF)
		return UNIT_OTHER;
	if (b == 0xBB && c == 0xBF)
		return 0;
	if (b == 0xBC && c >= 0x81)
		return '!' + (c - 0x81);
	if (b == 0xBD && c >= 0x80 && c <= 0x9E)
		return '`' + (c - 0x80);
	return b == 0xB9 && c == 0xA3 ? '-' : UNIT_OTHER;
}

static bool space_of_html(const struct pii_text *t, size_t at, size_t *ret_next)
{
	struct str rest = {t->text.data + at, t->text.len - at};
	bool space = str_starts(rest, STR("&nbsp;")) || str_starts(rest, STR("&#160;"));
	*ret_next = space ? at + 6 : at + 1;
	return space;
}

int pii_unit(struct pii_text *t, size_t at, size_t *ret_next)
{
	const unsigned char *s = (const unsigned char *)t->text.data;
	for (unsigned skipped = 0; at < t->text.len; skipped++) {
		t->work++;
		unsigned char a = s[at];
		size_t left = t->text.len - at;
		size_t bytes = a < 0x80 ? 1 : a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
		*ret_next = at + (bytes < left ? bytes : left);
		if (a == '&' && space_of_html(t, at, ret_next))
			return ' ';
		if (a < 0x80)
			return a;
		int c = bytes == 2 && left >= 2 ? two_bytes(a, s[at + 1]) : bytes == 3 && left >= 3 ? three_bytes(a, s[at + 1], s[at + 2]) : UNIT_OTHER;
		if (c != 0 || skipped == SKIPPED_MAX)
			return c != 0 ? c : UNIT_OTHER;
		at = *ret_next;
	}
	*ret_next = t->text.len;
	return UNIT_END;
}

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool listed(struct str word, pii_words words)
{
	for (; *words != NULL; words++) {
		const char *w = *words;
		size_t i = 0;
		while (i < word.len && w[i] != '\0' && w[i] != '*' && lower((unsigned char)word.data[i]) == (unsigned char)w[i])
			i++;
		if (w[i] == '*' || (w[i] == '\0' && i == word.len))
			return true;
	}
	return false;
}

/* Letters of any script hold together: "téléphone" is one word. */
static bool in_word(unsigned char c)
{
	return pii_is_letter(c) || c >= 0x80;
}

int pii_context(struct pii_text *t, size_t at, pii_words good, pii_words bad)
{
	size_t stop = at > BACK_BYTES ? at - BACK_BYTES : 0;
	unsigned lines = 0;
	for (size_t i = at; i > stop;) {
		unsigned char c = (unsigned char)t->text.data[i - 1];
		t->work++;
		if (c == '\n' && ++lines > 1)
			return 0;
		if (!in_word(c)) {
			i--;
			continue;
		}
		size_t end = i;
		while (i > stop && in_word((unsigned char)t->text.data[i - 1]))
			i--;
		struct str word = {t->text.data + i, end - i};
		t->work += word.len;
		if (word.len > WORD_MAX)
			continue;
		if (listed(word, good))
			return 1;
		if (listed(word, bad))
			return -1;
	}
	return 0;
}

bool pii_followed(struct pii_text *t, size_t at, pii_words good)
{
	size_t stop = t->text.len - at > AHEAD_BYTES ? at + AHEAD_BYTES : t->text.len;
	unsigned words = 0;
	for (size_t i = at; i < stop && words < 2;) {
		unsigned char c = (unsigned char)t->text.data[i];
		t->work++;
		if (c == '\n')
			return false;
		size_t begin = i;
		while (i < stop && in_word((unsigned char)t->text.data[i]))
			i++;
		t->work += i - begin;
		if (i == begin) {
			i++;
			continue;
		}
		words++;
		if (listed((struct str){t->text.data + begin, i - begin}, good))
			return true;
	}
	return false;
}
