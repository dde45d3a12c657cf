/*
 * demo_report.c: the demo's table.
 *
 * The one idea: it knows nothing but the output topics. What it shows, anybody can compute from the records that the worker
 * published.
 */
#include "worker/cli/demo_report.h"

#include <stdlib.h>

#include "common/json.h"
#include "worker/cli/cli.h"
#include "worker/cli/cli_table.h"
#include "worker/job/job.h"

enum { MAX_ROUTES = 64, MAX_NAMES = 16, TOLD = 3 };

struct tallied {
	struct str name;
	int64_t count;
};
struct names { /* a small set of names with counts */
	struct tallied rows[MAX_NAMES];
	unsigned count;
};
struct route_row {
	struct str name;
	int64_t responses, *latencies_ms, latency_cap;
	double cost_usd, baseline_usd;
	struct names stages, models;
};
struct told {
	struct str id, route, reason, model, stage;
};
struct demo_report {
	struct arena arena;   /* names and texts that stay */
	struct arena reading; /* of one record */
	struct route_row routes[MAX_ROUTES];
	unsigned route_count;
	int64_t responses, decisions, dead_letters, faults;
	int64_t cache[CACHE_SOURCES];
	double decision_cost_usd;
	struct told told[TOLD];
	unsigned told_count;
};

struct demo_report *demo_report_new(void)
{
	struct demo_report *report = heap_zalloc(1, sizeof *report);
	arena_init(&report->arena, 0);
	arena_init(&report->reading, 64 * 1024);
	return report;
}

void demo_report_free(struct demo_report *report)
{
	if (report == NULL)
		return;
	for (unsigned i = 0; i < report->route_count; i++)
		free(report->routes[i].latencies_ms);
	arena_free(&report->arena);
	arena_free(&report->reading);
	free(report);
}

static struct route_row *row_of(struct demo_report *report, struct str name)
{
	for (unsigned i = 0; i < report->route_count; i++)
		if (str_eq(report->routes[i].name, name))
			return &report->routes[i];
	if (report->route_count == MAX_ROUTES)
		return &report->routes[MAX_ROUTES - 1];
	struct route_row *row = &report->routes[report->route_count++];
	row->name = arena_str(&report->arena, name.data != NULL ? name : STR("(none)"));
	return row;
}

static void count_name(struct demo_report *report, struct names *names, struct str name)
{
	if (name.data == NULL)
		return;
	for (unsigned i = 0; i < names->count; i++)
		if (str_eq(names->rows[i].name, name)) {
			names->rows[i].count++;
			return;
		}
	if (names->count < MAX_NAMES)
		names->rows[names->count++] = (struct tallied){arena_str(&report->arena, name), 1};
}

static const struct json *parsed(struct demo_report *report, struct str value)
{
	const struct json *record = NULL;
	arena_reset(&report->reading);
	if (json_parse(&report->reading, value, (struct json_limits){0}, &record, NULL) == RC_OK && record->kind == JSON_MAP)
		return record;
	report->faults++;
	return NULL;
}

static void add_latency(struct route_row *row, int64_t ms)
{
	if (row->responses == row->latency_cap) {
		row->latency_cap = row->latency_cap != 0 ? row->latency_cap * 2 : 256;
		row->latencies_ms = heap_resize(row->latencies_ms, (size_t)row->latency_cap, sizeof *row->latencies_ms);
	}
	row->latencies_ms[row->responses++] = ms;
}

static double number(const struct json *map, struct str key)
{
	double d;
	return json_double(json_get(map, key), &d) ? d : 0;
}

bool demo_report_response(struct demo_report *report, struct str value)
{
	const struct json *record = parsed(report, value);
	if (record == NULL)
		return false;
	report->responses++;
	struct route_row *row = row_of(report, json_str(json_get(record, STR("route"))));
	const struct json *latency = json_get(record, STR("latency_ms"));
	/* the demo's backlog waits in the topic before the worker starts: that says nothing about the worker */
	add_latency(row, (int64_t)(number(latency, STR("total")) - number(latency, STR("queued"))));
	count_name(report, &row->models, json_str(json_get(record, STR("model"))));
	row->cost_usd += number(record, STR("cost_usd"));
	return true;
}

