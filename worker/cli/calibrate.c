/*
 * calibrate.c: `pointsman calibrate`: thresholds for a policy's stages from rows with labels, as a diff to review.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/cli/calibrate.h"
#include "worker/cli/calibrate_gain.h"
#include "worker/cli/prices.h"
#include "worker/lab/costs.h"

enum { FOLDS = 5, MOST_FOLDS = 50, ROUTE_ROWS = 50 };

static const char help[] =
    "usage: pointsman calibrate -c FILE DATA GOAL [OPTION...]\n"
    "\n"
    "Proposes thresholds for the stages that have some, as a unified diff of the policy file, and says what to expect of\n"
    "them on rows that they were not chosen on. Changes nothing by itself: apply the diff with `patch`, or say --write.\n"
    "Calls nobody, and needs no services and no secrets. DATA is as for `pointsman eval`; 500 to 1,000 rows are a start.\n"
    "\n"
    "One goal:\n"
    "      --target-misroute X   decide as much as possible, with at most X (3% or 0.03) of what a stage decides wrong\n"
    "      --target-share X      let the stages decide X of all rows, with as few misroutes as possible\n"
    "      --minimise cost       as little cost of errors as possible; needs `costs` in the policy, or --costs\n"
    "      --strong-share X, --target-quality X\n"
    "                            for the difficulty stage, from judged answers: see calibrate --strong-share 30% --help\n"
    "\n"
    "  -c, --config FILE         the configuration, which names the policy\n"
    "  -f, --field NAME=PATH     a field stands elsewhere: text=ticket.body, label=ticket.queue\n"
    "      --costs FILE          what errors cost, in place of the policy's\n"
    "      --folds N             parts that the rows are split into (5): each is decided by what the others chose\n"
    "      --route-rows N        rows that a route needs for a threshold of its own (50); the others share one\n"
    "      --limit N             only the first N rows\n"
    "      --skip-bad            leave out rows that cannot be read, and count them; else the first one ends it\n"
    "      --write               change the policy file; whole or not at all\n"
    "      --json                one JSON object, with the curve of each stage's threshold\n"
    "  -h, --help                this text\n"
    "\n"
    "A row never vouches for itself. One that is an example of the policy is compared with the other examples; one that a\n"
    "classifier was trained on is answered by classifiers trained on the other folds; rows of equal text are in one fold.\n"
    "Where the rows do not show that the goal is kept, a stage keeps its thresholds, and it is said what is missing.\n"
    "Exit codes: 0 proposed, 4 nothing could be proposed, 3 configuration or data.\n"
    "\n"
    "example: pointsman calibrate -c pointsman.yaml tickets.jsonl --target-misroute 3% | tee proposal | patch -p0\n";

static int take_goal(const struct command *self, int c, struct calibrate_asked *asked)
{
	if (asked->has_goal)
		return cli_usage(self, "one goal at a time: --target-misroute, --target-share or --minimise cost");
	asked->has_goal = true;
	if (c == 'M') {
		asked->goal = (struct curve_goal){CURVE_COST, 0};
		return strcmp(optarg, "cost") == 0 ? EXIT_DONE : cli_usage(self, "--minimise takes cost, not \"%s\"", optarg);
	}
	asked->goal.kind = c == 'm' ? CURVE_MISROUTE : CURVE_SHARE;
	if (cli_share(optarg, &asked->goal.value) && asked->goal.value > 0 && asked->goal.value < 1)
		return EXIT_DONE;
	return cli_usage(self, "%s takes a share between 0 and 1, such as 3%% or 0.03, not \"%s\"", c == 'm' ? "--target-misroute" : "--target-share", optarg);
}

static int take_number(const struct command *self, const char *name, int64_t least, int64_t most, int64_t *ret)
{
	if (str_to_i64(str_of(optarg), ret) && *ret >= least && *ret <= most)
		return EXIT_DONE;
	return cli_usage(self, "%s takes %lld to %lld, not \"%s\"", name, (long long)least, (long long)most, optarg);
}

static int take(const struct command *self, int c, struct calibrate_asked *asked)
{
	switch (c) {
	case 'c': asked->config = optarg; break;
	case 'f':
		if (cli_field(self, optarg, asked->fields, &asked->field_count) != EXIT_DONE)
			return EXIT_USAGE;
		break;
	case 'm':
	case 's':
	case 'M': return take_goal(self, c, asked);
	case 'k': return take_number(self, "--folds", 2, MOST_FOLDS, &asked->folds);
	case 'r': return take_number(self, "--route-rows", 1, DATASET_MAX_ROWS, &asked->route_rows);
	case 'l': return take_number(self, "--limit", 1, DATASET_MAX_ROWS, &asked->limit);
	case 'o': asked->costs = optarg; break;
	case 'b': asked->skip_bad = true; break;
	case 'w': asked->write = true; break;
	case 'j': asked->json = true; break;
	}
	return EXIT_DONE;
}

static int read_options(const struct command *self, int argc, char **argv, struct calibrate_asked *asked, bool *ret_done)
{
	static const struct option longs[] = {
	    {"config", required_argument, NULL, 'c'},          {"field", required_argument, NULL, 'f'},
	    {"target-misroute", required_argument, NULL, 'm'}, {"target-share", required_argument, NULL, 's'},
	    {"minimise", required_argument, NULL, 'M'},        {"minimize", required_argument, NULL, 'M'},
	    {"costs", required_argument, NULL, 'o'},           {"folds", required_argument, NULL, 'k'},
	    {"route-rows", required_argument, NULL, 'r'},      {"limit", required_argument, NULL, 'l'},
	    {"skip-bad", no_argument, NULL, 'b'},              {"write", no_argument, NULL, 'w'},
	    {"json", no_argument, NULL, 'j'},                  {"help", no_argument, NULL, 'h'},
	    {0}};
	int code = EXIT_DONE;
	for (int c; (c = cli_option(self, argc, argv, "c:f:h", longs, &code)) != -1;) {
		*ret_done = c == '?';
		if (c != '?')
			code = take(self, c, asked);
		if (c == '?' || code != EXIT_DONE)
			return code;
	}
	if (optind + 1 != argc)
		return cli_usage(self, "one data set is needed: a file, or - for standard input");
	asked->data = argv[optind];
	if (!asked->has_goal)
		return cli_usage(self, "a goal is needed: --target-misroute 3%%, --target-share 80%% or --minimise cost");
	return EXIT_DONE;
}

static int prepare(struct calibrate_work *work)
{
	struct err err;
	double *costs = NULL;
	const struct calibrate_asked *asked = work->asked;
	const char *path = work->settings->policy_file.data;
	if (config_read_file(&work->arena, path, MAX_POLICY_BYTES, &work->policy_text, &err) != RC_OK ||
	    policy_load(path, work->settings, &work->policy, &err) != RC_OK ||
	    (asked->costs != NULL && costs_load(asked->costs, work->policy, &work->arena, &costs, &err) != RC_OK))
		return cli_fail(&err, EXIT_CONFIG);
	uint32_t count = policy_stage_count(work->policy);
	work->stages = arena_array(&work->arena, count, sizeof *work->stages);
	work->learned = arena_array(&work->arena, count, sizeof *work->learned);
	bool any = false;
	for (uint32_t i = 0; i < count; i++) {
		work->stages[i] = policy_stage_info(work->policy, i);
		any = any || work->stages[i].thresholds != NULL;
	}
	work->eval = (struct eval_setup){.routes = policy_route_count(work->policy),
	                                 .when_unsure = policy_when_unsure(work->policy),
	                                 .costs = costs != NULL ? costs : policy_costs(work->policy),
	                                 .prices = prices_of_routes(work->settings, work->policy, &work->arena)};
	if (!any) {
		fprintf(stderr, "%s: no stage of the policy has thresholds; there is nothing to calibrate\n", path);
		return EXIT_CONFIG;
	}
	if (asked->goal.kind == CURVE_COST && work->eval.costs == NULL) {
		fprintf(stderr, "%s: --minimise cost needs to know what errors cost: add \"costs: {ROUTE->OTHER: 25.00, default: 1}\" to the policy\n", path);
		return EXIT_CONFIG;
	}
	return EXIT_DONE;
}

static void report(struct calibrate_work *work)
{
	if (!work->asked->json) {
		calibrate_report_text(work, stdout);
		return;
	}
	struct buf out;
	buf_init(&out, &work->arena, 64 * 1024);
	calibrate_report_json(work, &out);
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
}

static int calibrate_policy(const struct settings *settings, const struct calibrate_asked *asked)
{
	struct calibrate_work work = {.asked = asked, .settings = settings};
	arena_init(&work.arena, 1 << 20);
	int code = prepare(&work);
	if (code == EXIT_DONE)
		code = calibrate_read(&work);
	if (code == EXIT_DONE) {
		struct calibrate_setup setup = {.rows = work.rows, .row_count = work.count, .folds = (uint32_t)asked->folds, .stages = work.stages,
		                                .stage_count = policy_stage_count(work.policy), .eval = work.eval, .goal = asked->goal,
		                                .route_rows = (uint32_t)asked->route_rows};
		calibrate(&setup, &work.arena, &work.result);
		code = calibrate_propose(&work);
	}
	if (code == EXIT_DONE) {
		report(&work);
		if (asked->write && work.diff.data != NULL)
			code = calibrate_write(&work);
		if (code == EXIT_DONE && !(calibrate_chose(&work) && work.result.reached))
			code = EXIT_CHECK;
	}
	calibrate_free(&work.result);
	free(work.rows);
	free(work.texts);
	policy_unref(work.policy);
	arena_free(&work.arena);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct calibrate_asked asked = {.folds = FOLDS, .route_rows = ROUTE_ROWS, .limit = -1};
	struct settings settings;
	bool done = false;
	if (calibrate_gain_asked(argc, argv))
		return calibrate_gain(argc, argv);
	int code = read_options(self, argc, argv, &asked, &done);
	if (code != EXIT_DONE || done)
		return code;
	code = cli_settings_no_secrets(self, asked.config, &settings);
	if (code != EXIT_DONE)
		return code;
	code = calibrate_policy(&settings, &asked);
	settings_free(&settings);
	return code;
}

const struct command command_calibrate = {
	.name = "calibrate", .summary = "propose thresholds from rows with labels", .help = help, .run = run};
