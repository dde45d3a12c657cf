/*
 * eval.c: `pointsman eval`: how well a policy routes a data set with labels, with the same code that routes records.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/cli/eval_report.h"
#include "worker/cli/prices.h"
#include "worker/lab/costs.h"
#include "worker/route/inspect.h"

enum { SLICE_ROWS = 30, WORST = 10, MOST_WORST = 1000, ASKING_THREADS = 16 };

static const char help[] =
    "usage: pointsman eval -c FILE DATA [OPTION...]\n"
    "\n"
    "Routes each row of DATA as the worker would, and compares with the row's label. Calls nobody, and needs no\n"
    "services and no secrets: a stage that would ask a model passes, but with --ask. DATA is JSON Lines or CSV with a header (- for\n"
    "standard input), with the fields text (or prompt, or messages), label (a route; null or oos: none of these),\n"
    "id, tenant, embedding; every other one is an attribute of the record, and a slice of the report.\n"
    "\n"
    "  -c, --config FILE         the configuration, which names the policy\n"
    "      --labels-as-routes    no policy: the labels of a classifier are the routes, and every text gets one of them\n"
    "  -m, --model FILE          that classifier, as train wrote it\n"
    "      --none LABEL          this label means none of the routes, too\n"
    "  -f, --field NAME=PATH     a field stands elsewhere: text=ticket.body, label=queue, attributes.product=item\n"
    "      --slice NAME          slice by this field only, or language, length, tenant (may be repeated)\n"
    "      --slice-rows N        leave out slices with fewer rows (30)\n"
    "      --costs FILE          what errors cost, in place of the policy's: costs: {careful->quick: 25.00, oos->quick: 5}\n"
    "      --ask                 put the stages' questions to their models: needs their secrets, takes time, and costs\n"
    "      --budget USD          with --ask: ask no more when so much is spent (1)\n"
    "      --fail-under NAME=X   exit code 4 when a figure is below X: accuracy, macro_f1, out_of_scope_caught or\n"
    "                            in_scope_decided (may be repeated)\n"
    "      --compare POLICY      a second policy file over the same rows: what changes, and whether that is chance\n"
    "      --predictions FILE    write each row's decision as JSON Lines\n"
    "      --html FILE           write the report as one page for a browser or a printer, too\n"
    "      --worst N             how many wrong rows to show (10)\n"
    "      --limit N             only the first N rows\n"
    "      --skip-bad            leave out rows that cannot be read, and count them; else the first one ends it\n"
    "      --json                one JSON object instead of tables\n"
    "      --timings             decision times in the report, which then differs from run to run\n"
    "  -h, --help                this text\n"
    "\n"
    "A row is right when it goes to the route of its label; one for none of the routes, when it ends where unsure\n"
    "ones go. Exit codes: 0 done, 4 a figure is under --fail-under, 3 configuration or data.\n"
    "\n"
    "With --labels-as-routes, rows of none of the labels are left out of the accuracy: they say how well the score tells\n"
    "them from the others.\n"
    "\n"
    "example: pointsman eval -c pointsman.yaml tickets.csv -f text=body -f label=queue --fail-under accuracy=0.9\n"
    "          pointsman eval --labels-as-routes --model tickets.pmc others.jsonl --predictions out.jsonl --json\n";

static const char *const figure_names[] = {"accuracy", "macro_f1", "out_of_scope_caught", "in_scope_decided"};
enum { FIGURES = sizeof figure_names / sizeof figure_names[0] };

bool eval_figure(const struct eval_summary *s, struct str name, double *ret)
{
	const double values[FIGURES] = {s->accuracy, s->macro_f1, s->out_of_scope.share, s->kept.share};
	for (int i = 0; i < FIGURES; i++)
		if (str_is(name, figure_names[i])) {
			*ret = values[i];
			return true;
		}
	return false;
}

static bool add_floor(struct eval_asked *asked, const char *text)
{
	const char *equals = strchr(text, '=');
	double ignored, least;
	if (equals == NULL || asked->fail_count == sizeof asked->fail_under / sizeof asked->fail_under[0])
		return false;
	struct str name = {text, (size_t)(equals - text)};
	if (!eval_figure(&(struct eval_summary){0}, name, &ignored) || !str_to_double(str_of(equals + 1), &least) || !(least >= 0 && least <= 1))
		return false;
	asked->fail_names[asked->fail_count] = name;
	asked->fail_under[asked->fail_count++] = least;
	return true;
}

static bool read_count(const char *text, int64_t most, int64_t *ret)
{
	return str_to_i64(str_of(text), ret) && *ret >= 0 && *ret <= most;
}

/* One option; EXIT_DONE or what cli_usage gave. */
static int take(const struct command *self, int c, struct eval_asked *asked)
{
	switch (c) {
	case 'c': asked->config = optarg; break;
	case 'f':
		if (cli_field(self, optarg, asked->fields, &asked->field_count) != EXIT_DONE)
			return EXIT_USAGE;
		break;
	case 's':
		if (asked->slice_count == EVAL_MAX_SLICED)
			return cli_usage(self, "at most %d times --slice", EVAL_MAX_SLICED);
		asked->slices[asked->slice_count++] = str_of(optarg);
		break;
	case 'F':
		if (!add_floor(asked, optarg))
			return cli_usage(self, "--fail-under takes accuracy=0.9, macro_f1=..., out_of_scope_caught=... or in_scope_decided=..., not \"%s\"", optarg);
		break;
	case 'r':
		if (!read_count(optarg, DATASET_MAX_ROWS, &asked->slice_rows))
			return cli_usage(self, "--slice-rows takes a number of rows, not \"%s\"", optarg);
		break;
	case 'w':
		if (!read_count(optarg, MOST_WORST, &asked->worst))
			return cli_usage(self, "--worst takes 0 to %d, not \"%s\"", MOST_WORST, optarg);
		break;
	case 'l':
		if (!read_count(optarg, DATASET_MAX_ROWS, &asked->limit) || asked->limit == 0)
			return cli_usage(self, "--limit takes 1 to %d, not \"%s\"", DATASET_MAX_ROWS, optarg);
		break;
	case 'C': asked->compare = optarg; break;
	case 'o': asked->costs = optarg; break;
	case 'H': asked->html = optarg; break;
	case 'p': asked->predictions = optarg; break;
	case 'b': asked->skip_bad = true; break;
	case 'j': asked->json = true; break;
	case 't': asked->timings = true; break;
	case 'L': asked->labels_as_routes = true; break;
	case 'm': asked->model = optarg; break;
	case 'n': asked->none = optarg; break;
	case 'A': asked->ask = true; break;
	case 'B':
		if (!str_to_double(str_of(optarg), &asked->budget_usd) || !(asked->budget_usd >= 0))
			return cli_usage(self, "--budget takes dollars, not \"%s\"", optarg);
		break;
	}
	return EXIT_DONE;
}