/* One decision of each route and stage, as they come: three different ones tell more than three alike. */
static void maybe_tell(struct demo_report *report, const struct json *record)
{
	struct str route = json_str(json_get(record, STR("route"))), stage = json_str(json_get(record, STR("stage")));
	for (unsigned i = 0; i < report->told_count; i++)
		if (str_eq(report->told[i].route, route))
			return;
	if (report->told_count == TOLD)
		return;
	report->told[report->told_count++] = (struct told){
		.id = arena_str(&report->arena, json_str(json_get(record, STR("request_id")))),
		.route = arena_str(&report->arena, route),
		.reason = arena_str(&report->arena, json_str(json_get(record, STR("reason")))),
		.model = arena_str(&report->arena, json_str(json_get(record, STR("model")))),
		.stage = arena_str(&report->arena, stage),
	};
}

bool demo_report_decision(struct demo_report *report, struct str value)
{
	const struct json *record = parsed(report, value);
	if (record == NULL)
		return false;
	report->decisions++;
	struct route_row *row = row_of(report, json_str(json_get(record, STR("route"))));
	count_name(report, &row->stages, json_str(json_get(record, STR("stage"))));
	row->baseline_usd += number(record, STR("baseline_cost_usd"));
	report->decision_cost_usd += number(record, STR("decision_cost_usd"));
	for (unsigned i = 0; i < CACHE_SOURCES; i++)
		report->cache[i] += str_is(json_str(json_get(record, STR("cache"))), cache_source_name(i));
	if (json_str(json_get(record, STR("route"))).data != NULL)
		maybe_tell(report, record);
	return true;
}

void demo_report_dead_letter(struct demo_report *report)
{
	report->dead_letters++;
}

int64_t demo_report_responses(const struct demo_report *report)
{
	return report->responses;
}

int64_t demo_report_decisions(const struct demo_report *report)
{
	return report->decisions;
}

