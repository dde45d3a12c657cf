/*
 * wordpiece.c: normalising, splitting and matching in one pass over the text.
 *
 * The one idea: each code point becomes its spelling (lower case, decomposed, without accents) by one table, and its bytes go
 * straight into the word that is being put together; at white space, and around what stands alone (punctuation, ideographs),
 * the word is matched against the vocabulary, always the longest piece first. Nothing is allocated.
 *
 * The table has two steps like fold.c's. It is wordpiece_table.inc, made by tests/scripts/make_wordpiece_table.py, which asks
 * the library that the model's table was made with. One thing is left out: Unicode would sort combining marks by class, and two
 * dozen marks of rare scripts that survive here could stand the other way round.
 */
#include "worker/route/wordpiece.h"

#include "worker/route/fold.h"
#include "worker/route/wordpiece_table.inc"

enum {
	ENTRY_SAME, ENTRY_DROP, ENTRY_SPACE, ENTRY_ALONE, ENTRY_HANGUL, ENTRY_POOL, /* as in the script */
	BLOCK_SHIFT = 7,
	WORD_CHARS = 100,            /* a longer word is unknown */
	WORD_BYTES = WORD_CHARS * 4,
	PIECE_BYTES = 255,           /* no piece is longer */
	SLOTS = 1 << 17,
	PIECES = 65535,
};

struct piece {
	uint32_t at;
	uint8_t len;
	bool inner; /* ##: not at the beginning of a word */
};

struct wordpiece {
	const char *text;
	struct piece *pieces;
	uint16_t *slots; /* id + 1; 0: empty */
	uint32_t count, unknown;
	size_t longest; /* bytes of the longest piece */
};

struct splitter {
	const struct wordpiece *vocabulary;
	uint32_t *ids;
	uint32_t count, max;
	size_t bytes;
	uint32_t chars;
	char word[WORD_BYTES];
};

/* FNV-1a, 32 bits (Fowler, Noll, Vo); grows by one byte. */
static uint32_t hash_start(bool inner)
{
	return inner ? 0x811C9DC5u ^ 0x9E3779B9u : 0x811C9DC5u;
}
static uint32_t hash_byte(uint32_t hash, char byte)
{
	return (hash ^ (unsigned char)byte) * 16777619u;
}
static uint32_t slot_of(uint32_t hash)
{
	return (hash ^ hash >> 15) & (SLOTS - 1);
}

/* The id of the piece, or -1. */
static int32_t find(const struct wordpiece *w, uint32_t hash, const char *bytes, size_t len, bool inner)
{
	for (uint32_t slot = slot_of(hash); w->slots[slot] != 0; slot = (slot + 1) & (SLOTS - 1)) {
		const struct piece *p = &w->pieces[w->slots[slot] - 1];
		if (p->len == len && p->inner == inner && memcmp(w->text + p->at, bytes, len) == 0)
			return w->slots[slot] - 1;
	}
	return -1;
}

static void add_piece(struct wordpiece *w, struct str line)
{
	bool inner = line.len > 2 && str_starts(line, STR("##"));
	struct str bytes = inner ? (struct str){line.data + 2, line.len - 2} : line;
	uint32_t hash = hash_start(inner);
	for (size_t i = 0; i < bytes.len; i++)
		hash = hash_byte(hash, bytes.data[i]);
	uint32_t slot = slot_of(hash);
	while (w->slots[slot] != 0)
		slot = (slot + 1) & (SLOTS - 1);
	w->pieces[w->count] = (struct piece){(uint32_t)(bytes.data - w->text), (uint8_t)bytes.len, inner};
	w->slots[slot] = (uint16_t)++w->count;
	if (bytes.len > w->longest)
		w->longest = bytes.len;
}

enum rc wordpiece_open(struct str vocabulary, struct arena *arena, struct wordpiece **ret, struct err *err)
{
	uint32_t lines = 0;
	for (size_t i = 0; i < vocabulary.len; i++)
		lines += vocabulary.data[i] == '\n';
	if (vocabulary.len > UINT32_MAX || lines == 0 || lines > PIECES)
		return err_set(err, RC_BAD_INPUT, "a vocabulary has 1 to %d lines, not %u", PIECES, lines);
	struct wordpiece *w = arena_zalloc(arena, sizeof *w);
	w->text = vocabulary.data;
	w->pieces = arena_array(arena, lines, sizeof *w->pieces);
	w->slots = arena_array(arena, SLOTS, sizeof *w->slots);
	memset(w->slots, 0, SLOTS * sizeof *w->slots);
	w->unknown = UINT32_MAX;
	for (size_t at = 0; w->count < lines;) {
		const char *end = memchr(vocabulary.data + at, '\n', vocabulary.len - at);
		struct str line = {vocabulary.data + at, (size_t)(end - vocabulary.data) - at};
		if (line.len == 0 || line.len > PIECE_BYTES)
			return err_set(err, RC_BAD_INPUT, "line %u of the vocabulary is no piece of 1 to %d bytes", w->count + 1, PIECE_BYTES);
		if (str_is(line, "[UNK]"))
			w->unknown = w->count;
		add_piece(w, line);
		at += line.len + 1;
	}
	if (w->unknown == UINT32_MAX)
		return err_set(err, RC_BAD_INPUT, "the vocabulary has no [UNK]");
	*ret = w;
	return RC_OK;
}