static int read_options(const struct command *self, int argc, char **argv, struct eval_asked *asked, bool *ret_done)
{
	static const struct option longs[] = {
	    {"config", required_argument, NULL, 'c'},     {"field", required_argument, NULL, 'f'},  {"slice", required_argument, NULL, 's'},
	    {"slice-rows", required_argument, NULL, 'r'}, {"costs", required_argument, NULL, 'o'},  {"fail-under", required_argument, NULL, 'F'},
	    {"predictions", required_argument, NULL, 'p'}, {"worst", required_argument, NULL, 'w'}, {"limit", required_argument, NULL, 'l'},
	    {"compare", required_argument, NULL, 'C'},    {"html", required_argument, NULL, 'H'},
	    {"skip-bad", no_argument, NULL, 'b'},         {"json", no_argument, NULL, 'j'},         {"timings", no_argument, NULL, 't'},
	    {"labels-as-routes", no_argument, NULL, 'L'}, {"model", required_argument, NULL, 'm'},
	    {"ask", no_argument, NULL, 'A'},              {"budget", required_argument, NULL, 'B'},
	    {"none", required_argument, NULL, 'n'},       {"help", no_argument, NULL, 'h'},         {0}};
	int code = EXIT_DONE;
	for (int c; (c = cli_option(self, argc, argv, "c:f:m:h", longs, &code)) != -1;) {
		*ret_done = c == '?';
		if (c != '?')
			code = take(self, c, asked);
		if (c == '?' || code != EXIT_DONE)
			return code;
	}
	if (optind + 1 != argc)
		return cli_usage(self, "one data set is needed: a file, or - for standard input");
	asked->data = argv[optind];
	if (asked->labels_as_routes != (asked->model != NULL))
		return cli_usage(self, "--labels-as-routes and --model FILE belong together: FILE is what train wrote from such rows");
	if (asked->labels_as_routes && (asked->config != NULL || asked->costs != NULL || asked->compare != NULL))
		return cli_usage(self, "--labels-as-routes takes the place of a policy: --config, --costs and --compare need one");
	return EXIT_DONE;
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
		(void)eval_figure(&s, work->asked->fail_names[i], &is); /* the name was checked when the option was read */
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
	int code = open_side(&work, settings, settings != NULL ? settings->policy_file.data : asked->model, &work.side);
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
	struct eval_asked asked = {.slice_rows = SLICE_ROWS, .worst = WORST, .limit = -1, .budget_usd = 1};
	struct settings settings;
	bool done = false;
	int code = read_options(self, argc, argv, &asked, &done);
	if (code != EXIT_DONE || done)
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

const struct command command_eval = {.name = "eval", .summary = "measure a policy on rows with labels", .help = help, .run = run};
