/*
 * strip.c: what mail programs and web editors put around the words of a person: HTML, the quoted earlier mail, a signature.
 *
 * The one idea: line by line and by the marks that mail programs really write; in doubt text stays. What would leave nothing
 * is undone, so a mail that is only a quotation is still read.
 */
#include "worker/route/text.h"

static struct str next_line(struct str s, size_t *at)
{
	const char *end = memchr(s.data + *at, '\n', s.len - *at);
	size_t stop = end != NULL ? (size_t)(end - s.data) : s.len;
	struct str line = {s.data + *at, stop - *at};
	*at = stop + 1;
	return line;
}

static bool starts_nocase(struct str s, const char *prefix)
{
	struct str p = str_of(prefix);
	return s.len >= p.len && str_eq_nocase((struct str){s.data, p.len}, p);
}

/* The line above a quotation: "On Mon, 3 Feb 2025, A. Person wrote:", and as other languages' programs write it. */
static bool is_quote_intro(struct str line)
{
	static const struct {
		const char *start, *word;
	} intros[] = {{"on ", "wrote"}, {"am ", "schrieb"}, {"le ", "\xC3\xA9" "crit"},
	              {"el ", "escribi\xC3\xB3"}, {"il ", "ha scritto"}};
	if (line.len > 300 || line.len == 0 || line.data[line.len - 1] != ':')
		return false;
	for (size_t i = 0; i < sizeof intros / sizeof intros[0]; i++)
		if (starts_nocase(line, intros[i].start) && memmem(line.data, line.len, intros[i].word, strlen(intros[i].word)) != NULL)
			return true;
	return false;
}

/* From here to the end everything is an earlier mail. */
static bool is_original_mark(struct str line)
{
	return starts_nocase(line, "-----original message-----") || starts_nocase(line, "---------- forwarded message") ||
	       starts_nocase(line, "-----urspr") || starts_nocase(line, "begin forwarded message:") ||
	       (line.len >= 20 && str_starts(line, STR("____________________")));
}

static struct str strip_quoted(struct str s, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, s.len + 1);
	for (size_t at = 0; at < s.len;) {
		struct str line = next_line(s, &at), trimmed = str_trim(line);
		if (is_original_mark(trimmed))
			break;
		if (str_starts(trimmed, STR(">")) || is_quote_intro(trimmed))
			continue;
		buf_str(&out, line);
		buf_char(&out, '\n');
	}
	return buf_view(&out);
}

static bool is_signature_mark(struct str line, struct str trimmed)
{
	return str_is(line, "-- ") || str_is(line, "-- \r") || str_is(trimmed, "--") || starts_nocase(trimmed, "sent from my ") ||
	       starts_nocase(trimmed, "get outlook for ") || starts_nocase(trimmed, "von meinem iphone gesendet");
}

/* RFC 3676 section 4.3 puts "-- " above a signature; phones put a line of their own. */
static struct str strip_signature(struct str s)
{
	for (size_t at = 0; at < s.len;) {
		size_t start = at;
		struct str line = next_line(s, &at);
		if (is_signature_mark(line, str_trim(line)))
			return (struct str){s.data, start};
	}
	return s;
}

struct entity {
	const char *name, *text;
};

/* Bytes read of the entity at s.data[at]; writes what it stands for. 0: it is a plain ampersand. */
static size_t entity(struct str s, size_t at, struct buf *out)
{
	static const struct entity known[] = {{"&amp;", "&"},   {"&lt;", "<"},     {"&gt;", ">"},  {"&quot;", "\""},
	                                      {"&apos;", "'"}, {"&#39;", "'"}, {"&nbsp;", " "}, {"&#160;", " "}};
	struct str rest = {s.data + at, s.len - at};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (str_starts(rest, str_of(known[i].name))) {
			buf_cstr(out, known[i].text);
			return strlen(known[i].name);
		}
	return 0;
}

static bool is_tag_start(struct str rest)
{
	if (rest.len < 3)
		return false;
	char c = rest.data[1];
	return c == '/' || c == '!' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Where the element that must not be read ends, or 0 when this is no such element. */
static size_t skip_element(struct str s, size_t at)
{
	static const char *const names[] = {"script", "style", "head"};
	struct str rest = {s.data + at + 1, s.len - at - 1};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t n = strlen(names[i]);
		if (!starts_nocase(rest, names[i]) || rest.len == n || (rest.data[n] != '>' && rest.data[n] != ' '))
			continue;
		for (size_t p = at; p + n + 2 <= s.len; p++)
			if (s.data[p] == '<' && s.data[p + 1] == '/' && starts_nocase((struct str){s.data + p + 2, s.len - p - 2}, names[i]))
				return p;
		return s.len; /* never closed */
	}
	return 0;
}

static bool breaks_line(struct str rest)
{
	static const char *const names[] = {"<br",  "<p",   "</p",  "<div", "</div", "<li",
	                                    "</li", "<tr", "</tr", "<h",   "</h",   "<blockquote"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (starts_nocase(rest, names[i]))
			return true;
	return false;
}

/* Where to go on after the "<" at s.data[at]; a line break where the tag makes one. A "<" that opens no tag is text. */
static size_t strip_tag(struct str s, size_t at, struct buf *out)
{
	struct str rest = {s.data + at, s.len - at};
	const char *end = is_tag_start(rest) ? memchr(rest.data, '>', rest.len < 4096 ? rest.len : 4096) : NULL;
	if (end == NULL) {
		buf_char(out, '<');
		return at + 1;
	}
	size_t skipped = skip_element(s, at);
	if (skipped != 0)
		return skipped;
	buf_char(out, breaks_line(rest) ? '\n' : ' ');
	return (size_t)(end - s.data) + 1;
}

static struct str strip_html(struct str s, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, s.len + 1);
	for (size_t at = 0; at < s.len;) {
		if (s.data[at] == '<') {
			at = strip_tag(s, at, &out);
			continue;
		}
		size_t n = s.data[at] == '&' ? entity(s, at, &out) : 0;
		if (n == 0) {
			buf_char(&out, s.data[at]);
			n = 1;
		}
		at += n;
	}
	return buf_view(&out);
}

static struct str unless_empty(struct str stripped, struct str before)
{
	return str_trim(stripped).len != 0 ? stripped : before;
}

struct str strip_text(struct str s, uint32_t bits, struct arena *arena)
{
	if ((bits & STRIP_HTML) != 0 && s.len != 0 && memchr(s.data, '<', s.len) != NULL)
		s = unless_empty(strip_html(s, arena), s);
	if ((bits & STRIP_QUOTED_REPLY) != 0 && s.len != 0)
		s = unless_empty(strip_quoted(s, arena), s);
	if ((bits & STRIP_SIGNATURE) != 0)
		s = unless_empty(strip_signature(s), s);
	return bits != 0 ? str_trim(s) : s;
}
