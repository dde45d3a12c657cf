/*
 * pii_number.c: payment cards and US social security numbers.
 *
 * The one idea: a number is read once as groups of digits with what stands between them; a detector is then a question about
 * sizes, separators and checksums of the first groups. Card prefixes follow ISO/IEC 7812 as the schemes publish them, the check
 * digit is Luhn's (US patent 2,950,048); area numbers of social security numbers as the SSA assigns them.
 */
#include "worker/route/pii_unit.h"

enum { GROUPS_MAX = 8, DIGITS_MAX = 24 };

struct digits {
	char all[DIGITS_MAX];
	unsigned count;
	struct {
		unsigned size;   /* digits in it */
		unsigned total;  /* digits up to its end */
		int before;      /* the separator before it, 0 for the first */
		size_t end;      /* byte behind it */
	} groups[GROUPS_MAX];
	unsigned group_count;
	bool more; /* the number goes on beyond the bounds */
};

/* Groups of digits with one separator between two; only the first where that has fewer than `first_least`. */
static void read_digits(struct pii_text *t, size_t at, unsigned first_least, struct digits *d)
{
	*d = (struct digits){0};
	int before = 0;
	size_t next;
	for (int c = pii_unit(t, at, &next); pii_is_digit(c);) {
		unsigned size = 0;
		for (; pii_is_digit(c); c = pii_unit(t, at = next, &next)) {
			if (d->count == DIGITS_MAX || d->group_count == GROUPS_MAX) {
				d->more = true;
				return;
			}
			d->all[d->count++] = (char)c;
			size++;
		}
		d->groups[d->group_count].size = size;
		d->groups[d->group_count].total = d->count;
		d->groups[d->group_count].before = before;
		d->groups[d->group_count++].end = at;
		if ((c != ' ' && c != '-' && c != '.') || d->groups[0].size < first_least)
			return;
		before = c;
		c = pii_unit(t, next, &next);
	}
}

/* Whether a word or a larger number goes on behind the group. */
static bool ends_here(struct pii_text *t, const struct digits *d, unsigned group)
{
	size_t next;
	int c = pii_unit(t, d->groups[group].end, &next);
	if (pii_is_alnum(c))
		return false;
	return !(group + 1 == d->group_count && d->more);
}

/* Part of a longer thing: a decimal, a segment of an identifier. */
static bool begins_here(const struct pii_text *t, size_t at)
{
	int c = pii_before(t, at, 1);
	return !((c == '.' || c == '-' || c == ',' || c == '_') && pii_is_digit(pii_before(t, at, 2)));
}

static bool luhn(const char *digits, unsigned count)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < count; i++) {
		unsigned n = (unsigned)(digits[count - 1 - i] - '0');
		n = (i & 1) != 0 ? n * 2 : n;
		sum += n > 9 ? n - 9 : n;
	}
	return sum % 10 == 0;
}

static const struct scheme {
	uint32_t first, last; /* of the first six digits */
	uint8_t shortest, longest;
} schemes[] = {
	{400000, 499999, 13, 19}, /* Visa */
	{510000, 559999, 16, 16}, {222100, 272099, 16, 16}, /* Mastercard */
	{340000, 349999, 15, 15}, {370000, 379999, 15, 15}, /* American Express */
	{601100, 601199, 16, 19}, {644000, 659999, 16, 19}, /* Discover */
	{620000, 629999, 16, 19}, {810000, 817199, 16, 19}, /* UnionPay */
	{352800, 358999, 16, 19}, {350000, 359999, 16, 16}, {213100, 213199, 15, 15}, {180000, 180099, 15, 15}, /* JCB, older ones too */
	{300000, 305999, 14, 19}, {309500, 309599, 14, 19}, {360000, 369999, 14, 19}, {380000, 399999, 14, 19}, /* Diners Club */
	{501800, 501899, 12, 19}, {502000, 502099, 12, 19}, {503800, 503899, 12, 19}, {589300, 589399, 12, 19},
	{630400, 630499, 12, 19}, {675900, 675999, 12, 19}, {676100, 676399, 12, 19},
	{560000, 589999, 12, 19}, {639000, 639099, 12, 19}, {60400, 60499, 12, 19}, /* Maestro */
	{220000, 220499, 16, 19}, /* Mir */
	{508500, 508999, 16, 16}, {606985, 607984, 16, 16}, {608000, 608999, 16, 16}, {820000, 829999, 16, 16}, /* RuPay */
};

