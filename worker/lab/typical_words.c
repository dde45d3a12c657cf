/*
 * typical_words.c: counted words.
 *
 * The one idea: a word is typical by its part of the divergence between the group and all texts: p ln(p / q), p the share of the
 * group's texts that hold it and q that of all texts. So it must be frequent in the group and not elsewhere.
 */
#include "worker/lab/typical_words.h"

#include <stdlib.h>

#include "worker/route/elementary.h"
#include "worker/route/fold.h"

enum { LONGEST_WORD = 16, SHORTEST_WORD = 3, READ_BYTES = 4000, MOST_WORDS = 1 << 20, LEAST_TEXTS = 3 };
static const double LEAST_SHARE = 0.05, FREQUENT_ELSEWHERE = 0.5;

/* Words that say how a sentence is built, not what it is about; sorted. */
static const char *const plain_words[] = {
	"about", "after", "all", "also", "and", "any", "are", "because", "been", "before", "but", "can", "cannot", "could", "did", "does", "for", "from",
	"get", "had", "has", "have", "her", "here", "him", "his", "how", "into", "its", "just", "let", "like", "may", "more", "most", "not", "now", "our",
	"out", "please", "she", "should", "some", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "was", "were",
	"what", "when", "where", "which", "while", "who", "why", "will", "with", "would", "you", "your"};
enum { PLAIN_WORDS = sizeof plain_words / sizeof plain_words[0] };

static int by_text(const void *key, const void *element)
{
	return strcmp(key, *(const char *const *)element);
}

/* One word in one group (group 0 to groups - 1), or in all texts (group = groups). */
struct entry {
	char word[LONGEST_WORD + 1]; /* empty: the place is free */
	uint32_t group, texts, last_text; /* last_text: one more than the text that counted last */
};
struct words {
	struct entry *table;
	uint32_t cap, used;
};

static uint32_t hash_of(const char *word, uint32_t group)
{
	uint32_t h = UINT32_C(2166136261) ^ group * UINT32_C(2654435761); /* FNV-1a */
	for (; *word != '\0'; word++)
		h = (h ^ (unsigned char)*word) * UINT32_C(16777619);
	return h ^ h >> 15;
}

static struct entry *find(struct words *w, const char *word, uint32_t group)
{
	for (uint32_t at = hash_of(word, group) & (w->cap - 1);; at = (at + 1) & (w->cap - 1)) {
		struct entry *e = &w->table[at];
		if (e->word[0] == '\0' || (e->group == group && strcmp(e->word, word) == 0))
			return e;
	}
}

static void grow(struct words *w)
{
	struct words more = {.cap = w->cap != 0 ? w->cap * 2 : 4096, .used = w->used};
	more.table = heap_zalloc(more.cap, sizeof *more.table);
	for (uint32_t i = 0; i < w->cap; i++)
		if (w->table[i].word[0] != '\0')
			*find(&more, w->table[i].word, w->table[i].group) = w->table[i];
	free(w->table);
	*w = more;
}

static void count(struct words *w, const char *word, uint32_t group, uint32_t text)
{
	if (w->used >= w->cap / 2 && w->cap < MOST_WORDS)
		grow(w);
	struct entry *e = find(w, word, group);
	if (e->word[0] == '\0') {
		if (w->used >= w->cap / 4 * 3)
			return; /* a million words: names are found among those that came first */
		w->used++;
		memcpy(e->word, word, strlen(word) + 1);
		e->group = group;
	}
	if (e->last_text != text + 1)
		e->texts++;
	e->last_text = text + 1;
}

/* Words of letters only: numbers, codes and addresses are what differs between texts of a kind. */
static void count_text(struct words *w, const struct typical_text *text, uint32_t index, uint32_t groups, char *folded)
{
	struct str s = {text->text.data, str_utf8_cut(text->text, READ_BYTES)};
	size_t n = fold_text(s, folded);
	for (size_t at = 0; at < n;) {
		char word[LONGEST_WORD + 1];
		size_t len = 0;
		bool plain = true;
		for (; at < n && (unsigned char)folded[at] > ' ' && strchr(".,;:!?()\"/-", folded[at]) == NULL; at++) {
			plain = plain && folded[at] >= 'a' && folded[at] <= 'z';
			if (len < LONGEST_WORD + 1)
				word[len++] = folded[at];
		}
		at++;
		if (!plain || len < SHORTEST_WORD || len > LONGEST_WORD)
			continue;
		word[len] = '\0';
		if (bsearch(word, plain_words, PLAIN_WORDS, sizeof plain_words[0], by_text) != NULL)
			continue;
		count(w, word, text->group, index);
		count(w, word, groups, index);
	}
}

