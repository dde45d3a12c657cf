/*
 * embed_report.c: rows that say nearly the same, and what asking once for each such group would save.
 *
 * The one idea: savings are counted in what is certain: calls, and the tokens read by them. How long an answer would have been is not
 * known, so its price is left out, and the report says so.
 */
#include "worker/cli/embed.h"

#include <stdlib.h>

#include "common/json.h"
#include "worker/cli/cli_table.h"
#include "worker/upstream/upstream.h"

enum { GROUPS_SHOWN = 20, IDS_SHOWN = 4, ID_BYTES = 24 };

struct group {
	uint32_t leader, size, first; /* first: place of its members in order */
	float least;                  /* cosine */
	int64_t tokens;               /* of the members but the leader */
};

struct groups {
	struct group *all; /* the largest first; of equals the earlier */
	uint32_t *members; /* rows, by group; each group's first is its leader */
	uint32_t count;
	int64_t calls, tokens; /* that could be saved */
};

static int by_size(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return (x->leader > y->leader) - (x->leader < y->leader);
}

/* Groups of two and more. */
static struct groups collect(const struct embed_repeats *repeats)
{
	uint32_t rows = near_duplicates_count(repeats->found), place = 0;
	uint32_t *sizes = heap_zalloc((size_t)rows + 1, sizeof *sizes), *of = heap_zalloc((size_t)rows + 1, sizeof *of);
	struct groups g = {.members = heap_zalloc((size_t)rows + 1, sizeof *g.members)};
	float cosine;
	for (uint32_t i = 0; i < rows; i++)
		sizes[near_duplicates_of(repeats->found, i, &cosine)]++;
	for (uint32_t i = 0; i < rows; i++)
		g.count += sizes[i] > 1;
	g.all = heap_zalloc((size_t)g.count + 1, sizeof *g.all);
	g.count = 0;
	for (uint32_t i = 0; i < rows; i++) { /* a leader comes before its members */
		uint32_t leader = near_duplicates_of(repeats->found, i, &cosine);
		if (sizes[leader] < 2)
			continue;
		if (leader == i) {
			of[i] = g.count;
			g.all[g.count++] = (struct group){.leader = i, .first = place, .least = 1};
			place += sizes[i];
		}
		struct group *mine = &g.all[of[leader]];
		g.members[mine->first + mine->size++] = i;
		mine->least = cosine < mine->least ? cosine : mine->least;
		mine->tokens += leader != i ? repeats->rows[i].tokens_est : 0;
	}
	for (uint32_t i = 0; i < g.count; i++) {
		g.calls += g.all[i].size - 1;
		g.tokens += g.all[i].tokens;
	}
	qsort(g.all, g.count, sizeof *g.all, by_size);
	free(sizes);
	free(of);
	return g;
}

static double saved_usd(const struct embed_repeats *repeats, const struct groups *g)
{
	return repeats->model != NULL ? upstream_price(repeats->model, g->tokens, 0, 0) : 0;
}

static void flush(struct buf *out)
{
	fwrite(out->data, 1, out->len, stdout); /* main looks at the stream's state */
	out->len = 0;
}

static void tell_json(const struct embed_repeats *repeats, const struct groups *g, struct buf *out)
{
	buf_char(out, '{');
	json_member_i64(out, "rows", near_duplicates_count(repeats->found));
	json_member_double(out, "threshold", repeats->threshold);
	json_member_i64(out, "calls_saved", g->calls);
	json_member_i64(out, "input_tokens_saved_est", g->tokens);
	json_member_str(out, "model", repeats->model != NULL ? repeats->model->name : STR_NULL);
	json_key(out, "input_usd_saved_est");
	if (repeats->model != NULL)
		json_write_double(out, saved_usd(repeats, g));
	else
		buf_cstr(out, "null");
	json_key(out, "groups");
	buf_char(out, '[');
	for (uint32_t i = 0; i < g->count; i++) {
		buf_cstr(out, i == 0 ? "{" : ",\n{");
		json_member_i64(out, "size", g->all[i].size);
		json_key(out, "members");
		buf_char(out, '[');
		for (uint32_t k = 0; k < g->all[i].size; k++) {
			uint32_t row = g->members[g->all[i].first + k];
			float cosine;
			(void)near_duplicates_of(repeats->found, row, &cosine); /* the leader is the first one */
			buf_char(out, k == 0 ? '{' : ',');
			if (k != 0)
				buf_char(out, '{');
			json_member_str(out, "id", str_of(repeats->rows[row].id));
			json_member_i64(out, "line", (int64_t)repeats->rows[row].line);
			buf_printf(out, ",\"cosine\":%.4f}", (double)cosine);
		}
		buf_cstr(out, "]}");
		flush(out);
	}
	buf_cstr(out, "]}\n");
	flush(out);
}

/* "a, b, c and 4 more" */
static void name_members(const struct embed_repeats *repeats, const struct groups *g, const struct group *group, struct buf *out)
{
	for (uint32_t k = 0; k < group->size && k < IDS_SHOWN; k++) {
		struct str id = str_of(repeats->rows[g->members[group->first + k]].id);
		buf_cstr(out, k != 0 ? ", " : "");
		buf_add(out, id.data, str_utf8_cut(id, ID_BYTES));
	}
	if (group->size > IDS_SHOWN)
		buf_printf(out, " and %u more", group->size - IDS_SHOWN);
	buf_char(out, '\0');
	for (char *c = out->data; *c != '\0'; c++) /* ids are the file's: a terminal must not obey them */
		*c = (unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c;
}

static void tell(const struct embed_repeats *repeats, const struct groups *g, struct buf *out)
{
	static const char *const heads[] = {"rows", "least cosine", "tokens", "rows by id, the first stands for the group"};
	uint32_t rows = near_duplicates_count(repeats->found);
	printf("rows          %u; %lld say nearly what an earlier one says (cosine from %.2f on), in %u groups\n", rows, (long long)g->calls,
	       repeats->threshold, g->count);
	printf("could save    %lld calls, about %lld tokens read", (long long)g->calls, (long long)g->tokens);
	if (repeats->model != NULL)
		printf(", $%.4f at the price of %.*s", saved_usd(repeats, g), STR_ARG(repeats->model->name));
	printf("; what the answers would have cost comes on top\n");
	if (g->count == 0)
		return;
	struct cli_table *table = cli_table_new("rrrl", heads);
	for (uint32_t i = 0; i < g->count && i < GROUPS_SHOWN; i++) {
		char size[16], least[16], tokens[24];
		(void)snprintf(size, sizeof size, "%u", g->all[i].size); /* numbers fit */
		(void)snprintf(least, sizeof least, "%.4f", (double)g->all[i].least);
		(void)snprintf(tokens, sizeof tokens, "%lld", (long long)g->all[i].tokens);
		out->len = 0;
		name_members(repeats, g, &g->all[i], out);
		cli_table_row(table, (const char *const[]){size, least, tokens, out->data});
	}
	putchar('\n');
	cli_table_print(table, stdout);
	if (g->count > GROUPS_SHOWN)
		printf("(the %d largest of %u groups; --json has all)\n", GROUPS_SHOWN, g->count);
}

void embed_tell_repeats(const struct embed_repeats *repeats, bool json)
{
	struct groups g = collect(repeats);
	struct arena arena;
	struct buf out;
	arena_init(&arena, 1 << 16);
	buf_init(&out, &arena, 1 << 16);
	if (json)
		tell_json(repeats, &g, &out);
	else
		tell(repeats, &g, &out);
	arena_free(&arena);
	free(g.all);
	free(g.members);
}
