/*
 * text.c: from a record's messages to the text that stages read.
 *
 * The one idea: what is read is decided once, before any stage, so every stage and the cache key see the same bytes. Lengths
 * are counted before the cut, so that "longer than 6,000 characters" works whatever max_chars is. The answering model does
 * not get this text: it gets the messages.
 */
#include "worker/route/text.h"

#include "worker/route/language.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "eight bytes are read as a number whose lowest byte is the first");
/* Eight times the same byte. */
#define BYTES(b) ((uint64_t)(b) * UINT64_C(0x0101010101010101))

static bool is_user(const struct message *m)
{
	return str_is(m->role, "user");
}

static struct str join(const struct request *req, bool users_only, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 0);
	for (uint32_t i = 0; i < req->message_count; i++) {
		if (users_only && !is_user(&req->messages[i]))
			continue;
		if (out.len != 0)
			buf_cstr(&out, "\n\n");
		buf_str(&out, req->messages[i].content);
	}
	return buf_view(&out);
}

struct str text_use(int use, const struct request *req, struct arena *arena)
{
	if (req->message_count == 0)
		return STR("");
	uint32_t users = 0, first = 0, last = req->message_count - 1;
	for (uint32_t i = 0; i < req->message_count; i++) {
		if (!is_user(&req->messages[i]))
			continue;
		if (users++ == 0)
			first = i;
		last = i;
	}
	if (use == TEXT_ALL && req->message_count > 1)
		return join(req, false, arena);
	if (use == TEXT_ALL_USER && users > 1)
		return join(req, true, arena);
	uint32_t at = use == TEXT_FIRST_USER && users != 0 ? first : last; /* without a user: the last message */
	return req->messages[at].content.data != NULL ? req->messages[at].content : STR("");
}

struct counts {
	uint64_t chars, words, ascii, letters, wide;
	bool in_word;
};

static void count_byte(struct counts *n, unsigned char c)
{
	bool blank = c <= ' ';
	n->words += !blank && !n->in_word;
	n->in_word = !blank;
	n->chars += (c & 0xC0) != 0x80;
	n->ascii += c < 0x80;
	n->letters += c >= 0xC2 && c < 0xE0;
	n->wide += c >= 0xE0;
}

/* Eight ASCII bytes at once. A byte's top bit stands for "not blank"; a word starts where its lower neighbour has none. */
static void count_eight(struct counts *n, uint64_t eight)
{
	uint64_t solid = (eight + BYTES(0x80 - (' ' + 1))) & BYTES(0x80);
	uint64_t starts = solid & ~(solid << 8 | (n->in_word ? 0x80u : 0));
	n->words += (starts >> 7) * BYTES(0x01) >> 56;
	n->in_word = solid >> 63 != 0;
	n->chars += 8;
	n->ascii += 8;
}

/* Tokens as language models count them, roughly: four ASCII bytes, two letters of other alphabets, one ideograph. */
static void count(struct str s, struct text *text)
{
	struct counts n = {0};
	size_t i = 0;
	while (i < s.len) {
		uint64_t eight;
		if (s.len - i >= 8 && (memcpy(&eight, s.data + i, 8), (eight & BYTES(0x80)) == 0)) {
			count_eight(&n, eight);
			i += 8;
			continue;
		}
		count_byte(&n, (unsigned char)s.data[i++]);
	}
	uint64_t tokens = (n.ascii + 3) / 4 + (n.letters + 1) / 2 + n.wide;
	text->chars = n.chars < UINT32_MAX ? (uint32_t)n.chars : UINT32_MAX;
	text->words = n.words < UINT32_MAX ? (uint32_t)n.words : UINT32_MAX;
	text->tokens_est = tokens < UINT32_MAX ? (uint32_t)tokens : UINT32_MAX;
}

/* Byte offset of the n-th character from the start (at most the length). */
static size_t skip_chars(struct str s, uint32_t n)
{
	size_t i = 0;
	while (i < s.len && n != 0) {
		i++;
		while (i < s.len && ((unsigned char)s.data[i] & 0xC0) == 0x80)
			i++;
		n--;
	}
	return i;
}

