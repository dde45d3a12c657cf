/*
 * rows.c: rows from a file.
 *
 * The one idea of keeping a share: every place has a number by a hash, and a row is kept while its number is below a limit. When there
 * are too many, the limit is halved; what is kept in the end depends on the rows alone, not on their order.
 */
#include "worker/cli/rows_keep.h"

#include <stdlib.h>

#include "worker/cli/data_rows.h"

static const size_t MOST_BYTES = (size_t)1 << 30;

static uint64_t mix(uint64_t z) /* the end of splitmix64 (Steele, Lea, Flood 2014) */
{
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static struct str copy(struct arena *arena, struct str s) { return s.data != NULL ? arena_str(arena, s) : STR_NULL; }

/* All that is used of a row; the rest of its request stays behind. */
static struct dataset_row copy_row(const struct dataset_row *row, struct arena *arena)
{
	const struct request *from = &row->req;
	struct dataset_row to = {.line = row->line, .labelled = row->labelled, .label = copy(arena, row->label), .source = copy(arena, row->source)};
	to.req = (struct request){.id = copy(arena, from->id), .tenant = copy(arena, from->tenant), .route_hint = copy(arena, from->route_hint),
	                          .conversation_id = copy(arena, from->conversation_id), .temperature = from->temperature,
	                          .max_tokens = from->max_tokens, .message_count = from->message_count,
	                          .attribute_count = from->attribute_count, .embedding_len = from->embedding_len};
	to.req.messages = arena_array(arena, from->message_count, sizeof *to.req.messages);
	for (uint32_t i = 0; i < from->message_count; i++)
		to.req.messages[i] = (struct message){copy(arena, from->messages[i].role), copy(arena, from->messages[i].content)};
	to.req.attributes = arena_array(arena, from->attribute_count, sizeof *to.req.attributes);
	for (uint32_t i = 0; i < from->attribute_count; i++)
		to.req.attributes[i] = (struct attribute){copy(arena, from->attributes[i].name), copy(arena, from->attributes[i].value)};
	if (from->embedding_len != 0) {
		float *values = arena_array(arena, from->embedding_len, sizeof *values);
		memcpy(values, from->embedding, from->embedding_len * sizeof *values);
		to.req.embedding = values;
	}
	return to;
}

/* Half of the limit, and only what is below it, in fresh memory. */
static void halve(struct rows_keep *k)
{
	struct arena old = k->arena;
	uint32_t kept = 0;
	k->limit /= 2;
	arena_init(&k->arena, 1 << 20);
	for (uint32_t i = 0; i < k->count; i++)
		if (k->items[i].number < k->limit) {
			struct rows_kept item = k->items[i];
			item.row = copy_row(&item.row, &k->arena);
			k->items[kept++] = item;
		}
	k->count = kept;
	arena_free(&old);
}

static void keep_init(struct rows_keep *k, const struct rows_asked *asked)
{
	*k = (struct rows_keep){.limit = UINT64_MAX, .most = asked->most, .seed = mix(asked->seed + 1)};
	arena_init(&k->arena, 1 << 20);
}

void rows_keep_add(struct rows_keep *k, uint32_t part, const struct dataset_row *row)
{
	uint64_t number = mix(k->seed ^ mix(row->line ^ (uint64_t)part << 40));
	k->seen++;
	if (number >= k->limit)
		return;
	if (k->count == k->cap) {
		k->cap = k->cap != 0 ? k->cap * 2 : 1024;
		k->items = heap_resize(k->items, k->cap, sizeof *k->items);
	}
	k->items[k->count++] = (struct rows_kept){number, part, copy_row(row, &k->arena)};
	while (k->count > k->most || (k->arena.total_bytes > MOST_BYTES && k->count > 1))
		halve(k);
}

static int by_place(const void *a, const void *b)
{
	const struct rows_kept *x = a, *y = b;
	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return x->row.line < y->row.line ? -1 : x->row.line > y->row.line;
}

/* What was kept, in the order of its place; frees k. */
static void keep_end(struct rows_keep *k, struct rows *ret)
{
	if (k->count != 0)
		qsort(k->items, k->count, sizeof *k->items, by_place);
	ret->arena = k->arena;
	ret->all = arena_array(&ret->arena, k->count, sizeof *ret->all);
	for (uint32_t i = 0; i < k->count; i++)
		ret->all[i] = k->items[i].row;
	ret->count = k->count;
	ret->seen = k->seen;
	free(k->items);
}

static enum rc keep(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	(void)arena; /* what is kept is copied into memory of its own */
	(void)err;   /* any row is good */
	rows_keep_add(ctx, 0, row);
	return RC_OK;
}

static int read_file(const struct rows_asked *asked, struct rows_keep *k, int64_t *ret_bad)
{
	struct data_rows rows = {.path = asked->file, .fields = asked->fields, .skip_bad = asked->skip_bad, .bar = "reading, kB", .take = keep, .ctx = k};
	int code = data_rows_read(&rows);
	*ret_bad = rows.bad;
	return code;
}

int rows_read(const struct rows_asked *asked, struct rows *ret)
{
	struct rows_keep k;
	*ret = (struct rows){0};
	keep_init(&k, asked);
	int code = asked->file != NULL ? read_file(asked, &k, &ret->bad) : rows_read_topic(asked, &k, &ret->bad);
	keep_end(&k, ret);
	return code == EXIT_DONE ? data_rows_some(asked->file != NULL ? asked->file : asked->topic, ret->count, ret->bad) : code;
}

void rows_free(struct rows *rows)
{
	arena_free(&rows->arena);
}
