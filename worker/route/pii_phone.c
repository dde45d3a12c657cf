/*
 * pii_phone.c: phone numbers.
 *
 * The one idea: there is no checksum, so forms are sorted by how much they prove. A plus and a country code stands for itself; the
 * American 3-3-4, an area code in brackets and a trunk zero with groups do unless a word before them says what else they
 * count; any other number needs a word that says it is to be dialled. Forms after ITU-T E.123 and E.164.
 */
#include "worker/route/pii_unit.h"

enum { GROUPS_MAX = 8, DIGITS_MAX = 18 };

struct dialled {
	char all[DIGITS_MAX];
	unsigned count;
	struct {
		unsigned size, total;
		int before; /* the separator before it; 0: none, or a bracket */
		size_t end; /* byte behind it, a closing bracket included */
	} groups[GROUPS_MAX];
	unsigned group_count;
	bool plus, bracket; /* what it began with; bracket: closed behind the first group */
	bool more;          /* digits or groups beyond the bounds */
};

static const char *const phone_words[] = {
	"phone*", "tel", "telef*", "telep*", "mobile", "mobil", "mobilnummer", "cell", "cellphone", "cellular", "fax", "call*", "dial*", "whatsapp", "sms", "ring",
	"reach", "handy*", "ruf", "rufnummer", "anruf*", "desk", "office", "landline", "hotline", "contact",
	"m\xC3\xB3vil", "movil", "celular", "portable", "cellulare", "llamar", "llame", "appelez", "appeler", "joindre", "callback", "ph", "mob",
	"t\xC3\xA9l", "t\xC3\xA9l\xC3\xA9phone", "tel\xC3\xA9""fono", "text", "voicemail", "pager", "r\xC3\xBC""ckruf", NULL,
};
static const char *const behind_words[] = {"office", "fax", "mobile", "cell", "home", "work", "phone", "tel", "ext", "extension", "mobil", "landline", NULL};

/* A separator: one sign, or a bracket with a space at its side. Returns the first unit behind it; *ret_sign as the groups keep it. */
static int pass_separator(struct pii_text *t, int c, size_t *next, int *ret_sign, bool *ret_closed, size_t *ret_closed_end)
{
	*ret_sign = 0;
	*ret_closed = false;
	for (unsigned i = 0; i < 3; i++) {
		if (c == ')' && !*ret_closed) {
			*ret_closed = true;
			*ret_closed_end = *next;
		} else if (c == ' ' || c == '-' || c == '.' || c == '/') {
			if (*ret_sign != 0 && *ret_sign != ' ' && c != ' ')
				return UNIT_OTHER; /* two signs: something else begins */
			*ret_sign = *ret_sign == 0 || *ret_sign == ' ' ? c : *ret_sign;
		} else if (c != '(') {
			return c;
		}
		c = pii_unit(t, *next, next);
	}
	return c;
}

static void read_dialled(struct pii_text *t, size_t at, struct dialled *d)
{
	*d = (struct dialled){0};
	size_t next, closed_end = 0;
	int c = pii_unit(t, at, &next), before = 0;
	bool closed, open = false;
	for (unsigned i = 0; i < 2 && (c == '(' || c == '+'); i++) {
		d->plus = d->plus || c == '+';
		open = open || c == '(';
		c = pii_unit(t, at = next, &next);
	}
	while (pii_is_digit(c)) {
		unsigned size = 0;
		for (; pii_is_digit(c); c = pii_unit(t, at = next, &next), size++) {
			if (d->count == DIGITS_MAX || d->group_count == GROUPS_MAX) {
				d->more = true;
				return;
			}
			d->all[d->count++] = (char)c;
		}
		unsigned g = d->group_count++;
		d->groups[g].size = size;
		d->groups[g].total = d->count;
		d->groups[g].before = before;
		d->groups[g].end = at;
		if (c != ' ' && c != '-' && c != '.' && c != '/' && c != '(' && c != ')')
			return;
		if (d->group_count == 3 && d->count < 4) /* a row of figures */
			return;
		c = pass_separator(t, c, &next, &before, &closed, &closed_end);
		if (closed)
			d->groups[g].end = closed_end;
		d->bracket = d->bracket || (g == 0 && open && closed);
	}
}

/* What may follow a number: nothing that makes it part of a word, but an extension ("x123", "ext"). */
static bool ends_here(struct pii_text *t, const struct dialled *d, unsigned group)
{
	size_t next;
	if (group + 1 == d->group_count && d->more)
		return false;
	int c = pii_unit(t, d->groups[group].end, &next);
	if (c == 'x' || c == 'X')
		return pii_is_digit(pii_unit(t, next, &next));
	return !pii_is_alnum(c) && c != '@' && c != ':' && c != '_' && c != '=';
}

static bool is_year(const char *d)
{
	return (d[0] == '1' && d[1] == '9') || (d[0] == '2' && d[1] == '0');
}

/* 2026-11-24, 24.11.2026, 08-12-2026 and times behind them. */
static bool is_date(const struct dialled *d)
{
	if (d->group_count < 3)
		return false;
	unsigned a = d->groups[0].size, b = d->groups[1].size, c = d->groups[2].size;
	return (a == 4 && b <= 2 && c <= 2 && is_year(d->all)) || (a <= 2 && b <= 2 && c == 4 && is_year(d->all + d->groups[1].total));
}

/* The last group up to which there are from `least` to `most` digits; -1: none. */
static int within(struct pii_text *t, const struct dialled *d, unsigned least, unsigned most)
{
	int best = -1;
	for (unsigned g = 0; g < d->group_count && d->groups[g].total <= most; g++)
		if (d->groups[g].total >= least && ends_here(t, d, g))
			best = (int)g;
	return best;
}

