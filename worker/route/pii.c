/*
 * pii.c: one pass over a text, and what to look for at which character.
 *
 * The one idea: a detector is asked only where a word, a number or an '@' begins, and looks at a bounded stretch from there. So the
 * pass costs about a table look-up for each byte of prose, and hostile input costs a constant more, never its square.
 */
#include "worker/route/pii_unit.h"

static const char *const names[PII_KINDS] = {"email", "phone", "iban", "card", "ssn", "ip", "secret"};

const char *pii_name(enum pii_kind kind)
{
	return names[kind];
}

int pii_find(struct str name)
{
	for (int i = 0; i < PII_KINDS; i++)
		if (str_is(name, names[i]))
			return i;
	return -1;
}

enum sign { DULL, LETTER, DIGIT, AT, PLUS, BRACKET, DASH, LEAD /* of a character that may stand for an ASCII one */ };

static enum sign sign_of(unsigned char c)
{
	static const uint8_t signs[256] = {
		['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT, ['4'] = DIGIT, ['5'] = DIGIT, ['6'] = DIGIT, ['7'] = DIGIT,
		['8'] = DIGIT, ['9'] = DIGIT, ['A'] = LETTER, ['B'] = LETTER, ['C'] = LETTER, ['D'] = LETTER, ['E'] = LETTER,
		['F'] = LETTER, ['G'] = LETTER, ['H'] = LETTER, ['I'] = LETTER, ['J'] = LETTER, ['K'] = LETTER, ['L'] = LETTER,
		['M'] = LETTER, ['N'] = LETTER, ['O'] = LETTER, ['P'] = LETTER, ['Q'] = LETTER, ['R'] = LETTER, ['S'] = LETTER,
		['T'] = LETTER, ['U'] = LETTER, ['V'] = LETTER, ['W'] = LETTER, ['X'] = LETTER, ['Y'] = LETTER, ['Z'] = LETTER,
		['a'] = LETTER, ['b'] = LETTER, ['c'] = LETTER, ['d'] = LETTER, ['e'] = LETTER, ['f'] = LETTER, ['g'] = LETTER,
		['h'] = LETTER, ['i'] = LETTER, ['j'] = LETTER, ['k'] = LETTER, ['l'] = LETTER, ['m'] = LETTER, ['n'] = LETTER,
		['o'] = LETTER, ['p'] = LETTER, ['q'] = LETTER, ['r'] = LETTER, ['s'] = LETTER, ['t'] = LETTER, ['u'] = LETTER,
		['v'] = LETTER, ['w'] = LETTER, ['x'] = LETTER, ['y'] = LETTER, ['z'] = LETTER, ['@'] = AT, ['+'] = PLUS,
		['('] = BRACKET, ['['] = BRACKET, ['{'] = BRACKET, ['-'] = DASH, [0xC2] = LEAD, [0xD9] = LEAD, [0xDB] = LEAD,
		[0xE0] = LEAD, [0xE2] = LEAD, [0xEF] = LEAD,
	};
	return (enum sign)signs[c];
}

struct pass {
	struct pii_text t;
	uint32_t kinds;
	struct pii_hit hit;
	size_t from; /* what lies before was reported */
};

static bool wants(const struct pass *p, enum pii_kind kind)
{
	return (p->kinds >> kind & 1) != 0;
}

static bool take(struct pass *p, enum pii_kind kind, size_t at, size_t end)
{
	if (end == 0 || at < p->from)
		return false;
	p->hit = (struct pii_hit){kind, at, end};
	return true;
}

/* Of several readings of a number the one with the strongest proof counts: checksums before forms. */
static bool at_number(struct pass *p, size_t at)
{
	size_t secret = at;
	return (wants(p, PII_CARD) && take(p, PII_CARD, at, pii_card(&p->t, at))) ||
	       (wants(p, PII_SSN) && take(p, PII_SSN, at, pii_ssn(&p->t, at))) ||
	       (wants(p, PII_IP) && take(p, PII_IP, at, pii_ip(&p->t, at))) ||
	       (wants(p, PII_SECRET) && take(p, PII_SECRET, secret, pii_secret(&p->t, at, &secret))) ||
	       (wants(p, PII_PHONE) && take(p, PII_PHONE, at, pii_phone(&p->t, at)));
}

static bool at_word(struct pass *p, size_t at)
{
	size_t begin = at, end = 0;
	if (wants(p, PII_IBAN) && take(p, PII_IBAN, at, pii_iban(&p->t, at)))
		return true;
	if (wants(p, PII_IP) && pii_is_hex(pii_byte(&p->t, at)) && take(p, PII_IP, at, pii_ip(&p->t, at)))
		return true;
	end = wants(p, PII_SECRET) ? pii_secret(&p->t, at, &begin) : 0;
	return take(p, PII_SECRET, begin, end);
}

static bool at_address(struct pass *p, size_t at)
{
	size_t begin = at, end = wants(p, PII_SECRET) ? pii_userinfo(&p->t, at, &begin) : 0;
	if (take(p, PII_SECRET, begin, end))
		return true;
	end = wants(p, PII_EMAIL) ? pii_email(&p->t, at, &begin) : 0;
	return take(p, PII_EMAIL, begin, end);
}

static bool at_sign(struct pass *p, size_t at, enum sign sign)
{
	size_t begin = at, end = 0;
	switch (sign) {
	case DIGIT: return at_number(p, at);
	case LETTER: return at_word(p, at);
	case AT: return at_address(p, at);
	case PLUS: return wants(p, PII_PHONE) && take(p, PII_PHONE, at, pii_phone(&p->t, at));
	case BRACKET:
		if (wants(p, PII_PHONE) && take(p, PII_PHONE, at, pii_phone(&p->t, at)))
			return true;
		end = wants(p, PII_EMAIL) ? pii_email(&p->t, at, &begin) : 0;
		return take(p, PII_EMAIL, begin, end);
	case DASH:
		end = wants(p, PII_SECRET) ? pii_secret(&p->t, at, &begin) : 0;
		return take(p, PII_SECRET, begin, end);
	case DULL: case LEAD: break;
	}
	return false;
}

/* A character of several bytes that stands for an ASCII one, read as that. */
static enum sign resolve(struct pass *p, size_t at, size_t *ret_next)
{
	int c = pii_unit(&p->t, at, ret_next);
	return c >= 0 && c < 0x80 ? sign_of((unsigned char)c) : DULL;
}

uint64_t pii_scan(struct str text, uint32_t kinds, pii_see *see, void *ctx)
{
	struct pass p = {.t = {.text = text}, .kinds = kinds};
	bool inside = false; /* the character before was part of a word */
	for (size_t at = 0; at < text.len;) {
		size_t next = at + 1;
		enum sign sign = sign_of((unsigned char)text.data[at]);
		if (sign == LEAD)
			sign = resolve(&p, at, &next);
		bool word = sign == LETTER || sign == DIGIT;
		if (sign != DULL && !(word && inside) && at_sign(&p, at, sign)) {
			if (!see(ctx, &p.hit))
				break;
			p.from = next = p.hit.end > at ? p.hit.end : next;
			word = true;
		}
		inside = word;
		at = next;
	}
	return p.t.work + text.len;
}
