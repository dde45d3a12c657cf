/*
 * eval.c: `pointsman eval`: how well a policy routes a data set with labels, with the same code that routes records.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/cli/eval.h"
#include "worker/cli/prices.h"
#include "worker/lab/costs.h"
#include "worker/route/inspect.h"

enum { SLICE_ROWS = 30, WORST = 10, MOST_WORST = 1000, ASKING_THREADS = 16 };

static const char usage[] = "-c FILE DATA [OPTION...]\n";
static const char about[] =
    "Routes each row of DATA as the worker would, and compares with the row's label. Calls nobody, and needs no\n"
    "services and no secrets: a stage that would ask a model passes, but with --ask. DATA is JSON Lines or CSV with a header (- for\n"
    "standard input), with the fields text (or prompt, or messages), label (a route; null or oos: none of these),\n"
    "id, tenant, embedding; every other one is an attribute of the record, and a slice of the report.\n";
static const char notes[] =
    "A row is right when it goes to the route of its label; one for none of the routes, when it ends where unsure\n"
    "ones go. Exit codes: 0 done, 4 a figure is under --fail-under, 3 configuration or data.\n"
    "\n"
    "With --labels-as-routes, rows of none of the labels are left out of the accuracy: they say how well the score tells\n"
    "them from the others.\n";
static const char example[] =
    "pointsman eval -c pointsman.yaml tickets.csv -f text=body -f label=queue --fail-under accuracy=0.9\n"
    "pointsman eval --labels-as-routes --model tickets.pmc others.jsonl --predictions out.jsonl --json\n";

static const char *const figure_names[] = {"accuracy", "macro_f1", "out_of_scope_caught", "in_scope_decided"};
enum { FIGURES = sizeof figure_names / sizeof figure_names[0] };

/* "accuracy" and the like; NAN where it cannot be told. false: there is no such figure. */
static bool figure(const struct eval_summary *s, struct str name, double *ret)
{
	const double values[FIGURES] = {s->accuracy, s->macro_f1, s->out_of_scope.share, s->kept.share};
	for (int i = 0; i < FIGURES; i++)
		if (str_is(name, figure_names[i])) {
			*ret = values[i];
			return true;
		}
	return false;
}

static bool read_floor(const char *text, struct str *ret_name, double *ret_least)
{
	const char *equals = strchr(text, '=');
	double ignored;
	if (equals == NULL)
		return false;
	*ret_name = (struct str){text, (size_t)(equals - text)};
	return figure(&(struct eval_summary){0}, *ret_name, &ignored) && str_to_double(str_of(equals + 1), ret_least) && *ret_least >= 0 &&
	       *ret_least <= 1;
}

static enum rc take_floor(void *ctx, const char *text, struct err *err)
{
	struct eval_asked *asked = ctx;
	if (asked->fail_count < sizeof asked->fail_under / sizeof asked->fail_under[0] &&
	    read_floor(text, &asked->fail_names[asked->fail_count], &asked->fail_under[asked->fail_count])) {
		asked->fail_count++;
		return RC_OK;
	}
	return err_set(err, RC_BAD_INPUT, "--fail-under takes accuracy=0.9, macro_f1=..., out_of_scope_caught=... or in_scope_decided=..., not \"%s\"", text);
}

static enum rc take_slice(void *ctx, const char *text, struct err *err)
{
	struct eval_asked *asked = ctx;
	if (asked->slice_count == EVAL_MAX_SLICED)
		return err_set(err, RC_BAD_INPUT, "at most %d times --slice", EVAL_MAX_SLICED);
	asked->slices[asked->slice_count++] = str_of(text);
	return RC_OK;
}

static enum rc take_budget(void *ctx, const char *text, struct err *err)
{
	double *usd = ctx;
	if (str_to_double(str_of(text), usd) && *usd >= 0)
		return RC_OK;
	return err_set(err, RC_BAD_INPUT, "--budget takes dollars, not \"%s\"", text);
}

