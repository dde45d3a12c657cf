/*
 * cli.c: manners that all subcommands share.
 *
 * The one idea: a user learns one way of asking, and one way of being answered, for all commands.
 */
#include "worker/cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "worker/route/inspect.h"

int cli_usage(const struct command *self, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "pointsman %s: ", self->name);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\nTry: pointsman %s --help\n", self->name);
	va_end(ap);
	return EXIT_USAGE;
}

/* Each line with a head of its own, or with as much space. */
static void print_lines(const char *lines, const char *first, const char *others)
{
	const char *head = first;
	for (const char *end; *lines != '\0'; lines = end) {
		end = strchr(lines, '\n') + 1; /* each ends so */
		printf("%s%s%.*s", head, *lines != '\n' ? " " : "", (int)(end - lines), lines);
		head = others;
	}
}

static void print_help(const struct command *self, const struct arg *args)
{
	struct arena arena;
	struct buf rows;
	arena_init(&arena, 8192);
	buf_init(&rows, &arena, 4096);
	args_write_help(args, &rows);
	const char *first = arena_printf(&arena, "usage: pointsman %s", self->name).data;
	const char *others = arena_printf(&arena, "       pointsman %s", self->name).data;
	print_lines(self->usage, first, others);
	printf("\n%s\n%.*s\n", self->about, STR_ARG(buf_view(&rows)));
	if (self->notes != NULL)
		printf("%s\n", self->notes);
	print_lines(self->example, "example:", "        ");
	arena_free(&arena);
}

bool cli_args(const struct command *self, const struct arg *args, int argc, char **argv, int *ret_code)
{
	struct err err;
	bool help = false;
	if (args_read(args, argc, argv, clock_wall_ms(), &help, &err) != RC_OK) {
		*ret_code = cli_usage(self, "%s", err.text);
		return false;
	}
	if (!help)
		return true;
	print_help(self, args);
	*ret_code = EXIT_DONE;
	return false;
}

int cli_fail(const struct err *err, int code)
{
	fprintf(stderr, "%s\n", err->text);
	return code;
}

static int load(const struct command *self, enum rc (*read)(const char *, struct settings *, struct err *), const char *path, struct settings *ret)
{
	struct err err;
	if (path == NULL)
		return cli_usage(self, "which configuration? Give it with -c FILE");
	return read(path, ret, &err) == RC_OK ? EXIT_DONE : cli_fail(&err, EXIT_CONFIG);
}

int cli_settings(const struct command *self, const char *path, struct settings *ret)
{
	return load(self, settings_load, path, ret);
}

int cli_settings_no_secrets(const struct command *self, const char *path, struct settings *ret)
{
	return load(self, settings_load_no_secrets, path, ret);
}

int cli_policy(const struct command *self, const char *config, const char *other, struct settings *ret_settings, struct policy **ret_policy)
{
	struct err err;
	*ret_settings = (struct settings){0};
	*ret_policy = NULL;
	if (config == NULL)
		return EXIT_DONE;
	int code = cli_settings_no_secrets(self, config, ret_settings);
	if (code != EXIT_DONE)
		*ret_settings = (struct settings){0};
	else if (policy_load(other != NULL ? other : ret_settings->policy_file.data, ret_settings, ret_policy, &err) != RC_OK)
		code = cli_fail(&err, EXIT_CONFIG);
	return code;
}

enum rc cli_take_field(void *ctx, const char *text, struct err *err)
{
	struct dataset_fields *fields = ctx;
	if (fields->count == DATASET_MAX_FIELDS || !dataset_field_read(text, &fields->items[fields->count++]))
		return err_set(err, RC_BAD_INPUT, "--field takes NAME=PATH, at most %d of them, not \"%s\"", DATASET_MAX_FIELDS, text);
	return RC_OK;
}

bool cli_share(const char *text, double *ret)
{
	struct str s = str_of(text);
	bool percents = s.len != 0 && s.data[s.len - 1] == '%';
	double d;
	if (!str_to_double((struct str){s.data, s.len - percents}, &d))
		return false;
	*ret = percents ? d / 100 : d;
	return true;
}

const char *cli_calibration(const struct policy *policy, uint32_t stage)
{
	struct stage_info info = policy_stage_info(policy, stage);
	return info.thresholds != NULL ? calibration_name(info.calibration) : "";
}

void cli_json_share(struct buf *out, const char *name, struct share share)
{
	json_key(out, name);
	buf_char(out, '{');
	json_member_double(out, "share", share.share);
	json_member_double(out, "low", share.low);
	json_member_double(out, "high", share.high);
	json_member_i64(out, "hits", share.hits);
	json_member_i64(out, "rows", share.rows);
	buf_char(out, '}');
}

bool cli_colour(FILE *stream)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fileno(stream)) && (no == NULL || no[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

void cli_mark(enum mark mark, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warning", "failed"};
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
	bool colour = cli_colour(stdout);
	printf("%s%-8s%s ", colour ? colours[mark] : "", words[mark], colour ? "\033[0m" : "");
	va_list ap;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- progress -------------------------------------------------------------------------------------------------------- */

enum { BAR_WIDTH = 30, DRAW_AFTER_US = 1000000, DRAW_EVERY_US = 100000 };

void cli_progress_begin(struct cli_progress *progress, const char *what, int64_t total)
{
	*progress = (struct cli_progress){.what = what, .total = total, .started_us = clock_mono_us(), .terminal = isatty(STDERR_FILENO)};
}

static void draw(const struct cli_progress *progress, int64_t done, int64_t now_us)
{
	int64_t total = progress->total > 0 ? progress->total : 1;
	int filled = (int)(done >= total ? BAR_WIDTH : done * BAR_WIDTH / total);
	double seconds = (double)(now_us - progress->started_us) / 1e6;
	fprintf(stderr, "\r%s [", progress->what);
	for (int i = 0; i < BAR_WIDTH; i++)
		fputc(i < filled ? '#' : '.', stderr);
	fprintf(stderr, "] %lld of %lld, %.1f s ", (long long)done, (long long)progress->total, seconds);
}

void cli_progress_at(struct cli_progress *progress, int64_t done)
{
	int64_t now_us = clock_mono_us();
	if (!progress->terminal || now_us - progress->started_us < DRAW_AFTER_US || now_us - progress->drawn_us < DRAW_EVERY_US)
		return;
	progress->drawn_us = now_us;
	draw(progress, done, now_us);
}

void cli_progress_end(struct cli_progress *progress)
{
	if (progress->drawn_us == 0)
		return;
	draw(progress, progress->total, clock_mono_us());
	fputc('\n', stderr);
}
