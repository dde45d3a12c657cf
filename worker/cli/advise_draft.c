/*
 * advise_draft.c: a first policy, written down: files that label, train, calibrate and eval take as they are.
 *
 * The one idea: nothing in a draft is decided that only a person can decide. Each clear group is a route of its own, so labels can be
 * given before anybody knows which groups the cheaper model may serve; who decides it edits a route's `models`.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hmac.h"
#include "common/json.h"
#include "worker/cli/advise.h"
#include "worker/cli/whole_file.h"
#include "worker/lab/draft.h"
#include "worker/lab/row_write.h"
#include "worker/lab/sample.h"
#include "worker/route/policy.h"

enum { EXAMPLE_BYTES = 500 };
static const double FAR = 0.3; /* cosine to the nearest centre below which a text is like nothing else */

struct drafting {
	struct advise_work *w;
	struct arena *arena;
	struct draft_group *examples;
	struct str careful; /* the route for the rest */
};

static struct str path_of(const struct drafting *d, const char *name)
{
	return arena_printf(d->arena, "%s/%s", d->w->asked->dir, name);
}

static struct str example_name(const struct drafting *d, uint32_t group)
{
	return arena_printf(d->arena, "examples/%.*s.txt", STR_ARG(d->w->names[group]));
}

static int write_one(const struct drafting *d, const char *name, struct str text)
{
	struct err err;
	return whole_file_write(path_of(d, name).data, text, &err) == RC_OK ? EXIT_DONE : cli_fail(&err, EXIT_FAILED);
}

static int make_folder(const char *path)
{
	if (mkdir(path, 0777) == 0 || errno == EEXIST)
		return EXIT_DONE;
	fprintf(stderr, "%s: cannot be made: %s\n", path, strerror(errno));
	return EXIT_FAILED;
}

static void add_string(struct buf *out, const char *before, struct str s, const char *after)
{
	buf_cstr(out, before);
	for (size_t i = 0, from = 0; i <= s.len; i++) { /* "$" begins a variable in a configuration */
		if (i < s.len && s.data[i] != '$')
			continue;
		if (from == 0)
			buf_char(out, '"');
		struct buf quoted;
		buf_init(&quoted, out->arena, s.len + 2);
		json_write_str(&quoted, (struct str){s.data + from, i - from}); /* JSON's strings are YAML's, too */
		buf_add(out, quoted.data + 1, quoted.len - 2);
		buf_cstr(out, i < s.len ? "$$" : "\"");
		from = i + 1;
	}
	buf_cstr(out, after);
}

/* ---- examples -------------------------------------------------------------------------------------------------------- */

static struct str one_line(struct str text, struct arena *arena)
{
	text.len = str_utf8_cut(text, EXAMPLE_BYTES);
	char *out = arena_cstr(arena, text);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7F)
			out[i] = ' ';
	return str_trim((struct str){out, text.len});
}

static int write_examples(struct drafting *d)
{
	struct advise_work *w = d->w;
	float *vector = arena_array(d->arena, static_model_dim(w->model), sizeof *vector);
	int code = make_folder(path_of(d, "examples").data);
	for (uint32_t g = 0; g < w->found.clusters.k && code == EXIT_DONE; g++) {
		struct buf out;
		uint32_t kept = 0;
		buf_init(&out, d->arena, 4096);
		for (uint32_t i = 0; i < d->examples[g].count; i++) {
			struct str line = one_line(w->texts[w->row_of[d->examples[g].rows[i]]], d->arena);
			if (static_model_embed(w->model, line, vector) == 0)
				continue; /* the words that counted came behind the cut */
			buf_str(&out, line);
			buf_char(&out, '\n');
			d->examples[g].rows[kept++] = d->examples[g].rows[i];
		}
		d->examples[g].count = kept;
		if (kept != 0)
			code = write_one(d, example_name(d, g).data, buf_view(&out));
		w->drafted += kept != 0;
	}
	return code;
}

/* ---- policy ---------------------------------------------------------------------------------------------------------- */

static void add_text_rules(const struct drafting *d, struct buf *out)
{
	static const char *const uses[] = {"last_user", "first_user", "all_user", "all"}, *const strips[] = {"html", "quoted_reply", "signature"};
	const struct policy *policy = d->w->policy;
	if (policy == NULL)
		return;
	buf_printf(out, "text: {use: %s, max_chars: %u, strip: [", uses[policy->text.use], policy->text.max_chars);
	bool first = true;
	for (unsigned i = 0; i < sizeof strips / sizeof strips[0]; i++)
		if ((policy->text.strip >> i & 1) != 0) {
			buf_printf(out, "%s%s", first ? "" : ", ", strips[i]);
			first = false;
		}
	buf_cstr(out, "]}\n");
}

