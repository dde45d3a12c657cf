/*
 * pii_net.c: e-mail and IP addresses.
 *
 * The one idea: an address is found by the sign that nothing else needs ('@', dots between small numbers) and then has to prove
 * itself by what stands around it, for versions, file names and decorators use the same signs.
 */
#include "worker/route/pii_unit.h"

enum { LOCAL_MAX = 64, DOMAIN_MAX = 253, LABEL_MAX = 63 };

/* ---- e-mail ---------------------------------------------------------------------------------------------------------- */

/* Of what RFC 5322 allows without "/", "=", "?" and "&": those part the pieces of web addresses far more often. */
static bool is_local(int c)
{
	return pii_is_alnum(c) || c >= 0x80 || (c != 0 && strchr("!#$%'*+^_`{|}~.-", c) != NULL);
}

/* The local part that ends before byte `at`; at: there is none. */
static size_t local_before(struct pii_text *t, size_t at)
{
	size_t begin = at;
	while (begin > 0 && at - begin < LOCAL_MAX && is_local(pii_byte(t, begin - 1)))
		begin--;
	t->work += at - begin;
	while (begin < at && !pii_is_alnum(pii_byte(t, begin)) && pii_byte(t, begin) < 0x80 && pii_byte(t, begin) != '_')
		begin++; /* quotes, brackets and markup before it */
	return begin < at && pii_byte(t, at - 1) == '.' ? at : begin;
}

static bool one_of(struct str word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (str_eq_nocase(word, str_of(*words)))
			return true;
	return false;
}

/* Names of files and packages: icon@2x.png, react@18.3.0-beta.next. */
static bool is_file_or_version(struct str domain, unsigned labels)
{
	static const char *const endings[] = {"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "ts", "css", "json", "html", "py", "rb",
	                                      "txt", "pdf", "md", "yml", "yaml", "xml", "csv", "zip", "gz", "tgz", "jar", "lock", "local", NULL};
	size_t dot = domain.len, first = 0;
	while (dot > 0 && domain.data[dot - 1] != '.')
		dot--;
	if (one_of((struct str){domain.data + dot, domain.len - dot}, endings))
		return true;
	while (first < domain.len && pii_is_digit((unsigned char)domain.data[first]))
		first++;
	return labels > 2 && first < domain.len && domain.data[first] == '.';
}

/* A dot as written or as "(dot)". Returns the bytes it takes, 0: none. */
static size_t dot_at(const struct pii_text *t, size_t at)
{
	static const char *const spelt[] = {"(dot)", " (dot) ", "[dot]", " [dot] ", "[.]", "{dot}", " dot ", NULL};
	if (pii_byte(t, at) == '.')
		return 1;
	for (const char *const *s = spelt; *s != NULL; s++) {
		size_t n = strlen(*s);
		if (t->text.len - at >= n && str_eq_nocase((struct str){t->text.data + at, n}, str_of(*s)))
			return n;
	}
	return 0;
}

/* The domain that begins at byte `at`: the byte behind it, 0: none. spelt: dots may be words. */
static size_t domain_end(struct pii_text *t, size_t at, bool spelt)
{
	size_t end = 0, label = at, i = at;
	unsigned labels = 0;
	while (i < t->text.len && i - at < DOMAIN_MAX) {
		int c = pii_byte(t, i);
		t->work++;
		if (pii_is_alnum(c) || c >= 0x80 || (c == '-' && i > label)) {
			i++;
			continue;
		}
		size_t dot = spelt || c == '.' ? dot_at(t, i) : 0;
		if (dot == 0 || i == label || i - label > LABEL_MAX)
			break;
		labels++;
		i += dot;
		label = i;
	}
	size_t last = i - label; /* the last label: letters, two at least; a dot may end the sentence */
	if (last == 0 && labels > 1) {
		i = label - 1;
		for (label = i; label > at && pii_byte(t, label - 1) != '.';)
			label--;
		last = i - label;
		labels--;
	}
	for (size_t k = label; k < i; k++)
		if (pii_is_digit(pii_byte(t, k)) && !str_starts((struct str){t->text.data + label, last}, STR("xn--")))
			return 0;
	if (labels >= 1 && last >= 2 && last <= LABEL_MAX)
		end = i;
	if (end != 0 && is_file_or_version((struct str){t->text.data + at, end - at}, labels + 1))
		return 0;
	return end;
}

/* "(at)", "[at]", " at " in brackets: the byte behind it; 0: no such thing. */
static size_t spelt_at(const struct pii_text *t, size_t at)
{
	static const char *const forms[] = {"(at)", "[at]", "{at}", "( at )", "[ at ]", "(@)", "[@]", NULL};
	for (const char *const *f = forms; *f != NULL; f++) {
		size_t n = strlen(*f);
		if (t->text.len - at >= n && str_eq_nocase((struct str){t->text.data + at, n}, str_of(*f)))
			return pii_byte(t, at + n) == ' ' ? at + n + 1 : at + n;
	}
	return 0;
}

