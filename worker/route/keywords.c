/*
 * keywords.c: multi-pattern search of literals.
 *
 * The one idea: the library finds folded bytes, and what it cannot know (where words end in Unicode) is checked at each
 * match, which are few. A literal that stands in several lists is searched once. Of several keywords of a list the one that
 * ends first in the text is named, then the one added first, so that the reason given does not depend on the library's order.
 */
#include "worker/route/keywords.h"

#include <hs.h>
#include <stdlib.h>

#include "worker/route/fold.h"

struct literal {
	char *folded, *written;
	unsigned bytes;
	uint32_t list;
	uint32_t order;         /* in which it was added */
	bool word_head, word_tail; /* its ends are word characters, so the neighbours must not be */
};

/* A run of equal literals: one pattern of the library, several lists. */
struct group {
	uint32_t first, count;
};

struct keywords {
	struct literal *literals; /* sorted by folded bytes after the compile */
	uint32_t count, capacity, lists;
	struct group *groups;
	uint32_t group_count;
	hs_database_t *database; /* NULL: no literal at all */
};

struct keywords_scan {
	const struct keywords *keywords;
	hs_scratch_t *scratch;
	char *folded; /* grows to the longest text seen */
	size_t capacity;
	struct str text;
	/* by list */
	uint32_t *found; /* literal + 1; 0: none */
	unsigned long long *end;
};

struct keywords *keywords_new(void)
{
	return heap_zalloc(1, sizeof(struct keywords));
}

void keywords_free(struct keywords *keywords)
{
	if (keywords == NULL)
		return;
	for (uint32_t i = 0; i < keywords->count; i++) {
		free(keywords->literals[i].folded);
		free(keywords->literals[i].written);
	}
	free(keywords->literals);
	free(keywords->groups);
	if (keywords->database != NULL)
		(void)hs_free_database(keywords->database); /* fails only for a pointer that is no database */
	free(keywords);
}

uint32_t keywords_list(struct keywords *keywords)
{
	return keywords->lists++;
}

uint32_t keywords_count(const struct keywords *keywords)
{
	return keywords->group_count;
}

static char *copy(const char *data, size_t bytes)
{
	char *p = heap_alloc(bytes + 1);
	memcpy(p, data, bytes);
	p[bytes] = '\0';
	return p;
}

enum rc keywords_add(struct keywords *keywords, struct str word, struct err *err)
{
	char folded[FOLD_GROWTH * KEYWORD_MAX_BYTES];
	if (word.len > KEYWORD_MAX_BYTES)
		return err_set(err, RC_BAD_INPUT, "a keyword is longer than %d bytes: \"%.40s...\"", KEYWORD_MAX_BYTES, word.data);
	struct str f = str_trim((struct str){folded, fold_text(word, folded)});
	if (f.len == 0)
		return err_set(err, RC_BAD_INPUT, "a keyword is empty");
	if (keywords->count == KEYWORDS_MAX)
		return err_set(err, RC_BAD_INPUT, "there are more than %d keywords", KEYWORDS_MAX);
	if (keywords->count == keywords->capacity) {
		keywords->capacity = keywords->capacity != 0 ? keywords->capacity * 2 : 64;
		keywords->literals = heap_resize(keywords->literals, keywords->capacity, sizeof *keywords->literals);
	}
	size_t bytes;
	keywords->literals[keywords->count] = (struct literal){
		.folded = copy(f.data, f.len),
		.written = copy(word.data, word.len),
		.bytes = (unsigned)f.len,
		.list = keywords->lists - 1,
		.order = keywords->count,
		.word_head = fold_is_word(fold_decode(f, 0, &bytes)),
		.word_tail = fold_is_word(fold_decode_before(f, f.len)),
	};
	keywords->count++;
	return RC_OK;
}

