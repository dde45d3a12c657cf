/*
 * redrive.c: `pointsman redrive`: dead letters back to the topic they came from.
 */
#include <signal.h>
#include <stdlib.h>

#include "worker/cli/cli.h"
#include "worker/cli/redrive_print.h"
#include "worker/engine/signals.h"

enum { MOST_HEADERS = 16, DEFAULT_REDRIVES = 3, MOST_REDRIVES = 1000, MOST_A_SECOND = 1000000 };

static const char usage[] =
    "-c FILE [--dry-run] [FILTER...] [OPTION...]\n";
static const char about[] =
    "Sends dead letters back to the input topic they came from: key, value and headers as they were, without\n"
    "the headers that made them dead letters, and with pointsman-redrives: how often they were sent back. Reads\n"
    "the dead-letter topic of the configuration up to the end that stands when it begins.\n";
static const char notes[] =
    "Each dead letter goes back once, whatever dies: what is sent and the record of it are one transaction, in\n"
    "batches. After a kill, or Ctrl-C, run it again: it goes on where it was. The record is kept in the offsets\n"
    "of the group GROUP-redrive and says for each dead letter whether it was sent back, so what one run left\n"
    "out by its filters, a later run with others still finds. (A run with --again cannot be resumed: it starts\n"
    "anew.) One redrive of a group works at a time: a second one takes over, and the first ends and says so.\n"
    "\n"
    "Left where they are, counted and named: letters whose value was cut, those that reached --max-redrives,\n"
    "and those whose original topic is none of input.topics, unless --to says where to.\n"
    "\n"
    "Exit codes: 0 done, also with nothing to do; 1 failed, interrupted, or a partition not read to its end.\n";
static const char example[] = "pointsman redrive -c triage/pointsman.yaml --class model_unavailable --since 2h --dry-run\n";

struct asked {
	struct redrive_order order;
	struct header headers[MOST_HEADERS];
	const char *config, *to;
	int64_t max_redrives;
	bool classes_given, json;
	/* while it runs */
	struct signals *signals;
	struct cli_progress bar;
};

/* ---- classes --------------------------------------------------------------------------------------------------------- */

static const char *const more_classes[] = {"all", "other"};
enum { MORE_CLASSES = 2 };

static const char *class_at(const void *ctx, unsigned i)
{
	(void)ctx; /* the table is constant */
	return i < MORE_CLASSES ? more_classes[i] : outcome_info((enum outcome)(i - MORE_CLASSES + 1))->name;
}

static bool can_die(enum outcome outcome)
{
	return outcome_info(outcome)->dead_letter || outcome == OUTCOME_EXPIRED; /* output.dead_letter_expired */
}

static bool add_class(struct asked *asked, struct str word)
{
	bool *classes = asked->order.filter.classes;
	enum outcome outcome = outcome_by_name(word);
	if (str_is(word, "all"))
		memset(classes, true, OUTCOME_COUNT * sizeof *classes);
	else if (str_is(word, "other"))
		classes[OUTCOME_NONE] = true;
	else if (outcome != OUTCOME_NONE && can_die(outcome))
		classes[outcome] = true;
	else
		return false;
	return true;
}

