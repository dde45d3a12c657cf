/*
 * score_bits.c: what the router says of each row of a data set, numbers as their bits, for tests/scripts/same_bits.sh.
 *
 * The one idea: whatever a build, a processor or a C library could round otherwise is printed, not only what a decision comes to. So
 * for each row there are the text's vector, what each stage says by itself whether it decides or not, and then the decision on the
 * road that the worker takes; after them, of a classifier that is named, the probability of each label and all signals.
 */
#include <stdio.h>
#include <string.h>

#include "worker/lab/dataset.h"
#include "worker/route/classifier.h"
#include "worker/route/gain.h"
#include "worker/route/inspect.h"

enum { MOST_STAGES = 16 };

struct work {
	struct settings settings;
	struct policy *policy;
	struct route_scratch *scratch;
	struct static_model *model;
	struct classifier *classifier; /* NULL: none is named */
	struct classifier_scratch *classifier_scratch;
	struct arena arena; /* of all of it */
};

static unsigned long long bits_of(const float *values, uint32_t count)
{
	return gain_hash((struct str){(const char *)values, count * sizeof *values});
}

static void print_stage(const struct stage_trace *t)
{
	printf(" %s %d \"%.*s\" %a \"%.*s\" %a %a %a \"%.*s\"", t->stage, (int)t->verdict, STR_ARG(t->label), t->score, STR_ARG(t->runner_up),
	       t->runner_up_score, t->threshold, t->in_scope, STR_ARG(t->reason));
}

static void print_stages(const struct decision *dec)
{
	for (uint32_t i = 0; i < dec->trace_count; i++)
		print_stage(&dec->trace[i]);
	printf("\n");
}

static struct job job_of(const struct work *w, const struct dataset_row *row)
{
	struct job job = {.state = JOB_DECODED, .req = row->req, .dec = {.policy = w->policy, .route = -1}, .call = {.model = -1}};
	arena_init(&job.arena, 16384);
	return job;
}

static void ask_each(const struct work *w, const struct dataset_row *row)
{
	struct job job = job_of(w, row);
	struct stage_answer answers[MOST_STAGES];
	float vector[STATIC_MODEL_MAX_DIM];
	float length = static_model_embed(w->model, route_text(w->policy, &job), vector);
	printf("vector %a %016llx\n", (double)length, bits_of(vector, static_model_dim(w->model)));
	route_ask_all(w->policy, w->scratch, &job, answers);
	job.dec.trace_count = policy_stage_count(w->policy);
	printf("each");
	print_stages(&job.dec);
	if (w->classifier != NULL) {
		struct classified found;
		classifier_run(w->classifier, w->classifier_scratch, route_text(w->policy, &job), &found);
		printf("classifier %a %a %016llx %016llx\n", (double)found.confidence, (double)found.in_scope,
		       bits_of(classifier_probabilities(w->classifier_scratch), classifier_label_count(w->classifier)),
		       bits_of(classifier_signals(w->classifier_scratch), CLASSIFIER_SIGNALS));
	}
	arena_free(&job.arena);
}

static void decide(const struct work *w, const struct dataset_row *row)
{
	struct job job = job_of(w, row);
	struct str why = STR("");
	bool seen = route_guard(w->policy, w->scratch, &job, &why);
	struct str key = route_key_material(w->policy, w->scratch, &job);
	(void)route_decide(w->policy, w->scratch, &job); /* a policy that asks models is refused at the start */
	const struct decision *dec = &job.dec;
	printf("decision %d %016llx chars %u tokens %u to %.*s by %s, %a of %a, group \"%.*s\" guards %u \"%.*s\"", seen, (unsigned long long)gain_hash(key), dec->prompt_chars,
	       dec->prompt_tokens_est, STR_ARG(dec->route_name), dec->stage, dec->confidence, dec->threshold, STR_ARG(dec->group_id),
	       dec->guard_count, STR_ARG(why));
	print_stages(dec);
	arena_free(&job.arena);
}

static enum rc run(const struct work *w, const char *path, struct err *err)
{
	struct dataset *ds = NULL;
	struct dataset_row row;
	struct arena arena;
	enum dataset_step step;
	unsigned long rows = 0, bad = 0;
	enum rc rc = dataset_open(path, NULL, 0, &ds, err);
	if (rc != RC_OK)
		return rc;
	arena_init(&arena, 1 << 16);
	while ((step = dataset_next(ds, &arena, &row, err)) == DATASET_ROW || step == DATASET_BAD) {
		if (step == DATASET_ROW) {
			printf("row %llu\n", (unsigned long long)row.line);
			ask_each(w, &row);
			decide(w, &row);
			rows++;
		} else {
			bad++;
		}
		arena_reset(&arena);
	}
	printf("%lu rows, %lu that are none\n", rows, bad);
	arena_free(&arena);
	dataset_close(ds);
	return step == DATASET_END ? RC_OK : RC_FATAL;
}

static enum rc open_classifier(struct work *w, const char *path, struct err *err)
{
	struct buf bytes;
	char piece[65536];
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return err_set(err, RC_BAD_INPUT, "%s cannot be opened", path);
	buf_init(&bytes, &w->arena, 1 << 20);
	for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
		buf_add(&bytes, piece, n);
	fclose(f);
	enum rc rc = classifier_open(buf_view(&bytes), w->model, &w->arena, &w->classifier, err);
	if (rc == RC_OK)
		w->classifier_scratch = classifier_scratch_new(w->classifier);
	return rc;
}

static enum rc open_work(struct work *w, const char *config, const char *classifier, struct err *err)
{
	enum rc rc = settings_load_no_secrets(config, &w->settings, err);
	if (rc == RC_OK)
		rc = policy_load(w->settings.policy_file.data, &w->settings, &w->policy, err);
	if (rc == RC_OK && (policy_asks(w->policy) || policy_stage_count(w->policy) > MOST_STAGES))
		rc = err_set(err, RC_BAD_INPUT, "%s: its policy asks models", config);
	if (rc == RC_OK)
		rc = static_model_builtin(&w->arena, &w->model, err);
	if (rc == RC_OK && classifier != NULL)
		rc = open_classifier(w, classifier, err);
	if (rc == RC_OK)
		w->scratch = route_scratch_new(w->policy);
	return rc;
}

int main(int argc, char **argv)
{
	struct work w = {0};
	struct err err = {""};
	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: score_bits CONFIG PROMPTS [CLASSIFIER]\n"
		                "example: score_bits tests/golden/library/pointsman.yaml tests/golden/library/prompts.jsonl\n");
		return 2;
	}
	arena_init(&w.arena, 1 << 16);
	enum rc rc = open_work(&w, argv[1], argv[3], &err);
	if (rc == RC_OK)
		rc = run(&w, argv[2], &err);
	if (rc != RC_OK)
		fprintf(stderr, "%s\n", err.text);
	route_scratch_free(w.scratch);
	classifier_scratch_free(w.classifier_scratch);
	policy_unref(w.policy);
	settings_free(&w.settings);
	arena_free(&w.arena);
	return rc == RC_OK ? 0 : 1;
}