static void add_route(const struct drafting *d, uint32_t group, struct buf *out)
{
	const struct advise_work *w = d->w;
	const struct found_group *g = &w->found.groups[group];
	buf_printf(out, "  # %u texts, %u of them clearly here\n", g->size, g->tight);
	add_string(out, "  - name: ", w->names[group], "\n");
	add_string(out, "    models: [", w->settings.models[w->cheaper].name, "]\n");
	if (w->cheaper != w->capable)
		add_string(out, "    on_error: [", w->settings.models[w->capable].name, "]\n");
	add_string(out, "    examples: ", example_name(d, group), "\n");
}

static int write_policy(struct drafting *d)
{
	const struct advise_work *w = d->w;
	struct buf out;
	buf_init(&out, d->arena, 8192);
	buf_printf(&out, "# Drafted by `pointsman advise` from %u records. Each route is a group of texts that came again and again, named by its\n"
	                 "# typical words; look at its examples, give it the name that you use, and join groups that belong together.\n"
	                 "# Whether the cheaper model may serve a route is for you to say: put the other one where it may not.\n",
	           w->rows.count);
	add_string(&out, "name: draft\nwhen_unsure: ", d->careful, "\n");
	add_string(&out, "baseline: ", w->settings.models[w->capable].name, "\n");
	add_text_rules(d, &out);
	buf_cstr(&out, "routes:\n");
	for (uint32_t g = 0; g < w->found.clusters.k; g++)
		if (d->examples[g].count != 0)
			add_route(d, g, &out);
	add_string(&out, "  # everything else\n  - name: ", d->careful, "\n");
	add_string(&out, "    models: [", w->settings.models[w->capable].name, "]\n");
	buf_printf(&out, "stages:\n"
	                 "  # Uncalibrated: set so that nine of ten texts of the groups reach it. pointsman calibrate knows better, from labels.\n"
	                 "  - semantic: {embedder: static, accept: %.2f, margin: 0.02, k: %d}\n"
	                 "  # After: pointsman train labelled.jsonl -c pointsman.yaml -o model.pmc\n"
	                 "  # - classifier: {model: model.pmc, accept: 0.80}\n",
	           draft_accept(w->set, &w->found, d->examples), DRAFT_BEST);
	return write_one(d, "policy.yaml", buf_view(&out));
}

/* ---- configuration --------------------------------------------------------------------------------------------------- */

static void add_price(const struct price *p, struct buf *out)
{
	if (p->free) {
		buf_cstr(out, "    price: free\n");
		return;
	}
	buf_cstr(out, "    price: {input: ");
	json_write_double(out, p->input);
	buf_cstr(out, ", output: ");
	json_write_double(out, p->output);
	buf_cstr(out, "}\n");
}

static int write_config(struct drafting *d)
{
	const struct settings *s = &d->w->settings;
	struct buf out;
	buf_init(&out, d->arena, 4096);
	buf_cstr(&out, "# For trying the draft out: label, train, calibrate, eval, explain. To run it, name policy.yaml in your own configuration,\n"
	               "# where keys, limits and topics are.\n");
	add_string(&out, "kafka: {brokers: ", s->kafka.brokers, ", group: draft}\ninput: {topics: [");
	for (uint32_t i = 0; i < s->input.topics.count; i++)
		add_string(&out, i != 0 ? ", " : "", s->input.topics.items[i], "");
	buf_cstr(&out, "]}\nmodels:\n");
	for (uint32_t i = 0; i < s->model_count; i++) {
		add_string(&out, "  - name: ", s->models[i].name, "\n");
		add_string(&out, "    base_url: ", s->models[i].base_url, "\n");
		add_string(&out, "    model: ", s->models[i].model, "\n");
		add_price(&s->models[i].price, &out);
	}
	buf_cstr(&out, "policy: policy.yaml\n");
	return write_one(d, "pointsman.yaml", buf_view(&out));
}

/* ---- rows to label --------------------------------------------------------------------------------------------------- */