static bool read_options(const struct command *self, int argc, char **argv, struct eval_asked *asked, int *ret_code)
{
	const struct arg args[] = {
		{.operand = &asked->data, .needed = CLI_DATA_NEEDED},
		{'c', "config", "FILE", "the configuration, which names the policy", .text = &asked->config},
		{0, "policy", "FILE", "another policy than the configuration's, such as one from before a change", .text = &asked->policy},
		{0, "stages", "LIST", "only these stages of it, such as rules,classifier: what each of them is worth", .text = &asked->stages},
		{0, "labels-as-routes", NULL, "no policy: the labels of a classifier are the routes, and every text gets one of them",
		 .flag = &asked->labels_as_routes},
		{'m', "model", "FILE", "that classifier, as train wrote it", .text = &asked->model},
		{0, "none", "LABEL", "this label means none of the routes, too", .text = &asked->none},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: text=ticket.body, label=queue, attributes.product=item", .take = cli_take_field,
		 .ctx = &asked->fields},
		{0, "slice", "NAME", "slice by this field only, or language, length, tenant (may be repeated)", .take = take_slice, .ctx = asked},
		{0, "slice-rows", "N", "leave out slices with fewer rows", .number = &asked->slice_rows, .most = DATASET_MAX_ROWS},
		{0, "costs", "FILE", "what errors cost, in place of the policy's: costs: {careful->quick: 25.00, oos->quick: 5}", .text = &asked->costs},
		{0, "ask", NULL, "put the stages' questions to their models: needs their secrets, takes time, and costs", .flag = &asked->ask},
		{0, "budget", "USD", "with --ask: ask no more when so much is spent (1)", .take = take_budget, .ctx = &asked->budget_usd},
		{0, "fail-under", "NAME=X", "exit code 4 when a figure is below X: accuracy, macro_f1, out_of_scope_caught or in_scope_decided (may be "
		 "repeated)", .take = take_floor, .ctx = asked},
		{0, "compare", "POLICY", "a second policy file over the same rows: what changes, and whether that is chance", .text = &asked->compare},
		{0, "predictions", "FILE", "write each row's decision as JSON Lines", .text = &asked->predictions},
		{0, "html", "FILE", "write the report as one page for a browser or a printer, too", .text = &asked->html},
		{0, "worst", "N", "how many wrong rows to show", .number = &asked->worst, .most = MOST_WORST},
		{0, "limit", "N", "only the first N rows", .number = &asked->limit, .least = 1, .most = DATASET_MAX_ROWS},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &asked->skip_bad},
		{0, "json", NULL, "one JSON object instead of tables", .flag = &asked->json},
		{0, "timings", NULL, "decision times in the report, which then differs from run to run", .flag = &asked->timings},
		{0},
	};
	if (!cli_args(self, args, argc, argv, ret_code))
		return false;
	if (asked->labels_as_routes != (asked->model != NULL))
		*ret_code = cli_usage(self, "--labels-as-routes and --model FILE belong together: FILE is what train wrote from such rows");
	else if (asked->labels_as_routes && (asked->config != NULL || asked->policy != NULL || asked->stages != NULL || asked->costs != NULL ||
	                                     asked->compare != NULL))
		*ret_code = cli_usage(self, "--labels-as-routes takes the place of a policy: --config, --policy, --stages, --costs and --compare need one");
	return *ret_code == EXIT_DONE;
}

static void say_times(struct eval_work *work)
{
	fprintf(stderr, "%lld rows in %.2f s; a decision takes %.0f us at the median, %.0f us at p99 (of one core)\n", (long long)work->rows,
	        (double)work->micros / 1e6, eval_micros(work->side.eval, .5), eval_micros(work->side.eval, .99));
}

static void report(struct eval_work *work)
{
	if (!work->asked->json) {
		eval_report_text(work, stdout);
		if (work->asked->timings)
			printf("\ndecision      %.1f us at the median, %.1f us at p99\n", eval_micros(work->side.eval, .5), eval_micros(work->side.eval, .99));
		return;
	}
	struct buf out;
	buf_init(&out, &work->arena, 64 * 1024);
	eval_report_json(work, &out);
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
}

/* EXIT_CHECK when a figure is under its floor. */
static int hold_floors(const struct eval_work *work)
{
	struct eval_summary s = eval_summary(work->side.eval);
	int code = EXIT_DONE;
	for (uint32_t i = 0; i < work->asked->fail_count; i++) {
		double is = NAN;
		(void)figure(&s, work->asked->fail_names[i], &is); /* the name was checked when the option was read */
		if (is >= work->asked->fail_under[i])
			continue;
		if (isnan(is))
			fprintf(stderr, "%.*s cannot be told: no row of the data is about it\n", STR_ARG(work->asked->fail_names[i]));
		else
			fprintf(stderr, "%.*s is %.4f, under %.4f\n", STR_ARG(work->asked->fail_names[i]), is, work->asked->fail_under[i]);
		code = EXIT_CHECK;
	}
	return code;
}