static int by_folded(const void *a, const void *b)
{
	const struct literal *x = a, *y = b;
	int c = str_cmp((struct str){x->folded, x->bytes}, (struct str){y->folded, y->bytes});
	return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

static void make_groups(struct keywords *keywords)
{
	qsort(keywords->literals, keywords->count, sizeof *keywords->literals, by_folded);
	keywords->groups = heap_zalloc(keywords->count, sizeof *keywords->groups);
	for (uint32_t i = 0; i < keywords->count; i++) {
		const struct literal *l = &keywords->literals[i], *before = i != 0 ? l - 1 : NULL;
		if (before != NULL && before->bytes == l->bytes && memcmp(before->folded, l->folded, l->bytes) == 0)
			keywords->groups[keywords->group_count - 1].count++;
		else
			keywords->groups[keywords->group_count++] = (struct group){i, 1};
	}
}

enum rc keywords_compile(struct keywords *keywords, struct err *err)
{
	if (keywords->count == 0)
		return RC_OK;
	make_groups(keywords);
	uint32_t n = keywords->group_count;
	const char **texts = heap_zalloc(n, sizeof *texts);
	size_t *lengths = heap_zalloc(n, sizeof *lengths);
	unsigned *flags = heap_zalloc(n, sizeof *flags), *ids = heap_zalloc(n, sizeof *ids);
	for (uint32_t i = 0; i < n; i++) {
		const struct literal *l = &keywords->literals[keywords->groups[i].first];
		texts[i] = l->folded;
		lengths[i] = l->bytes;
		ids[i] = i;
	}
	hs_compile_error_t *why = NULL;
	enum rc rc = RC_OK;
	if (hs_compile_lit_multi(texts, flags, ids, lengths, n, HS_MODE_BLOCK, NULL, &keywords->database, &why) != HS_SUCCESS) {
		rc = err_set(err, RC_BAD_INPUT, "the keywords do not compile: %s", why != NULL ? why->message : "unknown reason");
		(void)hs_free_compile_error(why); /* NULL is fine */
	}
	free(ids);
	free(flags);
	free(lengths);
	free(texts);
	return rc;
}

struct keywords_scan *keywords_scan_new(const struct keywords *keywords)
{
	struct keywords_scan *scan = heap_zalloc(1, sizeof *scan);
	scan->keywords = keywords;
	scan->found = heap_zalloc(keywords->lists, sizeof *scan->found);
	scan->end = heap_zalloc(keywords->lists, sizeof *scan->end);
	if (keywords->database != NULL && hs_alloc_scratch(keywords->database, &scan->scratch) != HS_SUCCESS)
		abort(); /* out of memory is the only cause for a database that compiled here */
	return scan;
}

void keywords_scan_free(struct keywords_scan *scan)
{
	if (scan == NULL)
		return;
	if (scan->scratch != NULL)
		(void)hs_free_scratch(scan->scratch); /* fails only while in use */
	free(scan->found);
	free(scan->end);
	free(scan->folded);
	free(scan);
}

static bool at_boundaries(const struct literal *l, struct str text, size_t start, size_t end)
{
	size_t bytes;
	return (!l->word_head || start == 0 || !fold_is_word(fold_decode_before(text, start))) &&
	       (!l->word_tail || end == text.len || !fold_is_word(fold_decode(text, end, &bytes)));
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx)
{
	(void)from; /* not computed for literals: the length is known */
	(void)flags; /* always 0 */
	struct keywords_scan *scan = ctx;
	const struct group *g = &scan->keywords->groups[id];
	const struct literal *l = &scan->keywords->literals[g->first];
	bool wanted = false;
	for (uint32_t i = 0; i < g->count && !wanted; i++)
		wanted = scan->found[l[i].list] == 0 || scan->end[l[i].list] >= to;
	if (!wanted || !at_boundaries(l, scan->text, (size_t)to - l->bytes, (size_t)to))
		return 0;
	for (uint32_t i = 0; i < g->count; i++) {
		uint32_t list = l[i].list, before = scan->found[list];
		bool sooner = before == 0 || to < scan->end[list];
		if (sooner || (to == scan->end[list] && l[i].order < scan->keywords->literals[before - 1].order)) {
			scan->found[list] = g->first + i + 1;
			scan->end[list] = to;
		}
	}
	return 0;
}

void keywords_run(const struct keywords *keywords, struct keywords_scan *scan, struct str text)
{
	memset(scan->found, 0, keywords->lists * sizeof *scan->found);
	if (keywords->database == NULL || text.len == 0)
		return;
	if (scan->capacity < text.len * FOLD_GROWTH) {
		free(scan->folded);
		scan->capacity = text.len * FOLD_GROWTH;
		scan->folded = heap_alloc(scan->capacity);
	}
	scan->text = (struct str){scan->folded, fold_text(text, scan->folded)};
	unsigned bytes = scan->text.len < UINT32_MAX ? (unsigned)scan->text.len : UINT32_MAX;
	if (hs_scan(keywords->database, scan->folded, bytes, 0, scan->scratch, on_match, scan) != HS_SUCCESS)
		abort(); /* a scratch of another database, or in use: a bug */
}

struct str keywords_found(const struct keywords *keywords, const struct keywords_scan *scan, uint32_t list)
{
	uint32_t at = scan->found[list];
	return at != 0 ? str_of(keywords->literals[at - 1].written) : STR_NULL;
}