/* 415-555-0123, (415) 555-0123, 1.415.555.0123: the group it ends with, -1: not of this form. */
static int american(struct pii_text *t, const struct dialled *d)
{
	unsigned first = d->groups[0].size == 1 && d->all[0] == '1' ? 1 : 0;
	const char *digits = d->all + first;
	if (d->group_count < first + 3 || d->groups[first].size != 3 || d->groups[first + 1].size != 3 || d->groups[first + 2].size != 4)
		return -1;
	unsigned last = first + 2;
	bool goes_on = d->group_count > last + 1 && (d->groups[last + 1].before == '-' || d->groups[last + 1].before == '.');
	if (digits[0] < '2' || digits[3] < '2' || goes_on || !ends_here(t, d, last))
		return -1;
	return (int)last;
}

/* 020 7946 0958, 0171/1234567, 06 12 34 56 78. */
static int trunk_zero(struct pii_text *t, const struct dialled *d)
{
	if (d->group_count < 2 || d->all[0] != '0' || d->all[1] == '0' || d->groups[0].size < 2 || d->groups[0].size > 5 || is_date(d))
		return -1;
	for (unsigned g = 1; g < d->group_count; g++)
		if (d->groups[g].size < 2)
			return -1;
	return within(t, d, 9, 12);
}

/* 12.345.678 and 1 204 551: thousands, 1.2.3.4: a version, 2400 / 200: a sum, 1 1 1 1: a row of figures. */
static bool counted(const struct dialled *d)
{
	bool dots = d->group_count > 1, strokes = false, threes = d->group_count > 1 && d->groups[0].size < 3;
	for (unsigned g = 1; g < d->group_count; g++) {
		dots = dots && d->groups[g].before == '.';
		strokes = strokes || d->groups[g].before == '/';
		threes = threes && d->groups[g].before == ' ' && d->groups[g].size == 3;
	}
	return dots || strokes || threes || d->group_count * 2 > d->count + 1;
}

/* (030) 901 820; what stands in brackets may be a year. */
static int area_in_brackets(struct pii_text *t, const struct dialled *d, bool *ret_year)
{
	*ret_year = d->groups[0].size == 4 && is_year(d->all);
	bool area = d->bracket && d->groups[0].size >= 2 && d->groups[0].size <= 5 && d->group_count > 1;
	return area ? within(t, d, 8, 13) : -1;
}

/* 0049 30 901820; as one word it needs to be called a phone number. */
static int double_zero(struct pii_text *t, const struct dialled *d, bool *ret_bare)
{
	*ret_bare = d->group_count == 1;
	bool abroad = d->all[0] == '0' && d->all[1] == '0' && d->count > 2 && d->all[2] != '0';
	return abroad ? within(t, d, 10, 17) : -1;
}

/* "my number is ...", "... is my number". */
static bool is_my_number(struct pii_text *t, size_t at, size_t end)
{
	enum { NEAR_BYTES = 20 };
	static const struct str words = {"my number", 9};
	size_t back = at < NEAR_BYTES ? at : NEAR_BYTES, ahead = t->text.len - end < NEAR_BYTES ? t->text.len - end : NEAR_BYTES;
	t->work += back + ahead;
	for (size_t i = 0; i + words.len <= back; i++)
		if (str_eq_nocase((struct str){t->text.data + at - back + i, words.len}, words))
			return true;
	for (size_t i = 0; i + words.len <= ahead; i++)
		if (str_eq_nocase((struct str){t->text.data + end + i, words.len}, words))
			return true;
	return false;
}

static int last_group(struct pii_text *t, size_t at, const struct dialled *d)
{
	if (d->plus)
		return d->all[0] != '0' ? within(t, d, 8, 15) : -1;
	bool doubtful = false;
	int form = double_zero(t, d, &doubtful);
	if (form < 0)
		form = american(t, d);
	if (form < 0)
		form = area_in_brackets(t, d, &doubtful);
	if (form < 0)
		form = trunk_zero(t, d);
	int any = is_date(d) || counted(d) ? -1 : within(t, d, 7, 13);
	if (form < 0 && any < 0)
		return -1;
	int context = pii_context(t, at, phone_words, pii_thing_words);
	if (context == 0 && any >= 0 && is_my_number(t, at, d->groups[any].end))
		context = 1;
	if (context < 0)
		return -1;
	if (form >= 0 && (context > 0 || !doubtful))
		return form;
	if (any < 0)
		return -1;
	return context > 0 || (d->group_count > 1 && pii_followed(t, d->groups[any].end, behind_words)) ? any : -1;
}

size_t pii_phone(struct pii_text *t, size_t at)
{
	struct dialled d;
	int before = pii_before(t, at, 1);
	if (pii_is_alnum(before) || (pii_is_digit(pii_before(t, at, 2)) && before != ' ' && before != '\n'))
		return 0; /* inside of something longer */
	if (before != 0 && strchr("$<=*/%", before) != NULL && pii_byte(t, at) != '+' && !(before == '=' && pii_is_letter(pii_before(t, at, 2))))
		return 0; /* part of a sum or of a path */
	if (before == ' ' && pii_is_digit(pii_before(t, at, 2)) && pii_is_alnum(pii_before(t, at, 3)))
		return 0; /* a later group of it */
	read_dialled(t, at, &d);
	if (d.count < 7)
		return 0;
	int last = last_group(t, at, &d);
	return last >= 0 ? d.groups[last].end : 0;
}