/* A server's name and a path behind it, as git writes them, and user names of addresses of the web, are no mailboxes. */
static bool is_remote(const struct pii_text *t, size_t begin, size_t at, size_t end)
{
	int behind = pii_byte(t, end), after = pii_byte(t, end + 1);
	if (behind == ':' && (pii_is_letter(after) || after == '/' || after == '~') &&
	    str_is((struct str){t->text.data + begin, at - begin}, "git"))
		return true;
	return begin >= 3 && memcmp(t->text.data + begin - 3, "://", 3) == 0;
}

size_t pii_email(struct pii_text *t, size_t at, size_t *ret_at)
{
	size_t domain = pii_byte(t, at) == '@' ? at + 1 : spelt_at(t, at);
	bool spelt = pii_byte(t, at) != '@';
	if (domain == 0) { /* a full-width @ */
		if (pii_unit(t, at, &domain) != '@')
			return 0;
	}
	size_t stop = spelt && at > 0 && pii_byte(t, at - 1) == ' ' ? at - 1 : at;
	size_t begin = local_before(t, stop);
	if (begin == stop)
		return 0;
	size_t end = domain_end(t, domain, spelt);
	if (end == 0 || is_remote(t, begin, stop, end))
		return 0;
	*ret_at = begin;
	return end;
}

/* ---- IP addresses ---------------------------------------------------------------------------------------------------- */

static const char *const version_words[] = {"version*", "v", "ver", "release*", "firmware", "build", "driver*", "section*", "chapter", "clause",
                                            "paragraph", "step", "sec", "update", "upgrade*", "patch", "software", "chrome", "oid", "kernel",
                                            "bios", "abschnitt", "kapitel", NULL};

/* Four numbers of 0 to 255 with dots: the byte behind them. */
static size_t quad(struct pii_text *t, size_t at, unsigned parts[4])
{
	for (unsigned p = 0; p < 4; p++) {
		unsigned n = 0, digits = 0;
		for (; digits < 4 && pii_is_digit(pii_byte(t, at)); digits++)
			n = n * 10 + (unsigned)(pii_byte(t, at++) - '0');
		t->work += digits + 1;
		if (digits == 0 || digits > 3 || n > 255 || (digits > 1 && n < (digits == 2 ? 10u : 100u)))
			return 0;
		parts[p] = n;
		if (p < 3 && pii_byte(t, at++) != '.')
			return 0;
	}
	return at;
}

static size_t version_4(struct pii_text *t, size_t at)
{
	unsigned parts[4];
	int before = pii_before(t, at, 1), before2 = pii_before(t, at, 2);
	size_t end = quad(t, at, parts);
	if (end == 0 || (before == '.' && pii_is_alnum(before2)) || ((before == '-' || before == '_') && pii_is_letter(before2)))
		return 0;
	int behind = pii_byte(t, end), after = pii_byte(t, end + 1);
	if (pii_is_alnum(behind) || (behind == '.' && (pii_is_digit(after) || (after >= 'a' && after <= 'z'))) ||
	    ((behind == '-' || behind == '_') && pii_is_letter(after)))
		return 0;
	if (parts[0] == 0 || parts[0] == 127 || (parts[0] == 255 && parts[1] == 255)) /* nobody's: this host, a mask */
		return 0;
	return pii_context(t, at, pii_no_words, version_words) < 0 ? 0 : end;
}

/* Those that are in use: 2000::/3, unique local and link-local ones (RFC 4291). */
static bool is_allotted(const struct pii_text *t, size_t at)
{
	int first = pii_byte(t, at) | 0x20, second = pii_byte(t, at + 1) | 0x20;
	return first == '2' || first == '3' || (first == 'f' && (second == 'c' || second == 'd' || second == 'e'));
}

/* All eight groups, unless they are the bytes of a hardware address; or a shortened one that is allotted. */
static size_t version_6(struct pii_text *t, size_t at)
{
	unsigned groups = 0, doubled = 0, longest = 0;
	size_t end = at, i = at;
	while (groups < 8) {
		unsigned digits = 0;
		for (; digits < 5 && pii_is_hex(pii_byte(t, i)); digits++)
			i++;
		t->work += digits + 1;
		if (digits == 0 || digits > 4)
			break;
		if (groups++ == 0 && (pii_byte(t, i) != ':' || digits < 3))
			return 0;
		longest = digits > longest ? digits : longest;
		end = i;
		if (pii_byte(t, i) != ':')
			break;
		if (pii_byte(t, i + 1) == ':') {
			doubled++;
			end = i += 2;
		} else {
			i++;
		}
	}
	bool whole = doubled == 1 ? groups >= 2 && groups < 8 && is_allotted(t, at) && i - at >= 6 : doubled == 0 && groups == 8 && longest > 2;
	return whole && !pii_is_alnum(pii_byte(t, end)) && pii_byte(t, end) != ':' && pii_before(t, at, 1) != ':' ? end : 0;
}

size_t pii_ip(struct pii_text *t, size_t at)
{
	size_t end = version_4(t, at);
	return end != 0 ? end : version_6(t, at);
}
