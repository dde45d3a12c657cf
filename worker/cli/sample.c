/*
 * sample.c: `pointsman sample`: of many rows, those that are worth a person's label.
 *
 * Every row is put to every stage of the policy, as if it were alone; what the stages say is all that the choice knows (lab/sample.c).
 */
#include <math.h>
#include <stdlib.h>

#include "common/hmac.h"
#include "common/json.h"
#include "worker/cli/cli.h"
#include "worker/cli/cli_table.h"
#include "worker/cli/rows.h"
#include "worker/cli/whole_file.h"
#include "worker/lab/row_write.h"
#include "worker/lab/sample_stages.h"
#include "worker/route/static_model.h"

enum { DEFAULT_ROWS = 800, MOST_WANTED = 20000, MOST_KEPT = 200000, FAR_PERCENT = 10 };

static const char usage[] = "-c FILE (--from-file DATA | --from-topic TOPIC) --out FILE [OPTION...]\n";
static const char about[] =
    "Picks rows worth a label: as many of each route as can be, by chance; those nearest to a threshold; those over\n"
    "which stages contradict each other; and those unlike all examples. Each has a field why (chance, low_confidence,\n"
    "disagreement or far) and why_detail. Duplicates, and near ones, are taken once. Nobody is called, nothing is\n"
    "committed. The same rows and the same seed give the same file.\n";
static const char notes[] =
    "Weak spots are over-represented on purpose: `eval --slice why` of the labelled rows tells them from those by\n"
    "chance. Of very many rows a share is looked at that the seed draws.\n";
static const char example[] =
    "pointsman sample -c pointsman.yaml --from-topic tickets --since 30d --rows 800 -o rows.jsonl\n"
    "pointsman label rows.jsonl -c pointsman.yaml -o labelled.jsonl\n";

struct asked {
	const char *config, *out;
	struct rows_asked rows;
	struct dataset_fields fields;
	int64_t wanted, seed;
	bool json;
};

struct work {
	const struct asked *asked;
	struct settings settings;
	struct policy *policy;
	struct route_scratch *scratch;
	struct static_model *model;
	struct rows rows;
	struct arena brief;
	struct sample_row *judged;
	struct cluster_set *vectors;
	struct sample_result result;
	int64_t *in_stratum; /* rows of each route, and of none last */
	bool has_settings;
};

static uint64_t draw_of(const struct work *w, const struct dataset_row *row, struct str text, struct sha256 *hash)
{
	uint8_t bytes[32];
	uint64_t draw;
	sha256_begin(hash);
	sha256_add(hash, &w->asked->seed, sizeof w->asked->seed);
	sha256_add_field(hash, row->req.id);
	sha256_add_field(hash, text);
	sha256_end(hash, bytes);
	memcpy(&draw, bytes, sizeof draw);
	return draw;
}