static int open_side(struct eval_work *work, const struct settings *settings, const char *path, struct eval_side *side)
{
	struct err err;
	double *costs = NULL;
	enum rc rc = work->asked->labels_as_routes ? policy_of_labels(path, &side->policy, &err) : policy_load(path, settings, &side->policy, &err);
	if (rc == RC_OK && work->asked->stages != NULL)
		rc = policy_keep_stages(side->policy, str_of(work->asked->stages), &err);
	if (rc != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	if (work->asked->costs != NULL && costs_load(work->asked->costs, side->policy, &work->arena, &costs, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	side->setup = (struct eval_setup){.routes = policy_route_count(side->policy),
	                                  .when_unsure = policy_when_unsure(side->policy),
	                                  .costs = costs != NULL ? costs : policy_costs(side->policy),
	                                  .prices = prices_of_routes(settings, side->policy, &work->arena),
	                                  .slices = work->asked->slices,
	                                  .slice_count = work->asked->slice_count};
	side->eval = eval_new(&side->setup);
	side->decider = decider_new(side->policy, work->asked->ask ? ASKING_THREADS : 0);
	if (work->asked->ask)
		decider_ask(side->decider, settings, work->asked->budget_usd);
	return EXIT_DONE;
}

static void say_questions(const struct eval_side *side)
{
	struct decider_asked asked = decider_asked(side->decider);
	fprintf(stderr, "asked %llu questions, $%.6f", (unsigned long long)asked.questions, asked.cost_usd);
	if (asked.unasked != 0)
		fprintf(stderr, "; %llu not asked: the budget was spent", (unsigned long long)asked.unasked);
	fputc('\n', stderr);
}

static void close_side(struct eval_side *side)
{
	decider_free(side->decider);
	eval_free(side->eval);
	policy_unref(side->policy);
}

/* settings: NULL where the labels are the routes. */
static int evaluate(const struct settings *settings, const struct eval_asked *asked)
{
	struct eval_work work = {.asked = asked};
	arena_init(&work.arena, 0);
	const char *path = settings == NULL ? asked->model : asked->policy != NULL ? asked->policy : settings->policy_file.data;
	int code = open_side(&work, settings, path, &work.side);
	if (code == EXIT_DONE && asked->compare != NULL) {
		code = open_side(&work, settings, asked->compare, &work.other);
		work.compare = compare_new();
	}
	if (code == EXIT_DONE && asked->html != NULL)
		work.scratch = route_scratch_new(work.side.policy);
	if (code == EXIT_DONE)
		code = eval_run(&work);
	if (code == EXIT_DONE) {
		report(&work);
		say_times(&work);
		if (asked->ask)
			say_questions(&work.side);
		if (asked->ask && work.other.decider != NULL)
			say_questions(&work.other);
		code = asked->html != NULL ? eval_report_html(&work, asked->html) : EXIT_DONE;
	}
	if (code == EXIT_DONE)
		code = hold_floors(&work);
	compare_free(work.compare);
	scope_free(work.scope);
	eval_scores_free(&work.scores);
	route_scratch_free(work.scratch);
	close_side(&work.side);
	close_side(&work.other);
	arena_free(&work.arena);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct eval_asked asked = {.slice_rows = SLICE_ROWS, .worst = WORST, .budget_usd = 1};
	struct settings settings;
	int code = EXIT_DONE;
	if (!read_options(self, argc, argv, &asked, &code))
		return code;
	if (asked.labels_as_routes)
		return evaluate(NULL, &asked);
	code = asked.ask ? cli_settings(self, asked.config, &settings) : cli_settings_no_secrets(self, asked.config, &settings);
	if (code != EXIT_DONE)
		return code;
	code = evaluate(&settings, &asked);
	settings_free(&settings);
	return code;
}

const struct command command_eval = {
	.name = "eval", .summary = "measure a policy on rows with labels", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
