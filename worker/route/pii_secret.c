/*
 * pii_secret.c: keys, tokens and passwords.
 *
 * The one idea: most issuers begin their keys with letters of their own, as published for the secret scanners of code hosts; those
 * are found by prefix, alphabet and length. Anything else must be called a secret by the word before it ("password: ...") and
 * look like one. A long hexadecimal number alone is a checksum as often as a key, and is left.
 */
#include "worker/route/pii_unit.h"

enum { VALUE_MAX = 200, CHOSEN_MAX = 128, TOKEN_MAX = 8192, ISSUED_MIN = 16 };

enum alphabet { HEX, UPPER, ALNUM, WORD /* and _ */, URL /* and _ - */, DOTTED /* and _ - . */ };

static const struct issuer {
	const char *prefix;
	uint8_t alphabet;
	uint16_t least, most; /* characters behind the prefix; most 0: any */
} issuers[] = {
	{"sk-ant-", URL, 24, 0}, {"sk-proj-", URL, 24, 0}, {"sk-", URL, 20, 0}, {"sk_live_", ALNUM, 16, 0}, {"sk_test_", ALNUM, 16, 0},
	{"rk_live_", ALNUM, 16, 0}, {"rk_test_", ALNUM, 16, 0}, {"whsec_", ALNUM, 24, 0}, {"AKIA", UPPER, 16, 16}, {"ASIA", UPPER, 16, 16},
	{"ghp_", ALNUM, 30, 0}, {"gho_", ALNUM, 30, 0}, {"ghu_", ALNUM, 30, 0}, {"ghs_", ALNUM, 30, 0}, {"ghr_", ALNUM, 30, 0},
	{"github_pat_", WORD, 22, 0}, {"glpat-", URL, 20, 0}, {"gldt-", URL, 20, 0}, {"xoxb-", URL, 20, 0}, {"xoxp-", URL, 20, 0},
	{"xoxa-", URL, 20, 0}, {"xoxr-", URL, 20, 0}, {"xoxs-", URL, 20, 0}, {"xapp-", URL, 20, 0}, {"AIza", URL, 35, 35}, {"ya29.", URL, 20, 0},
	{"GOCSPX-", URL, 20, 0}, {"SG.", DOTTED, 40, 0}, {"key-", HEX, 32, 32}, {"npm_", ALNUM, 36, 36}, {"pypi-", URL, 50, 0},
	{"dop_v1_", HEX, 64, 64}, {"hf_", ALNUM, 30, 0}, {"shpat_", HEX, 32, 32}, {"shpss_", HEX, 32, 32}, {"SK", HEX, 32, 32},
	{"AGE-SECRET-KEY-1", UPPER, 50, 0}, {"lin_api_", ALNUM, 32, 0}, {"sq0csp-", URL, 40, 0}, {"sq0atp-", URL, 22, 0}, {"EAAC", ALNUM, 40, 0},
	{"dckr_pat_", URL, 20, 0}, {"nvapi-", URL, 40, 0}, {"gsk_", ALNUM, 40, 0}, {"xai-", ALNUM, 40, 0}, {"r8_", ALNUM, 30, 0}, {"tskey-", URL, 20, 0},
	{"vault:v1:", URL, 20, 0}, {"hvs.", URL, 24, 0}, {"PMAK-", URL, 40, 0}, {"ATATT3", URL, 40, 0},
};

static bool is_of(int c, enum alphabet alphabet)
{
	switch (alphabet) {
	case HEX: return pii_is_hex(c);
	case UPPER: return pii_is_digit(c) || (c >= 'A' && c <= 'Z');
	case ALNUM: return pii_is_alnum(c);
	case WORD: return pii_is_alnum(c) || c == '_';
	case URL: return pii_is_alnum(c) || c == '_' || c == '-';
	case DOTTED: return pii_is_alnum(c) || c == '_' || c == '-' || c == '.';
	}
	return false;
}

static size_t run_of(struct pii_text *t, size_t at, enum alphabet alphabet, size_t most)
{
	size_t end = at;
	while (end - at < most && is_of(pii_byte(t, end), alphabet))
		end++;
	t->work += end - at;
	return end;
}

static bool begins(const struct pii_text *t, size_t at, const char *prefix)
{
	return str_starts((struct str){t->text.data + at, t->text.len - at}, str_of(prefix));
}

/* What placeholders have not: many different characters, and digits among them. */
static bool looks_random(const struct pii_text *t, size_t at, size_t end, unsigned least)
{
	uint64_t seen[4] = {0};
	unsigned different = 0;
	bool digit = false;
	for (size_t i = at; i < end; i++) {
		unsigned char c = (unsigned char)t->text.data[i];
		digit = digit || pii_is_digit(c);
		different += (seen[c / 64] >> (c % 64) & 1) == 0;
		seen[c / 64] |= UINT64_C(1) << (c % 64);
	}
	return digit && different >= least;
}