struct best {
	const char *words[TYPICAL_WORDS];
	double scores[TYPICAL_WORDS];
};

/* card and cards, arrive and arrived: one of them is enough. */
static bool is_kin(const char *a, const char *b)
{
	size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b), same = 0;
	while (same < n && a[same] == b[same])
		same++;
	return same >= SHORTEST_WORD && same + 1 >= n;
}

static bool is_better(double score, const char *word, double than, const char *than_word)
{
	return than_word == NULL || score > than || (score >= than && strcmp(word, than_word) < 0);
}

static void offer(struct best *b, const char *word, double score)
{
	int at = TYPICAL_WORDS;
	for (int i = TYPICAL_WORDS - 1; i >= 0; i--)
		if (b->words[i] != NULL && is_kin(word, b->words[i])) {
			if (!is_better(score, word, b->scores[i], b->words[i]))
				return;
			for (int k = i; k + 1 < TYPICAL_WORDS; k++) { /* the kin goes, and the word is offered to what is left */
				b->words[k] = b->words[k + 1];
				b->scores[k] = b->scores[k + 1];
			}
			b->words[TYPICAL_WORDS - 1] = NULL;
		}
	while (at > 0 && is_better(score, word, b->scores[at - 1], b->words[at - 1]))
		at--;
	if (at == TYPICAL_WORDS)
		return;
	for (int k = TYPICAL_WORDS - 1; k > at; k--) {
		b->words[k] = b->words[k - 1];
		b->scores[k] = b->scores[k - 1];
	}
	b->words[at] = word;
	b->scores[at] = score;
}

static int by_word(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
	int c = strcmp(x->word, y->word);
	return c != 0 ? c : (x->group > y->group) - (x->group < y->group);
}

static void offer_all(struct words *w, const uint32_t *sizes, uint32_t groups, uint32_t total, struct best *best)
{
	uint32_t n = 0;
	struct entry **sorted = heap_zalloc((size_t)w->used + 1, sizeof(struct entry *));
	for (uint32_t i = 0; i < w->cap; i++)
		if (w->table[i].word[0] != '\0' && w->table[i].group < groups && w->table[i].texts >= LEAST_TEXTS)
			sorted[n++] = &w->table[i];
	qsort(sorted, n, sizeof(struct entry *), by_word);
	for (uint32_t i = 0; i < n; i++) {
		double p = (double)sorted[i]->texts / sizes[sorted[i]->group], q = (double)find(w, sorted[i]->word, groups)->texts / total;
		if (p >= LEAST_SHARE && p > q && (groups == 1 || q < FREQUENT_ELSEWHERE))
			offer(&best[sorted[i]->group], sorted[i]->word, p * elementary_log(p / q));
	}
	free(sorted);
}

static struct str name_of(const struct best *b, uint32_t group, const struct str *names, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, TYPICAL_NAME);
	for (int i = 0; i < TYPICAL_WORDS && b->words[i] != NULL; i++)
		if (out.len + strlen(b->words[i]) + 1 < TYPICAL_NAME)
			buf_printf(&out, "%s%s", out.len != 0 ? "_" : "", b->words[i]);
	if (out.len == 0)
		buf_printf(&out, "group_%u", group + 1);
	for (uint32_t i = 0; i < group; i++)
		if (str_eq(names[i], buf_view(&out))) {
			buf_printf(&out, "_%u", group + 1);
			break;
		}
	return buf_view(&out);
}

struct str *typical_words_name(const struct typical_text *texts, uint32_t count_of, uint32_t groups, struct arena *arena)
{
	struct words w = {0};
	struct str *names = arena_array(arena, groups, sizeof *names);
	struct best *best = heap_zalloc((size_t)groups + 1, sizeof *best);
	uint32_t *sizes = heap_zalloc((size_t)groups + 1, sizeof *sizes);
	char *folded = heap_alloc(READ_BYTES * FOLD_GROWTH + 1);
	grow(&w);
	for (uint32_t i = 0; i < count_of; i++) {
		sizes[texts[i].group]++;
		count_text(&w, &texts[i], i, groups, folded);
	}
	offer_all(&w, sizes, groups, count_of, best);
	for (uint32_t g = 0; g < groups; g++)
		names[g] = name_of(&best[g], g, names, arena);
	free(folded);
	free(sizes);
	free(best);
	free(w.table);
	return names;
}