static bool issued(const char *digits, unsigned count)
{
	uint32_t six = 0;
	for (unsigned i = 0; i < 6; i++)
		six = six * 10 + (uint32_t)(digits[i] - '0');
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (six >= schemes[i].first && six <= schemes[i].last && count >= schemes[i].shortest && count <= schemes[i].longest)
			return true;
	return false;
}

/* Groups of three and more digits, all parted alike; 4-4-4-4 and its like are printed on cards. */
static bool card_shape(const struct digits *d, unsigned last)
{
	for (unsigned i = 0; i <= last; i++) {
		bool tail = i == last && i >= 3;
		if ((d->groups[i].size < 3 && !tail) || d->groups[i].size > 8 || (i > 1 && d->groups[i].before != d->groups[1].before))
			return false;
	}
	return d->groups[0].size >= 4;
}

static const char *const card_words[] = {"card*", "credit*", "debit*", "visa", "mastercard", "amex", "maestro", "cc", "pan", "karte", "kreditkarte",
                                         "kartennummer", "carte", "tarjeta", "carta", "diners", "jcb", "discover", "charge*", "payment", "paid",
                                         "pay", NULL};

/* A bare number of an unusual length is a card's only where somebody says so; one of a usual length unless somebody says otherwise. */
static bool card_in_context(struct pii_text *t, size_t at, size_t end, unsigned count)
{
	static const char *const behind[] = {"expires", "expired", "expiry", "exp", "declined", "cvv", "cvc", "visa", "mastercard", NULL};
	int context = pii_context(t, at, card_words, pii_thing_words);
	if (context == 0 && pii_followed(t, end, behind))
		return true;
	bool usual = count == 15 || count == 16 || count == 19;
	return context > 0 || (usual && context == 0);
}

size_t pii_card(struct pii_text *t, size_t at)
{
	struct digits d;
	read_digits(t, at, 4, &d);
	if (d.count < 12 || !begins_here(t, at))
		return 0;
	for (unsigned g = 0; g < d.group_count && d.groups[g].total <= 19; g++) {
		unsigned n = d.groups[g].total;
		if (n < 12 || !issued(d.all, n) || !luhn(d.all, n) || !ends_here(t, &d, g))
			continue;
		if (g != 0 && !card_shape(&d, g))
			continue;
		if ((g != 0 && n > 13) || card_in_context(t, at, d.groups[g].end, n))
			return d.groups[g].end;
	}
	return 0;
}

static const char *const ssn_words[] = {"ssn*", "social", "socsec", "itin", NULL};

static unsigned number_of(const char *digits, unsigned count)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++)
		n = n * 10 + (unsigned)(digits[i] - '0');
	return n;
}

size_t pii_ssn(struct pii_text *t, size_t at)
{
	struct digits d;
	read_digits(t, at, 3, &d);
	if (d.count < 9 || !begins_here(t, at))
		return 0;
	bool bare = d.groups[0].size == 9, grouped = d.group_count >= 3 && d.groups[0].size == 3 && d.groups[1].size == 2 && d.groups[2].size == 4;
	unsigned last = bare ? 0 : 2;
	if ((!bare && !grouped) || !ends_here(t, &d, last) || (d.group_count > last + 1 && d.groups[last + 1].before == '-'))
		return 0;
	if (grouped && d.groups[1].before != d.groups[2].before)
		return 0;
	unsigned area = number_of(d.all, 3);
	if (area == 0 || area == 666 || area >= 900 || number_of(d.all + 3, 2) == 0 || number_of(d.all + 5, 4) == 0)
		return 0;
	int context = pii_context(t, at, ssn_words, pii_thing_words);
	bool printed = grouped && d.groups[1].before == '-'; /* as on the card */
	return context > 0 || (printed && context == 0) ? d.groups[last].end : 0;
}