/* Whatever is issued is longer than words of prose are: the look that spares most of them the table. */
static bool long_enough(struct pii_text *t, size_t at)
{
	unsigned n = 0;
	if (t->text.len - at < ISSUED_MIN || memchr(t->text.data + at, ' ', ISSUED_MIN) != NULL)
		return false;
	while (n < ISSUED_MIN && (is_of(pii_byte(t, at + n), DOTTED) || pii_byte(t, at + n) == ':'))
		n++;
	t->work += n;
	return n == ISSUED_MIN;
}

static size_t issued(struct pii_text *t, size_t at)
{
	int first = pii_byte(t, at);
	for (size_t i = 0; i < sizeof issuers / sizeof issuers[0]; i++) {
		const struct issuer *s = &issuers[i];
		if (s->prefix[0] != first || !begins(t, at, s->prefix))
			continue;
		size_t value = at + strlen(s->prefix), end = run_of(t, value, (enum alphabet)s->alphabet, VALUE_MAX), n = end - value;
		if (n >= s->least && (s->most == 0 || n <= s->most) && looks_random(t, value, end, 8))
			return end;
	}
	return 0;
}

/* Three parts of base64url; the first two are JSON (RFC 7519). */
static size_t web_token(struct pii_text *t, size_t at)
{
	if (!begins(t, at, "eyJ"))
		return 0;
	size_t first = run_of(t, at, URL, TOKEN_MAX);
	if (first - at < 12 || pii_byte(t, first) != '.' || !begins(t, first + 1, "eyJ"))
		return 0;
	size_t second = run_of(t, first + 1, URL, TOKEN_MAX);
	if (second - first < 12 || pii_byte(t, second) != '.')
		return 0;
	return run_of(t, second + 1, URL, TOKEN_MAX);
}

static size_t private_key(struct pii_text *t, size_t at)
{
	enum { TITLE_MAX = 40 };
	if (!begins(t, at, "-----BEGIN "))
		return 0;
	size_t title = at + strlen("-----BEGIN "), end = title;
	while (end - title < TITLE_MAX && ((pii_byte(t, end) >= 'A' && pii_byte(t, end) <= 'Z') || pii_byte(t, end) == ' '))
		end++;
	t->work += end - title;
	struct str words = {t->text.data + title, end - title};
	bool private = words.len >= 11 && memmem(words.data, words.len, "PRIVATE KEY", 11) != NULL;
	return private && begins(t, end, "-----") ? end + 5 : 0;
}

/* 8 to 10 digits, a colon and 35 characters: a bot of Telegram. */
static size_t bot_token(struct pii_text *t, size_t at)
{
	size_t colon = at;
	while (colon - at < 11 && pii_is_digit(pii_byte(t, colon)))
		colon++;
	t->work += colon - at;
	if (colon - at < 8 || colon - at > 10 || pii_byte(t, colon) != ':')
		return 0;
	size_t end = run_of(t, colon + 1, URL, VALUE_MAX);
	return end - colon - 1 == 35 && looks_random(t, colon + 1, end, 10) ? end : 0;
}

/* ---- called a secret ------------------------------------------------------------------------------------------------- */

enum called { NOTHING, PASSWORD, KEY, BEARER };

struct called_name {
	const char *name;
	enum called called;
};

/* The names that begin with a letter, ended by NULL. A longer name stands before what it begins with. */
static const struct called_name *names_of(int letter)
{
	static const struct called_name a[] = {{"apikey", KEY}, {"api_key", KEY}, {"api-key", KEY}, {"api key", KEY}, {"apitoken", KEY}, {"access_key", KEY},
	                                       {"access key", KEY}, {"accesskey", KEY}, {"accountkey", KEY}, {"auth_token", KEY}, {NULL, NOTHING}};
	static const struct called_name b[] = {{"bearer", BEARER}, {NULL, NOTHING}};
	static const struct called_name c[] = {{"contrase\xC3\xB1""a", PASSWORD}, {"client_secret", KEY}, {"credentials", KEY}, {"credential", KEY}, {NULL, NOTHING}};
	static const struct called_name k[] = {{"kennwort", PASSWORD}, {NULL, NOTHING}};
	static const struct called_name m[] = {{"mot de passe", PASSWORD}, {NULL, NOTHING}};
	static const struct called_name p[] = {{"password", PASSWORD}, {"passwd", PASSWORD}, {"passphrase", PASSWORD}, {"passwort", PASSWORD}, {"pwd", PASSWORD},
	                                       {"pass", PASSWORD}, {"private_key", KEY}, {NULL, NOTHING}};
	static const struct called_name s[] = {{"secret_key", KEY}, {"secretkey", KEY}, {"secret", KEY}, {"sharedaccesskey", KEY}, {NULL, NOTHING}};
	static const struct called_name t[] = {{"token", KEY}, {NULL, NOTHING}};
	switch (letter) {
	case 'a': return a;
	case 'b': return b;
	case 'c': return c;
	case 'k': return k;
	case 'm': return m;
	case 'p': return p;
	case 's': return s;
	case 't': return t;
	default: return NULL;
	}
}

