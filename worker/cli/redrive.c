/*
 * redrive.c: `pointsman redrive`: dead letters back to the topic they came from.
 */
#include <signal.h>
#include <stdlib.h>

#include "common/clock.h"
#include "worker/cli/cli.h"
#include "worker/cli/moment.h"
#include "worker/cli/redrive_print.h"
#include "worker/engine/signals.h"

enum { MOST_HEADERS = 16, DEFAULT_REDRIVES = 3, MOST_REDRIVES = 1000, MOST_A_SECOND = 1000000, BAR_AFTER_US = 1000000 };

static const char help[] =
    "usage: pointsman redrive -c FILE [--dry-run] [--class CLASS,...] [--since WHEN] [--until WHEN]\n"
    "           [--header NAME=VALUE]... [--limit N] [--rate N] [--to TOPIC] [--max-redrives N] [--again] [--json]\n"
    "\n"
    "Sends dead letters back to the input topic they came from: key, value and headers as they were, without\n"
    "the headers that made them dead letters, and with pointsman-redrives: how often they were sent back. Reads\n"
    "the dead-letter topic of the configuration up to the end that stands when it begins.\n"
    "\n"
    "  -c, --config FILE        the configuration\n"
    "      --dry-run            only say what would be done: writes nothing, disturbs no other run\n"
    "      --class CLASS,...    error classes (those that can go well the next time); \"all\"; \"other\" for dead\n"
    "                           letters that another program wrote\n"
    "      --since, --until WHEN\n"
    "                           of their death: 2h, 7d (ago), 2026-11-20, 2026-11-20T08:00+01:00 (UTC without a zone)\n"
    "      --header NAME=VALUE  only with this header; several must all be there\n"
    "      --limit N            so many at most\n"
    "      --rate N             so many a second at most\n"
    "      --to TOPIC           all to this topic, whatever topic they came from\n"
    "      --max-redrives N     leave what was sent back so often already (3)\n"
    "      --again              also what earlier runs have sent back\n"
    "      --json               one JSON object instead of the table\n"
    "  -h, --help               this text\n"
    "\n"
    "Each dead letter goes back once, whatever dies: what is sent and the record of it are one transaction, in\n"
    "batches. After a kill, or Ctrl-C, run it again: it goes on where it was. The record is kept in the offsets\n"
    "of the group GROUP-redrive and says for each dead letter whether it was sent back, so what one run left\n"
    "out by its filters, a later run with others still finds. (A run with --again cannot be resumed: it starts\n"
    "anew.) One redrive of a group works at a time: a second one takes over, and the first ends and says so.\n"
    "\n"
    "Left where they are, counted and named: letters whose value was cut, those that reached --max-redrives,\n"
    "and those whose original topic is none of input.topics, unless --to says where to.\n"
    "\n"
    "Exit codes: 0 done, also with nothing to do; 1 failed, interrupted, or a partition not read to its end.\n"
    "\n"
    "example: pointsman redrive -c triage/pointsman.yaml --class model_unavailable --since 2h --dry-run\n";