static enum rc take_classes(void *ctx, const char *list, struct err *err)
{
	struct asked *asked = ctx;
	asked->classes_given = true;
	for (struct str rest = str_of(list);;) {
		const char *comma = memchr(rest.data, ',', rest.len);
		struct str word = str_trim((struct str){rest.data, comma != NULL ? (size_t)(comma - rest.data) : rest.len});
		if (!add_class(asked, word)) {
			const char *near = config_suggest(word, class_at, NULL, MORE_CLASSES + OUTCOME_COUNT - 1);
			return err_set(err, RC_BAD_INPUT, "no dead letter has the class \"%.*s\"%s%s%s", STR_ARG(word),
			               near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		}
		if (comma == NULL)
			return RC_OK;
		rest = (struct str){comma + 1, rest.len - (size_t)(comma + 1 - rest.data)};
	}
}

static void default_classes(struct asked *asked)
{
	for (unsigned i = 1; i < OUTCOME_COUNT && !asked->classes_given; i++)
		asked->order.filter.classes[i] = outcome_info((enum outcome)i)->retryable && can_die((enum outcome)i);
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

static enum rc take_header(void *ctx, const char *text, struct err *err)
{
	struct asked *asked = ctx;
	const char *equals = strchr(text, '=');
	if (equals == NULL || equals == text)
		return err_set(err, RC_BAD_INPUT, "--header takes NAME=VALUE, not \"%s\"", text);
	if (asked->order.filter.header_count == MOST_HEADERS)
		return err_set(err, RC_BAD_INPUT, "--header can be given %d times at most", MOST_HEADERS);
	asked->headers[asked->order.filter.header_count++] = (struct header){{text, (size_t)(equals - text)}, str_of(equals + 1)};
	return RC_OK;
}

static bool read_options(const struct command *self, int argc, char **argv, struct asked *asked, int *ret_code)
{
	struct redrive_order *order = &asked->order;
	const struct arg args[] = {
		{'c', "config", "FILE", "the configuration", .text = &asked->config},
		{0, "dry-run", NULL, "only say what would be done: writes nothing, disturbs no other run", .flag = &order->dry_run},
		{.help = "Filters:"},
		{0, "class", "CLASS,...", "error classes (those that can go well the next time); \"all\"; \"other\" for dead letters that another program "
		 "wrote", .take = take_classes, .ctx = asked},
		{0, "since", "WHEN", "only those that died from then on: 2h, 7d (ago), 2026-11-20, 2026-11-20T08:00+01:00 (UTC without a zone)",
		 .moment_ms = &order->filter.since_ms},
		{0, "until", "WHEN", "only those that died before", .moment_ms = &order->filter.until_ms},
		{0, "header", "NAME=VALUE", "only with this header; several must all be there", .take = take_header, .ctx = asked},
		{.help = "How:"},
		{0, "limit", "N", "so many at most", .number = &order->limit, .least = 1, .most = INT64_MAX},
		{0, "rate", "N", "so many a second at most", .number = &order->rate, .least = 1, .most = MOST_A_SECOND},
		{0, "to", "TOPIC", "all to this topic, whatever topic they came from", .text = &asked->to},
		{0, "max-redrives", "N", "leave what was sent back so often already", .number = &asked->max_redrives, .least = 1, .most = MOST_REDRIVES},
		{0, "again", NULL, "also what earlier runs have sent back", .flag = &order->again},
		{0, "json", NULL, "one JSON object instead of the table", .flag = &asked->json},
		{0},
	};
	if (!cli_args(self, args, argc, argv, ret_code))
		return false;
	order->to = str_of(asked->to);
	order->max_redrives = (uint32_t)asked->max_redrives;
	default_classes(asked);
	return true;
}

/* ---- at work --------------------------------------------------------------------------------------------------------- */

static bool stop_asked(void *ctx)
{
	int signal = signals_next(((struct asked *)ctx)->signals, 0);
	return signal == SIGINT || signal == SIGTERM;
}

static void show_progress(void *ctx, int64_t done, int64_t total)
{
	struct asked *asked = ctx;
	if (asked->bar.what == NULL)
		cli_progress_begin(&asked->bar, "redrive", total);
	cli_progress_at(&asked->bar, done);
}

static int act(struct asked *asked, const struct settings *settings)
{
	struct err err;
	if (signals_open(&asked->signals, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	(void)signals_next(asked->signals, 0); /* from now on they are asked for, and end nothing by themselves */
	struct redrive_report *report = heap_zalloc(1, sizeof *report);
	asked->order.ctx = asked;
	enum rc rc = redrive_run(settings, &asked->order, report, &err);
	cli_progress_end(&asked->bar);
	if (asked->json)
		redrive_print_json(settings, &asked->order, report, rc == RC_OK ? NULL : &err);
	else if (rc == RC_OK)
		redrive_print_table(settings, &asked->order, report);
	int code = EXIT_DONE;
	if (rc != RC_OK) {
		code = cli_fail(&err, rc == RC_BAD_INPUT ? EXIT_CONFIG : EXIT_FAILED);
		if (!asked->order.dry_run)
			fprintf(stderr, "%lld dead letters were redriven for certain before; run it again to go on\n", (long long)report->redriven);
	} else if (report->stopped) {
		fputs("interrupted; run it again to go on\n", stderr);
	}
	if (report->stopped || report->full != 0)
		code = code != EXIT_DONE ? code : EXIT_FAILED;
	redrive_report_free(report);
	free(report);
	signals_close(asked->signals);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {.order = {.stop = stop_asked, .progress = show_progress}, .max_redrives = DEFAULT_REDRIVES};
	asked.order.filter.since_ms = INT64_MIN;
	asked.order.filter.until_ms = INT64_MAX;
	asked.order.filter.headers = asked.headers;
	int code = EXIT_DONE;
	if (!read_options(self, argc, argv, &asked, &code))
		return code;
	struct settings settings;
	code = cli_settings(self, asked.config, &settings);
	if (code != EXIT_DONE)
		return code;
	if (asked.order.to.data != NULL && str_eq(asked.order.to, settings.output.dead_letters))
		code = cli_usage(self, "--to %s is the dead-letter topic itself", asked.order.to.data);
	else
		code = act(&asked, &settings);
	settings_free(&settings);
	return code;
}

const struct command command_redrive = {
	.name = "redrive", .summary = "send dead letters back to their topic", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