static bool begins_nocase(const struct pii_text *t, size_t at, const char *name)
{
	for (; *name != '\0'; name++, at++) {
		int c = pii_byte(t, at);
		if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (unsigned char)*name)
			return false;
	}
	return true;
}

static enum called called_at(struct pii_text *t, size_t at, size_t *ret_end)
{
	const struct called_name *name = names_of(pii_byte(t, at) | 0x20);
	for (; name != NULL && name->name != NULL; name++) {
		size_t end = at + strlen(name->name);
		if (!begins_nocase(t, at, name->name) || pii_is_alnum(pii_byte(t, end)))
			continue;
		t->work += end - at;
		*ret_end = end;
		return name->called;
	}
	return NOTHING;
}

/* From the name to its value: "=", ": ", " is ", quotes. 0: it is not followed by one. */
static size_t value_after(const struct pii_text *t, size_t at, enum called called)
{
	enum { BETWEEN_MAX = 12 };
	bool given = called == BEARER;
	size_t stop = at + BETWEEN_MAX;
	for (; at < stop; at++) {
		int c = pii_byte(t, at);
		if (!given && called == PASSWORD && (begins(t, at, " is ") || begins(t, at, " ist "))) {
			at += 3;
			given = true;
		} else if (c == '=' || c == ':') {
			given = true;
		} else if (c != ' ' && c != '"' && c != '\'' && c != '`' && c != '>' && c != '*') {
			return given && c > ' ' ? at : 0;
		}
	}
	return 0;
}

/* A value as people choose or machines make it; words, placeholders and code are none. */
static size_t chosen(struct pii_text *t, size_t at)
{
	size_t end = at;
	bool letter = false, digit = false;
	for (; end - at < CHOSEN_MAX; end++) {
		int c = pii_byte(t, end);
		if (c <= ' ' || strchr("\"'`,;()[]{}<>|", c) != NULL)
			break;
		letter = letter || pii_is_letter(c);
		digit = digit || pii_is_digit(c);
	}
	t->work += end - at;
	while (end > at && strchr(".!?:", pii_byte(t, end - 1)) != NULL)
		end--;
	int behind = pii_byte(t, end);
	bool code = behind == '(' || behind == '[' || pii_byte(t, at) == '$' || pii_byte(t, at) == '%';
	return letter && digit && end - at >= 6 && !code ? end : 0;
}

static size_t called_secret(struct pii_text *t, size_t at, size_t *ret_at)
{
	size_t end = at;
	enum called called = called_at(t, at, &end);
	size_t value = called != NOTHING ? value_after(t, end, called) : 0;
	if (value == 0)
		return 0;
	end = chosen(t, value);
	if (end == 0 || (called != PASSWORD && (end - value < 16 || !looks_random(t, value, end, 8))) || !looks_random(t, value, end, 4))
		return 0;
	*ret_at = value;
	return end;
}

size_t pii_secret(struct pii_text *t, size_t at, size_t *ret_at)
{
	*ret_at = at;
	if (pii_byte(t, at) == '-')
		return private_key(t, at);
	if (pii_is_digit(pii_byte(t, at)))
		return bot_token(t, at);
	int before = pii_before(t, at, 1);
	bool inside = before == '-' || before == '_'; /* of a longer key, which was looked at where it began */
	size_t end = 0;
	if (!inside && long_enough(t, at)) {
		end = issued(t, at);
		if (end == 0 && before != '.')
			end = web_token(t, at);
	}
	return end != 0 ? end : called_secret(t, at, ret_at);
}

/* "://user:password@host" */
size_t pii_userinfo(struct pii_text *t, size_t at, size_t *ret_at)
{
	enum { USERINFO_MAX = 128 };
	size_t colon = 0, i = at;
	for (; i > 0 && at - i < USERINFO_MAX; i--) {
		int c = pii_byte(t, i - 1);
		if (c <= ' ' || c == '@' || c == '"' || c == '<' || c == '>')
			return 0;
		if (c == '/')
			break;
		colon = c == ':' ? i : colon;
	}
	t->work += at - i;
	if (colon == 0 || i < 3 || !begins(t, i - 3, "://") || at - colon < 3 || pii_byte(t, colon) == '$' || pii_byte(t, colon) == '{')
		return 0;
	*ret_at = colon;
	return at;
}