static void judge(const struct drafting *d, struct sample_row *judged)
{
	const struct advise_work *w = d->w;
	struct sha256 *hash = sha256_new();
	for (uint32_t v = 0; v < w->vectors; v++) {
		uint8_t bytes[SHA256_BYTES];
		uint32_t row = w->row_of[v], group = w->found.clusters.of[v];
		bool clear = w->found.tight[v] && w->found.groups[group].clear;
		double cosine = (double)w->found.clusters.cosine[v];
		judged[v] = (struct sample_row){.stratum = clear ? group : w->found.clusters.k, .print = sample_print(w->texts[row], d->arena), .vector = v,
		                                .margin = fabs(cosine - find_groups_near), .nearness = cosine};
		sha256_begin(hash);
		sha256_add(hash, &w->asked->seed, sizeof w->asked->seed);
		sha256_add_field(hash, w->rows.all[row].req.id);
		sha256_add_field(hash, w->texts[row]);
		sha256_end(hash, bytes);
		memcpy(&judged[v].draw, bytes, sizeof judged[v].draw);
	}
	sha256_free(hash);
}

static struct str detail(const struct drafting *d, const struct sample_pick *pick)
{
	const struct advise_work *w = d->w;
	uint32_t group = w->found.clusters.of[pick->row];
	double cosine = (double)w->found.clusters.cosine[pick->row];
	bool clear = w->found.tight[pick->row] && w->found.groups[group].clear;
	if (pick->why == SAMPLE_CHANCE)
		return clear ? arena_printf(d->arena, "one of %u texts of the group %.*s", w->found.groups[group].tight, STR_ARG(w->names[group]))
		             : STR("one of the texts that are in no clear group");
	return arena_printf(d->arena, "%.2f to the centre of the nearest group, %.*s", cosine, STR_ARG(w->names[group]));
}

static int write_rows(struct drafting *d)
{
	struct advise_work *w = d->w;
	struct buf out;
	struct sample_row *judged = arena_array(d->arena, w->vectors, sizeof *judged);
	judge(d, judged);
	struct sample_setup setup = {judged, w->vectors, w->found.clusters.k + 1, (uint32_t)w->asked->wanted, w->set, FAR};
	struct sample_result result = sample_choose(&setup, d->arena);
	buf_init(&out, d->arena, 1 << 20);
	for (uint32_t i = 0; i < result.count; i++) {
		const struct sample_pick *pick = &result.picks[i];
		struct row_member members[] = {{"why", row_json(str_of(sample_why_name(pick->why)), d->arena)}, {"why_detail", row_json(detail(d, pick), d->arena)}};
		row_write(&out, &w->rows.all[w->row_of[pick->row]], members, 2, d->arena);
	}
	w->picked = result.count;
	return write_one(d, "rows.jsonl", buf_view(&out));
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static bool is_group(const struct drafting *d, struct str name)
{
	for (uint32_t g = 0; g < d->w->found.clusters.k; g++)
		if (str_eq(d->w->names[g], name))
			return true;
	return false;
}

static void name_careful(struct drafting *d)
{
	d->careful = STR("careful");
	for (uint32_t n = 2; is_group(d, d->careful); n++)
		d->careful = arena_printf(d->arena, "careful_%u", n);
}

/* The draft as the other commands will read it. */
static int check(struct drafting *d)
{
	struct settings settings;
	struct policy *policy;
	struct err err;
	if (settings_load_no_secrets(path_of(d, "pointsman.yaml").data, &settings, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	enum rc rc = policy_load(settings.policy_file.data, &settings, &policy, &err);
	if (rc == RC_OK)
		policy_unref(policy);
	settings_free(&settings);
	return rc == RC_OK ? EXIT_DONE : cli_fail(&err, EXIT_FAILED);
}

static int find_draft(const struct drafting *d)
{
	static const char *const names[] = {"policy.yaml", "pointsman.yaml", "rows.jsonl"};
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (access(path_of(d, names[i]).data, F_OK) == 0) {
			fprintf(stderr, "%s: is there already; --force overwrites it\n", path_of(d, names[i]).data);
			return EXIT_FAILED;
		}
	return EXIT_DONE;
}

int advise_draft(struct advise_work *w)
{
	struct drafting d = {.w = w, .arena = &w->rows.arena};
	if (w->found.clear_groups == 0)
		return EXIT_DONE; /* the report says so */
	d.examples = draft_examples(w->set, &w->found, ADVISE_EXAMPLES, d.arena);
	name_careful(&d);
	int code = w->asked->force ? EXIT_DONE : find_draft(&d);
	if (code == EXIT_DONE)
		code = make_folder(w->asked->dir);
	if (code == EXIT_DONE)
		code = write_examples(&d);
	if (code == EXIT_DONE)
		code = write_policy(&d);
	if (code == EXIT_DONE)
		code = write_config(&d);
	if (code == EXIT_DONE)
		code = write_rows(&d);
	return code == EXIT_DONE ? check(&d) : code;
}