static size_t skip_chars_back(struct str s, uint32_t n)
{
	size_t i = s.len;
	while (i > 0 && n != 0) {
		i--;
		while (i > 0 && ((unsigned char)s.data[i] & 0xC0) == 0x80)
			i--;
		n--;
	}
	return i;
}

/* Head and tail, for the question stands at either end of a long prompt; a line break takes the place of the middle. */
static struct str cut(struct str s, uint32_t chars, uint32_t max_chars, struct arena *arena)
{
	if (chars <= max_chars)
		return s;
	uint32_t tail = (max_chars - 1) / 2, head = max_chars - 1 - tail;
	size_t head_bytes = skip_chars(s, head), tail_at = skip_chars_back(s, tail);
	struct buf out;
	buf_init(&out, arena, head_bytes + 1 + (s.len - tail_at));
	buf_add(&out, s.data, head_bytes);
	buf_char(&out, '\n');
	buf_add(&out, s.data + tail_at, s.len - tail_at);
	return buf_view(&out);
}

struct str text_cut(struct str s, uint32_t max_chars, struct arena *arena)
{
	size_t chars = s.len > max_chars ? str_utf8_count(s) : 0;
	return cut(s, chars < UINT32_MAX ? (uint32_t)chars : UINT32_MAX, max_chars, arena);
}

struct text *text_read(const struct text_rules *rules, const struct request *req, struct arena *arena)
{
	struct text *text = arena_zalloc(arena, sizeof *text);
	struct str s = strip_text(text_use(rules->use, req, arena), rules->strip, arena);
	count(s, text);
	text->shown = cut(s, text->chars, rules->max_chars, arena);
	return text;
}

struct text *text_whole(const struct request *req, struct arena *arena)
{
	struct text *text = arena_zalloc(arena, sizeof *text);
	struct buf out;
	buf_init(&out, arena, 0);
	bool alone = req->message_count == 1 && req->attribute_count == 0;
	for (uint32_t i = 0; !alone && i < req->message_count + req->attribute_count; i++) {
		if (i != 0)
			buf_cstr(&out, "\n\n");
		buf_str(&out, i < req->message_count ? req->messages[i].content : req->attributes[i - req->message_count].value);
	}
	text->shown = alone && req->messages[0].content.data != NULL ? req->messages[0].content : buf_view(&out);
	count(text->shown, text);
	return text;
}

uint32_t text_tokens(struct str s)
{
	struct text text;
	count(s, &text);
	return text.tokens_est;
}

const char *text_language(struct text *text)
{
	if (text->language == NULL)
		text->language = language_guess(text->shown);
	return text->language;
}

static bool starts_with_one_of(struct str line, const char *const *starts)
{
	for (; *starts != NULL; starts++)
		if (str_starts(line, str_of(*starts)))
			return true;
	return false;
}

/* Words that begin lines of prose too count only with punctuation of code, or indented. */
static bool code_line(struct str line)
{
	static const char *const sure[] = {"#include", "Traceback (", "File \"", "</", "<?", "$ ", "func ", "fn ", NULL};
	static const char *const likely[] = {"import ", "from ",  "def ",   "class ",  "public ",   "private ", "const ", "var ", "let ",
	                                     "return",  "if (",   "for (",  "while (", "function ", "SELECT ",  "at ",    NULL};
	bool indented = str_starts(line, STR("\t")) || str_starts(line, STR("    "));
	line = str_trim(line);
	if (line.len == 0)
		return false;
	char last = line.data[line.len - 1];
	if (last == ';' || last == '{' || last == '}' || starts_with_one_of(line, sure))
		return true;
	bool marked = memchr(line.data, '(', line.len) != NULL || memchr(line.data, '=', line.len) != NULL || last == ':';
	return (indented || marked) && starts_with_one_of(line, likely);
}

bool text_has_code(struct str s)
{
	enum { ENOUGH_LINES = 2 };
	unsigned lines = 0;
	for (size_t at = 0; at < s.len;) {
		const char *end = memchr(s.data + at, '\n', s.len - at);
		size_t next = end != NULL ? (size_t)(end - s.data) : s.len;
		struct str line = {s.data + at, next - at};
		if (str_starts(str_trim(line), STR("```")))
			return true;
		lines += code_line(line);
		if (lines >= ENOUGH_LINES)
			return true;
		at = next + 1;
	}
	return false;
}