struct asked {
	struct redrive_order order;
	struct header headers[MOST_HEADERS];
	const char *config;
	bool classes_given, json;
	/* while it runs */
	struct signals *signals;
	struct cli_progress bar;
	int64_t started_us, total;
	bool bar_shown;
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

static int read_classes(const struct command *self, struct asked *asked, const char *list)
{
	asked->classes_given = true;
	for (struct str rest = str_of(list);;) {
		const char *comma = memchr(rest.data, ',', rest.len);
		struct str word = str_trim((struct str){rest.data, comma != NULL ? (size_t)(comma - rest.data) : rest.len});
		if (!add_class(asked, word)) {
			const char *near = config_suggest(word, class_at, NULL, MORE_CLASSES + OUTCOME_COUNT - 1);
			return cli_usage(self, "no dead letter has the class \"%.*s\"%s%s%s", STR_ARG(word), near ? "; did you mean \"" : "",
			                 near ? near : "", near ? "\"?" : "");
		}
		if (comma == NULL)
			return EXIT_DONE;
		rest = (struct str){comma + 1, rest.len - (size_t)(comma + 1 - rest.data)};
	}
}

static void default_classes(struct asked *asked)
{
	for (unsigned i = 1; i < OUTCOME_COUNT && !asked->classes_given; i++)
		asked->order.filter.classes[i] = outcome_info((enum outcome)i)->retryable && can_die((enum outcome)i);
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

static int read_header(const struct command *self, struct asked *asked, const char *text)
{
	const char *equals = strchr(text, '=');
	if (equals == NULL || equals == text)
		return cli_usage(self, "--header takes NAME=VALUE, not \"%s\"", text);
	if (asked->order.filter.header_count == MOST_HEADERS)
		return cli_usage(self, "--header can be given %d times at most", MOST_HEADERS);
	asked->headers[asked->order.filter.header_count++] = (struct header){{text, (size_t)(equals - text)}, str_of(equals + 1)};
	return EXIT_DONE;
}

static int read_moment(const struct command *self, const char *name, const char *text, int64_t *ret)
{
	if (moment_parse(str_of(text), clock_wall_ms(), ret))
		return EXIT_DONE;
	return cli_usage(self, "%s takes a time such as 2h, 7d or 2026-11-20T08:00Z, not \"%s\"", name, text);
}

static int read_number(const struct command *self, const char *name, const char *text, int64_t most, int64_t *ret)
{
	int64_t n;
	if (!str_to_i64(str_of(text), &n) || n < 1 || n > most)
		return cli_usage(self, "%s takes 1 to %lld, not \"%s\"", name, (long long)most, text);
	*ret = n;
	return EXIT_DONE;
}

static int read_option(const struct command *self, struct asked *asked, int c)
{
	struct redrive_order *order = &asked->order;
	int64_t redrives = DEFAULT_REDRIVES;
	int code = EXIT_DONE;
	switch (c) {
	case 'c': asked->config = optarg; break;
	case 'd': order->dry_run = true; break;
	case 'C': return read_classes(self, asked, optarg);
	case 's': return read_moment(self, "--since", optarg, &order->filter.since_ms);
	case 'u': return read_moment(self, "--until", optarg, &order->filter.until_ms);
	case 'H': return read_header(self, asked, optarg);
	case 'l': return read_number(self, "--limit", optarg, INT64_MAX, &order->limit);
	case 'r': return read_number(self, "--rate", optarg, MOST_A_SECOND, &order->rate);
	case 't': order->to = str_of(optarg); break;
	case 'm':
		code = read_number(self, "--max-redrives", optarg, MOST_REDRIVES, &redrives);
		order->max_redrives = (uint32_t)redrives;
		return code;
	case 'a': order->again = true; break;
	default: asked->json = true; break;
	}
	return code;
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
	asked->total = total;
	if (!asked->bar_shown) {
		if (clock_mono_us() - asked->started_us < BAR_AFTER_US)
			return;
		cli_progress_begin(&asked->bar, "redrive", total);
		asked->bar_shown = true;
	}
	cli_progress_at(&asked->bar, done);
}

static int act(struct asked *asked, const struct settings *settings)
{
	struct err err;
	if (signals_open(&asked->signals, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	(void)signals_next(asked->signals, 0); /* from now on they are asked for, and end nothing by themselves */
	struct redrive_report *report = heap_zalloc(1, sizeof *report);
	asked->started_us = clock_mono_us();
	asked->order.ctx = asked;
	enum rc rc = redrive_run(settings, &asked->order, report, &err);
	if (asked->bar_shown)
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
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'}, {"dry-run", no_argument, NULL, 'd'},      {"class", required_argument, NULL, 'C'},
		{"since", required_argument, NULL, 's'},  {"until", required_argument, NULL, 'u'},  {"header", required_argument, NULL, 'H'},
		{"limit", required_argument, NULL, 'l'},  {"rate", required_argument, NULL, 'r'},   {"to", required_argument, NULL, 't'},
		{"max-redrives", required_argument, NULL, 'm'}, {"again", no_argument, NULL, 'a'},  {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},         {0}};
	struct asked asked = {.order = {.max_redrives = DEFAULT_REDRIVES, .stop = stop_asked, .progress = show_progress}};
	asked.order.filter.since_ms = INT64_MIN;
	asked.order.filter.until_ms = INT64_MAX;
	asked.order.filter.headers = asked.headers;
	int code = EXIT_DONE;
	for (int c; (c = cli_option(self, argc, argv, "c:h", longs, &code)) != -1;) {
		if (c != '?')
			code = read_option(self, &asked, c);
		if (c == '?' || code != EXIT_DONE)
			return code;
	}
	if (optind < argc)
		return cli_usage(self, "unexpected argument \"%s\"", argv[optind]);
	default_classes(&asked);
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

const struct command command_redrive = {.name = "redrive", .summary = "send dead letters back to their topic", .help = help, .run = run};