static void judge_all(struct work *w)
{
	struct cli_progress bar;
	struct sha256 *hash = sha256_new();
	float *vector = heap_zalloc(static_model_dim(w->model), sizeof *vector);
	cli_progress_begin(&bar, "asking stages", w->rows.count);
	for (uint32_t i = 0; i < w->rows.count; i++) {
		struct sample_said said;
		struct sample_row *row = &w->judged[i];
		struct job job = {.state = JOB_DECODED, .arena = w->brief, .req = w->rows.all[i].req, .dec = {.route = -1}, .call = {.model = -1}};
		sample_ask(w->policy, w->scratch, &job, &said, row);
		struct str text = route_text(w->policy, &job);
		row->draw = draw_of(w, &w->rows.all[i], text, hash);
		row->print = sample_print(text, &job.arena);
		row->vector = cluster_set_count(w->vectors);
		if (static_model_embed(w->model, text, vector) == 0 || !cluster_set_add(w->vectors, vector))
			row->vector = SAMPLE_NO_VECTOR;
		w->in_stratum[row->stratum]++;
		w->brief = job.arena;
		arena_reset(&w->brief);
		cli_progress_at(&bar, i);
	}
	cli_progress_end(&bar);
	free(vector);
	sha256_free(hash);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* What the farthest tenth lies below. */
static double far_below(const struct work *w)
{
	double *sorted = heap_zalloc((size_t)w->rows.count + 1, sizeof *sorted), below = -INFINITY;
	uint32_t n = 0;
	for (uint32_t i = 0; i < w->rows.count; i++)
		if (!isnan(w->judged[i].nearness))
			sorted[n++] = w->judged[i].nearness;
	qsort(sorted, n, sizeof *sorted, by_value);
	if (n != 0)
		below = sorted[(uint64_t)n * FAR_PERCENT / 100];
	free(sorted);
	return below;
}

/* ---- out ------------------------------------------------------------------------------------------------------------- */

static void write_rows(struct work *w, struct buf *out)
{
	for (uint32_t i = 0; i < w->result.count; i++) {
		const struct sample_pick *pick = &w->result.picks[i];
		const struct dataset_row *row = &w->rows.all[pick->row];
		struct sample_said said;
		struct sample_row again;
		struct job job = {.state = JOB_DECODED, .arena = w->brief, .req = row->req, .dec = {.route = -1}, .call = {.model = -1}};
		sample_ask(w->policy, w->scratch, &job, &said, &again);
		struct row_member members[] = {{"why", row_json(str_of(sample_why_name(pick->why)), &job.arena)},
		                               {"why_detail", row_json(sample_detail(w->policy, pick->why, &said, &again, w->in_stratum[again.stratum], &job.arena), &job.arena)}};
		row_write(out, row, members, 2, &job.arena);
		w->brief = job.arena;
		arena_reset(&w->brief);
	}
}

static void tell_json(const struct work *w)
{
	struct buf out;
	struct arena arena;
	arena_init(&arena, 4096);
	buf_init(&out, &arena, 512);
	buf_char(&out, '{');
	json_member_i64(&out, "rows", w->rows.seen);
	json_member_i64(&out, "looked_at", w->rows.count);
	json_member_i64(&out, "bad_rows", w->rows.bad);
	json_member_i64(&out, "duplicates", w->result.duplicates);
	json_member_i64(&out, "picked", w->result.count);
	for (int i = 0; i < SAMPLE_KINDS; i++)
		json_member_i64(&out, sample_why_name((enum sample_why)i), w->result.by_why[i]);
	buf_cstr(&out, "}\n");
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
	arena_free(&arena);
}

static void tell(const struct work *w)
{
	static const char *const words[SAMPLE_KINDS] = {"by chance, as many of each route as can be", "nearest to a threshold", "stages contradict each other",
	                                                "unlike the examples"};
	static const char *const heads[] = {"rows", "why", ""};
	if (w->asked->json) {
		tell_json(w);
		return;
	}
	struct cli_table *table = cli_table_new("rll", heads);
	for (int i = 0; i < SAMPLE_KINDS; i++) {
		char n[16];
		(void)snprintf(n, sizeof n, "%u", w->result.by_why[i]); /* fits */
		const char *cells[] = {n, sample_why_name((enum sample_why)i), words[i]};
		cli_table_row(table, cells);
	}
	cli_table_print(table, stdout);
	printf("\n%u rows in %s, of %lld", w->result.count, w->asked->out, (long long)w->rows.seen);
	if (w->rows.count < w->rows.seen)
		printf(" (%u of them looked at)", w->rows.count);
	printf("; %lld duplicates passed over\n", (long long)w->result.duplicates);
	printf("next: pointsman label %s -c %s -o labelled.jsonl\n", w->asked->out, w->asked->config);
}

static int sample(struct work *w)
{
	struct err err;
	struct buf out;
	uint32_t strata = policy_route_count(w->policy) + 1;
	if (static_model_builtin(&w->rows.arena, &w->model, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	w->scratch = route_scratch_new(w->policy);
	w->vectors = cluster_set_new(static_model_dim(w->model));
	w->judged = arena_array(&w->rows.arena, w->rows.count, sizeof *w->judged);
	w->in_stratum = arena_array(&w->rows.arena, strata, sizeof *w->in_stratum);
	judge_all(w);
	w->result = sample_choose(&(struct sample_setup){w->judged, w->rows.count, strata, (uint32_t)w->asked->wanted, w->vectors, far_below(w)}, &w->rows.arena);
	buf_init(&out, &w->rows.arena, 1 << 20);
	write_rows(w, &out);
	if (whole_file_write(w->asked->out, buf_view(&out), &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	tell(w);
	return EXIT_DONE;
}

static int prepare_and_sample(const struct command *self, struct asked *asked)
{
	struct work w = {.asked = asked};
	struct err err;
	int code = cli_settings_no_secrets(self, asked->config, &w.settings);
	w.has_settings = code == EXIT_DONE;
	arena_init(&w.brief, 1 << 16);
	if (code == EXIT_DONE && policy_load(w.settings.policy_file.data, &w.settings, &w.policy, &err) != RC_OK)
		code = cli_fail(&err, EXIT_CONFIG);
	asked->rows.settings = &w.settings;
	if (code == EXIT_DONE)
		code = rows_read(&asked->rows, &w.rows);
	if (code == EXIT_DONE)
		code = sample(&w);
	cluster_set_free(w.vectors);
	route_scratch_free(w.scratch);
	rows_free(&w.rows);
	arena_free(&w.brief);
	policy_unref(w.policy);
	if (w.has_settings)
		settings_free(&w.settings);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {.wanted = DEFAULT_ROWS, .seed = 1, .rows = {.since_ms = -1, .until_ms = -1, .most = MOST_KEPT}};
	const struct arg args[] = {
		{'c', "config", "FILE", "the configuration, whose policy is asked", .text = &asked.config},
		{0, "from-file", "DATA", "JSON Lines or CSV with a header (- for standard input)", .text = &asked.rows.file},
		{0, "from-topic", "TOPIC", "read with the configuration's brokers and input mapping, up to its end now", .text = &asked.rows.topic},
		{0, "since", "WHEN", CLI_MOMENT_HELP, .moment_ms = &asked.rows.since_ms},
		{0, "until", "WHEN", "only before that time", .moment_ms = &asked.rows.until_ms},
		{'n', "rows", "N", "how many", .number = &asked.wanted, .least = 1, .most = MOST_WANTED},
		{'o', "out", "FILE", "JSON Lines, in an order without meaning; written whole or not at all", .text = &asked.out},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: text=ticket.body", .take = cli_take_field, .ctx = &asked.fields},
		{0, "seed", "N", "other rows by chance", .number = &asked.seed, .most = CLI_MOST_SEED},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &asked.rows.skip_bad},
		{0, "json", NULL, "one JSON object instead of the table", .flag = &asked.json},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	if ((asked.rows.file == NULL) == (asked.rows.topic == NULL))
		return cli_usage(self, "where from? --from-file DATA or --from-topic TOPIC");
	if (asked.out == NULL)
		return cli_usage(self, "--out FILE is needed: where the rows are written");
	if (asked.rows.file != NULL && (asked.rows.since_ms >= 0 || asked.rows.until_ms >= 0))
		return cli_usage(self, "--since and --until are of a topic's records");
	asked.rows.fields = &asked.fields;
	asked.rows.seed = (uint64_t)asked.seed;
	return prepare_and_sample(self, &asked);
}

const struct command command_sample = {
	.name = "sample", .summary = "pick rows that are worth a label", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
