/*
 * pii_iban.c: international bank account numbers (ISO 13616).
 *
 * The one idea: country, length, the country's own pattern of digits and letters and the checksum (ISO 7064, MOD 97-10) together
 * leave next to nothing to chance, so spaces, dashes and line ends may stand anywhere between the characters. Patterns: the SWIFT registry.
 */
#include "worker/route/pii_unit.h"

enum { BREAKS_MAX = 3 /* separators in a row */ };

/* n: digits, a: letters, c: either; behind the country and the two check digits. */
static const struct country {
	char code[3];
	char pattern[10];
} countries[] = {
	{"AD", "8n12c"}, {"AE", "19n"}, {"AL", "8n16c"}, {"AT", "16n"}, {"AZ", "4a20c"}, {"BA", "16n"}, {"BE", "12n"}, {"BG", "4a6n8c"},
	{"BH", "4a14c"}, {"BI", "23n"}, {"BR", "23n1a1c"}, {"BY", "4c4n16c"}, {"CH", "5n12c"}, {"CR", "18n"}, {"CY", "8n16c"},
	{"CZ", "20n"}, {"DE", "18n"}, {"DJ", "23n"}, {"DK", "14n"}, {"DO", "4c20n"}, {"EE", "16n"}, {"EG", "25n"}, {"ES", "20n"},
	{"FI", "14n"}, {"FK", "2a12n"}, {"FO", "14n"}, {"FR", "10n11c2n"}, {"GB", "4a14n"}, {"GE", "2a16n"}, {"GI", "4a15c"},
	{"GL", "14n"}, {"GR", "7n16c"}, {"GT", "24c"}, {"HN", "4a20n"}, {"HR", "17n"}, {"HU", "24n"}, {"IE", "4a14n"}, {"IL", "19n"},
	{"IQ", "4a15n"}, {"IS", "22n"}, {"IT", "1a10n12c"}, {"JO", "4a4n18c"}, {"KW", "4a22c"}, {"KZ", "3n13c"}, {"LB", "4n20c"},
	{"LC", "4a24c"}, {"LI", "5n12c"}, {"LT", "16n"}, {"LU", "3n13c"}, {"LV", "4a13c"}, {"LY", "21n"}, {"MC", "10n11c2n"},
	{"MD", "20c"}, {"ME", "18n"}, {"MK", "3n10c2n"}, {"MN", "16n"}, {"MR", "23n"}, {"MT", "4a5n18c"}, {"MU", "4a19n3a"},
	{"NI", "4a20n"}, {"NL", "4a10n"}, {"NO", "11n"}, {"OM", "3n16c"}, {"PK", "4a16c"}, {"PL", "24n"}, {"PS", "4a21c"},
	{"PT", "21n"}, {"QA", "4a21c"}, {"RO", "4a16c"}, {"RS", "18n"}, {"RU", "14n15c"}, {"SA", "2n18c"}, {"SC", "4a20n3a"},
	{"SD", "14n"}, {"SE", "20n"}, {"SI", "15n"}, {"SK", "20n"}, {"SM", "1a10n12c"}, {"SO", "19n"}, {"ST", "21n"}, {"SV", "4a20n"},
	{"TL", "19n"}, {"TN", "20n"}, {"TR", "6n16c"}, {"UA", "6n19c"}, {"VA", "18n"}, {"VG", "4a16n"}, {"XK", "16n"}, {"YE", "4a4n18c"},
};

static int upper(int c)
{
	return c >= 'a' && c <= 'z' ? c - 32 : c;
}

static const char *pattern_of(int first, int second)
{
	for (size_t i = 0; i < sizeof countries / sizeof countries[0]; i++)
		if (countries[i].code[0] == first && countries[i].code[1] == second)
			return countries[i].pattern;
	return NULL;
}

struct reader {
	struct pii_text *t;
	size_t next;    /* behind what was read */
	unsigned rest;  /* of the number, modulo 97 */
};

/* The next letter or digit in upper case, separators passed over; 0: something else stands there. */
static int read_one(struct reader *r)
{
	size_t at = r->next, next = at;
	for (unsigned breaks = 0; breaks <= BREAKS_MAX; breaks++, at = next) {
		int c = pii_unit(r->t, at, &next);
		if (c != ' ' && c != '-' && c != '.' && c != '\n' && c != '\r' && c != '\t') {
			r->next = next;
			return pii_is_alnum(c) ? upper(c) : 0;
		}
	}
	return 0;
}

static void add(struct reader *r, int c)
{
	r->rest = pii_is_digit(c) ? (r->rest * 10 + (unsigned)(c - '0')) % 97 : (r->rest * 100 + (unsigned)(c - 'A' + 10)) % 97;
}

/* The account's part by its pattern. */
static bool read_account(struct reader *r, const char *pattern)
{
	while (*pattern != '\0') {
		unsigned count = 0;
		for (; pii_is_digit(*pattern); pattern++)
			count = count * 10 + (unsigned)(*pattern - '0');
		char kind = *pattern++;
		for (; count != 0; count--) {
			int c = read_one(r);
			if (c == 0 || (kind == 'n' && !pii_is_digit(c)) || (kind == 'a' && !pii_is_letter(c)))
				return false;
			add(r, c);
		}
	}
	return true;
}

size_t pii_iban(struct pii_text *t, size_t at)
{
	struct reader r = {.t = t, .next = at};
	size_t next;
	if (pii_is_letter(pii_byte(t, at + 1)) && pii_is_letter(pii_byte(t, at + 2)))
		return 0; /* a word */
	int first = upper(pii_unit(t, at, &next)), second = upper(pii_unit(t, next, &r.next));
	if (!pii_is_letter(second))
		return 0;
	int check[2];
	for (unsigned i = 0; i < 2; i++)
		if (!pii_is_digit(check[i] = read_one(&r)))
			return 0;
	const char *pattern = pattern_of(first, second);
	if (pattern == NULL || !read_account(&r, pattern))
		return 0;
	if (pii_is_alnum(pii_unit(t, r.next, &next)))
		return 0;
	add(&r, first);
	add(&r, second);
	add(&r, check[0]);
	add(&r, check[1]);
	return r.rest == 1 ? r.next : 0;
}