uint32_t wordpiece_count(const struct wordpiece *w) { return w->count; }
uint32_t wordpiece_unknown(const struct wordpiece *w) { return w->unknown; }

/* The longest piece that the word goes on with at start; its length is *ret_len. */
static int32_t longest(const struct splitter *s, size_t start, size_t *ret_len)
{
	bool inner = start != 0;
	uint32_t hash = hash_start(inner);
	int32_t best = -1;
	for (size_t len = 1; start + len <= s->bytes && len <= s->vocabulary->longest; len++) {
		hash = hash_byte(hash, s->word[start + len - 1]);
		int32_t id = find(s->vocabulary, hash, s->word + start, len, inner);
		if (id < 0)
			continue;
		best = id;
		*ret_len = len;
	}
	return best;
}

static void push(struct splitter *s, uint32_t id)
{
	if (s->count < s->max)
		s->ids[s->count++] = id;
}

/* The word is whole: its pieces, or unknown as a whole. */
static void end_word(struct splitter *s)
{
	uint32_t before = s->count;
	bool known = s->chars <= WORD_CHARS;
	for (size_t at = 0, len = 0; known && at < s->bytes; at += len) {
		int32_t id = longest(s, at, &len);
		known = id >= 0;
		if (known)
			push(s, (uint32_t)id);
	}
	if (!known) {
		s->count = before;
		push(s, s->vocabulary->unknown);
	}
	s->bytes = 0;
	s->chars = 0;
}

static void add_bytes(struct splitter *s, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->chars += ((unsigned char)bytes[i] & 0xC0) != 0x80;
	if (s->chars > WORD_CHARS)
		return;
	memcpy(s->word + s->bytes, bytes, len);
	s->bytes += len;
}

static void add_alone(struct splitter *s, const char *bytes, size_t len)
{
	if (s->chars != 0)
		end_word(s);
	add_bytes(s, bytes, len);
	end_word(s);
}

static void add_code(struct splitter *s, uint32_t c)
{
	char bytes[3] = {(char)(0xE0 | c >> 12), (char)(0x80 | (c >> 6 & 0x3F)), (char)(0x80 | (c & 0x3F))};
	add_bytes(s, bytes, sizeof bytes);
}

/* Unicode 3.12: a syllable is its two or three jamo. */
static void add_hangul(struct splitter *s, uint32_t c)
{
	uint32_t index = c - 0xAC00;
	add_code(s, 0x1100 + index / 588);
	add_code(s, 0x1161 + index % 588 / 28);
	if (index % 28 != 0)
		add_code(s, 0x11A7 + index % 28);
}

static void add_char(struct splitter *s, uint32_t c, const char *bytes, size_t len)
{
	uint32_t block = c >> BLOCK_SHIFT;
	uint32_t entry = table_entry[(uint32_t)table_block[block < TABLE_BLOCKS ? block : TABLE_BLOCKS - 1] << BLOCK_SHIFT | (c & 0x7F)];
	switch (entry) {
	case ENTRY_SAME: add_bytes(s, bytes, len); return;
	case ENTRY_DROP: return;
	case ENTRY_SPACE:
		if (s->chars != 0)
			end_word(s);
		return;
	case ENTRY_ALONE: add_alone(s, bytes, len); return;
	case ENTRY_HANGUL: add_hangul(s, c); return;
	default: break;
	}
	const uint8_t *spelled = &table_pool[entry - ENTRY_POOL];
	if (*spelled & 0x80)
		add_alone(s, (const char *)spelled + 1, *spelled & 0x7F);
	else
		add_bytes(s, (const char *)spelled + 1, *spelled);
}

uint32_t wordpiece_encode(const struct wordpiece *w, struct str text, uint32_t *ids, uint32_t max)
{
	struct splitter s = {.vocabulary = w, .ids = ids, .max = max};
	for (size_t at = 0, len; at < text.len && s.count < max; at += len) {
		uint32_t c = fold_decode(text, at, &len);
		add_char(&s, c, text.data + at, len);
	}
	if (s.chars != 0)
		end_word(&s);
	return s.count;
}