/* ---- the table ------------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static int64_t quantile(const struct route_row *row, int percent)
{
	return row->responses == 0 ? 0 : row->latencies_ms[(row->responses - 1) * percent / 100];
}

static struct str names_text(struct arena *arena, const struct names *names)
{
	struct buf out;
	buf_init(&out, arena, 64);
	for (unsigned i = 0; i < names->count; i++)
		buf_printf(&out, "%s%.*s %lld", i != 0 ? ", " : "", STR_ARG(names->rows[i].name), (long long)names->rows[i].count);
	return buf_view(&out);
}

static void add_row(struct cli_table *table, struct arena *arena, const struct route_row *row)
{
	if (row->responses != 0)
		qsort(row->latencies_ms, (size_t)row->responses, sizeof *row->latencies_ms, by_value);
	int saved = row->baseline_usd > 0 ? (int)(100 * (1 - row->cost_usd / row->baseline_usd) + 0.5) : 0;
	const char *cells[] = {
		arena_cstr(arena, row->name),
		arena_printf(arena, "%lld", (long long)row->responses).data,
		arena_cstr(arena, names_text(arena, &row->stages)),
		arena_cstr(arena, names_text(arena, &row->models)),
		arena_printf(arena, "%lld", (long long)quantile(row, 50)).data,
		arena_printf(arena, "%lld", (long long)quantile(row, 95)).data,
		arena_printf(arena, "%.4f", row->cost_usd).data,
		arena_printf(arena, "%d %%", saved).data,
	};
	cli_table_row(table, cells);
}

static void sums(const struct demo_report *report, double *ret_cost, double *ret_baseline)
{
	*ret_cost = report->decision_cost_usd;
	*ret_baseline = 0;
	for (unsigned i = 0; i < report->route_count; i++) {
		*ret_cost += report->routes[i].cost_usd;
		*ret_baseline += report->routes[i].baseline_usd;
	}
}

static void print_told(const struct demo_report *report, struct str (*prompt_of)(void *ctx, struct str id), void *ctx, FILE *out)
{
	for (unsigned i = 0; i < report->told_count; i++) {
		const struct told *told = &report->told[i];
		struct str prompt = prompt_of(ctx, told->id);
		size_t shown = str_utf8_cut(prompt, 100);
		fprintf(out, "\n  \"%.*s%s\"\n    went to %.*s", (int)shown, prompt.data != NULL ? prompt.data : "", shown < prompt.len ? "..." : "",
		        STR_ARG(told->route));
		if (told->model.data != NULL)
			fprintf(out, ", answered by %.*s", STR_ARG(told->model));
		fprintf(out, ": %.*s\n", STR_ARG(told->reason));
	}
}

void demo_report_print(const struct demo_report *report, int64_t records, struct str (*prompt_of)(void *ctx, struct str id), void *ctx, FILE *out)
{
	static const char *const heads[] = {"route", "records", "decided by", "answered by", "p50 ms", "p95 ms", "cost $", "saved"};
	struct arena arena;
	arena_init(&arena, 0);
	struct cli_table *table = cli_table_new("lrllrrrr", heads);
	for (unsigned i = 0; i < report->route_count; i++)
		add_row(table, &arena, &report->routes[i]);
	cli_table_print(table, out);
	arena_free(&arena);

	double cost, baseline;
	sums(report, &cost, &baseline);
	fprintf(out, "\n%lld records, %lld responses, %lld decisions, %lld dead letters\n", (long long)records, (long long)report->responses,
	        (long long)report->decisions, (long long)report->dead_letters);
	fprintf(out, "$%.4f spent, $%.4f had the capable model answered the same records: %.0f %% saved\n", cost, baseline,
	        baseline > 0 ? 100 * (1 - cost / baseline) : 0);
	fprintf(out, "decisions from the cache: %lld of %lld\n", (long long)(report->cache[CACHE_NEAR] + report->cache[CACHE_FAR] + report->cache[CACHE_SHARED]),
	        (long long)report->decisions);
	print_told(report, prompt_of, ctx, out);
}

static void write_names(struct buf *out, const char *key, const struct names *names)
{
	json_key(out, key);
	buf_char(out, '{');
	for (unsigned i = 0; i < names->count; i++) {
		buf_cstr(out, i != 0 ? "," : "");
		json_write_str(out, names->rows[i].name);
		buf_printf(out, ":%lld", (long long)names->rows[i].count);
	}
	buf_char(out, '}');
}

static void write_route(struct buf *out, const struct route_row *row)
{
	json_write_str(out, row->name);
	buf_printf(out, ":{\"records\":%lld,\"cost_usd\":", (long long)row->responses);
	json_write_double(out, row->cost_usd);
	json_member_double(out, "baseline_cost_usd", row->baseline_usd);
	write_names(out, "stages", &row->stages);
	write_names(out, "models", &row->models);
	buf_char(out, '}');
}

void demo_report_json(const struct demo_report *report, int64_t records, FILE *file)
{
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 4096);
	double cost, baseline;
	sums(report, &cost, &baseline);
	buf_printf(&out, "{\"records\":%lld,\"responses\":%lld,\"decisions\":%lld,\"dead_letters\":%lld,\"routes\":{", (long long)records,
	           (long long)report->responses, (long long)report->decisions, (long long)report->dead_letters);
	for (unsigned i = 0; i < report->route_count; i++) {
		buf_cstr(&out, i != 0 ? "," : "");
		write_route(&out, &report->routes[i]);
	}
	buf_char(&out, '}');
	json_member_double(&out, "cost_usd", cost);
	json_member_double(&out, "baseline_cost_usd", baseline);
	json_key(&out, "cache");
	buf_char(&out, '{');
	for (unsigned i = 0; i < CACHE_SOURCES; i++)
		buf_printf(&out, "%s\"%s\":%lld", i != 0 ? "," : "", cache_source_name(i), (long long)report->cache[i]);
	buf_cstr(&out, "}}\n");
	fwrite(out.data, 1, out.len, file);
	arena_free(&arena);
}
