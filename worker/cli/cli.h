/*
 * cli.h: what the subcommands share: the table of commands, arguments, settings, progress, colours, exit codes.
 *
 * Data goes to stdout, talk to stderr. Thread: main.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "worker/cli/args.h"
#include "worker/job/settings.h"
#include "worker/lab/dataset.h"
#include "worker/lab/stats.h"
#include "worker/route/route.h"

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 3, EXIT_CHECK = 4 };

struct command {
	const char *name;
	const char *summary; /* one line for the list */
	/* For --help, which has its options from the table that run gives to cli_args. Lines end in "\n". */
	const char *usage;   /* what stands behind the name; a line a way of calling it */
	const char *about;   /* above the options */
	const char *notes;   /* below them; NULL: none */
	const char *example; /* a line a command */
	int (*run)(const struct command *self, int argc, char **argv); /* argv[0] is the command's name; an exit_code */
};
extern const struct command command_run, command_check_config, command_explain, command_topics, command_audit, command_demo,
    command_config, command_redrive, command_version, command_eval, command_train, command_calibrate, command_judge, command_label, command_sample,
    command_import, command_embed, command_advise;
extern const struct command command_train_groups, command_train_gain, command_calibrate_gain; /* those call them */

/* What several tables say alike. */
#define CLI_DATA_NEEDED "one data set is needed: a file, or - for standard input"
#define CLI_POLICY_HELP "another policy than the one it names"
#define CLI_MOMENT_HELP "only a topic's records from then on: 2h, 7d (ago), 2026-11-20, 2026-11-20T08:00+01:00"
#define CLI_SKIP_BAD_HELP "leave out rows that cannot be read, and count them; else the first one ends it"
enum { CLI_MOST_SEED = 1000000000 };

/* Reads the arguments. false: it ends here, with *ret_code: --help was printed, or it was said what is wrong. */
bool cli_args(const struct command *self, const struct arg *args, int argc, char **argv, int *ret_code);
/* Prints "pointsman COMMAND: ..." and how to get help; EXIT_USAGE. */
int cli_usage(const struct command *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints the error's text; returns code. */
int cli_fail(const struct err *err, int code);

/* -c F: reads it, or says what is wrong and gives EXIT_CONFIG; EXIT_DONE when all is well. */
int cli_settings(const struct command *self, const char *path, struct settings *ret);
/* The same, but secrets may be missing: for a command that calls no model. */
int cli_settings_no_secrets(const struct command *self, const char *path, struct settings *ret);
/* The configuration, so read, and its policy; other: the file of another one, or NULL. config NULL: neither, and EXIT_DONE. Free both in any case. */
int cli_policy(const struct command *self, const char *config, const char *other, struct settings *ret_settings, struct policy **ret_policy);
/* For a table of arguments: one more --field NAME=PATH; ctx: struct dataset_fields. */
enum rc cli_take_field(void *ctx, const char *text, struct err *err);
bool cli_share(const char *text, double *ret); /* "3%" or "0.03"; its bounds are the caller's */

/* "calibrated", "stale", "uncalibrated"; "" for a stage without thresholds. */
const char *cli_calibration(const struct policy *policy, uint32_t stage);
/* A member: the share with its interval, hits and rows. */
void cli_json_share(struct buf *out, const char *name, struct share share);

/* A terminal that wants colour (NO_COLOR and TERM=dumb say no). */
bool cli_colour(FILE *stream);
/* "ok" green, "missing" yellow, "failed" red; then the words. To stdout. */
enum mark { MARK_OK, MARK_WARN, MARK_FAILED };
void cli_mark(enum mark mark, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A bar on stderr when it is a terminal, for work of more than a second; drawn at most ten times a second. */
struct cli_progress {
	const char *what;
	int64_t total, drawn_us, started_us;
	bool terminal;
};
void cli_progress_begin(struct cli_progress *progress, const char *what, int64_t total);
void cli_progress_at(struct cli_progress *progress, int64_t done);
void cli_progress_end(struct cli_progress *progress); /* one that is all zeros is fine */

#endif
