/*
 * args.c: arguments by a table.
 *
 * The one idea: a row's target tells its kind, so a table cannot say that a number goes where a text is kept. getopt_long is not used: it
 * keeps its place in global variables, and knows nothing of what a wrong word was meant to be.
 */
#include "worker/cli/args.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/config.h"
#include "worker/cli/moment.h"

enum { HELP_COLUMNS = 118, LONGEST_HEAD = 30 };

static const struct arg help_row = {.letter = 'h', .name = "help", .help = "this text"};

static unsigned count_of(const struct arg *args)
{
	unsigned n = 0;
	while (args[n].name != NULL || args[n].operand != NULL || args[n].help != NULL)
		n++;
	return n;
}

/* Behind the last row stands --help, which every command has. */
static const struct arg *row_at(const struct arg *args, unsigned count, unsigned i)
{
	return i < count ? &args[i] : &help_row;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

struct reading {
	const struct arg *args;
	unsigned count;
	int64_t now_ms;
	unsigned operands; /* taken so far */
	bool help;
	struct err *err;
};

static const char *name_at(const void *ctx, unsigned i)
{
	const struct reading *r = ctx;
	const struct arg *row = row_at(r->args, r->count, i);
	return row->name != NULL ? row->name : "";
}

static enum rc find_long(const struct reading *r, struct str word, const struct arg **ret)
{
	const struct arg *found = NULL, *other = NULL;
	for (unsigned i = 0; i <= r->count; i++) {
		const struct arg *row = row_at(r->args, r->count, i);
		if (row->name == NULL || !str_starts(str_of(row->name), word))
			continue;
		if (str_is(word, row->name)) {
			*ret = row;
			return RC_OK;
		}
		other = found;
		found = row;
	}
	if (other != NULL)
		return err_set(r->err, RC_BAD_INPUT, "--%.*s can be --%s or --%s; write it in full", STR_ARG(word), other->name, found->name);
	if (found != NULL) {
		*ret = found;
		return RC_OK;
	}
	const char *near = config_suggest(word, name_at, r, r->count + 1);
	return err_set(r->err, RC_BAD_INPUT, "unknown option --%.*s%s%s%s", STR_ARG(word), near != NULL ? "; did you mean --" : "",
	               near != NULL ? near : "", near != NULL ? "?" : "");
}

static enum rc find_letter(const struct reading *r, char letter, const struct arg **ret)
{
	for (unsigned i = 0; i <= r->count; i++)
		if (row_at(r->args, r->count, i)->letter == letter) {
			*ret = row_at(r->args, r->count, i);
			return RC_OK;
		}
	return err_set(r->err, RC_BAD_INPUT, "unknown option -%c", letter);
}

static enum rc take_number(const struct arg *row, const char *text, struct err *err)
{
	int64_t n;
	if (str_to_i64(str_of(text), &n) && n >= row->least && n <= row->most) {
		*row->number = n;
		return RC_OK;
	}
	if (row->most == INT64_MAX)
		return err_set(err, RC_BAD_INPUT, "--%s takes a number of at least %" PRId64 ", not \"%s\"", row->name, row->least, text);
	return err_set(err, RC_BAD_INPUT, "--%s takes %" PRId64 " to %" PRId64 ", not \"%s\"", row->name, row->least, row->most, text);
}

static enum rc take(struct reading *r, const struct arg *row, const char *text)
{
	if (row == &help_row)
		r->help = true;
	else if (row->flag != NULL)
		*row->flag = true;
	else if (row->text != NULL)
		*row->text = text;
	else if (row->number != NULL)
		return take_number(row, text, r->err);
	else if (row->take != NULL)
		return row->take(row->ctx, text, r->err);
	else if (!moment_parse(str_of(text), r->now_ms, row->moment_ms))
		return err_set(r->err, RC_BAD_INPUT, "--%s takes a time such as 2h, 7d or 2026-11-20T08:00Z, not \"%s\"", row->name, text);
	return RC_OK;
}

static enum rc take_operand(struct reading *r, const char *word)
{
	const char *needed = NULL;
	unsigned at = 0;
	for (unsigned i = 0; i < r->count; i++) {
		if (r->args[i].operand == NULL)
			continue;
		if (at++ == r->operands) {
			*r->args[i].operand = word;
			r->operands++;
			return RC_OK;
		}
		needed = r->args[i].needed;
	}
	return err_set(r->err, RC_BAD_INPUT, "unexpected argument \"%s\"%s%s", word, needed != NULL ? "; " : "", needed != NULL ? needed : "");
}

static enum rc no_value(const struct reading *r, const struct arg *row)
{
	return err_set(r->err, RC_BAD_INPUT, "--%s needs its %s: --%s %s", row->name, row->value, row->name, row->value);
}

/* "--name", "--name=value"; next: the word behind, or NULL. *ret_used: it was taken. */
static enum rc read_long(struct reading *r, const char *word, const char *next, bool *ret_used)
{
	const char *equals = strchr(word, '=');
	const struct arg *row = NULL;
	enum rc rc = find_long(r, (struct str){word, equals != NULL ? (size_t)(equals - word) : strlen(word)}, &row);
	if (rc != RC_OK)
		return rc;
	if (row->value == NULL && equals != NULL)
		return err_set(r->err, RC_BAD_INPUT, "--%s takes no value", row->name);
	if (row->value == NULL || equals != NULL)
		return take(r, row, equals != NULL ? equals + 1 : NULL);
	*ret_used = next != NULL;
	return next != NULL ? take(r, row, next) : no_value(r, row);
}

/* "-c" with its value behind, "-cFILE", or several that take none: "-jh". */
static enum rc read_letters(struct reading *r, const char *letters, const char *next, bool *ret_used)
{
	for (; *letters != '\0' && !r->help; letters++) {
		const struct arg *row = NULL;
		enum rc rc = find_letter(r, *letters, &row);
		if (rc == RC_OK && row->value != NULL) {
			bool joined = letters[1] != '\0';
			*ret_used = !joined && next != NULL;
			return joined ? take(r, row, letters + 1) : next != NULL ? take(r, row, next) : no_value(r, row);
		}
		if (rc == RC_OK)
			rc = take(r, row, NULL);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc find_missing(const struct reading *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		const struct arg *row = &r->args[i];
		if (row->needed != NULL && *(row->operand != NULL ? row->operand : row->text) == NULL)
			return err_set(r->err, RC_BAD_INPUT, "%s", row->needed);
	}
	return RC_OK;
}

enum rc args_read(const struct arg *args, int argc, char **argv, int64_t now_ms, bool *ret_help, struct err *err)
{
	struct reading r = {.args = args, .count = count_of(args), .now_ms = now_ms, .err = err};
	enum rc rc = RC_OK;
	bool options = true;
	for (int i = 1; i < argc && rc == RC_OK && !r.help; i++) {
		const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		bool used = false;
		if (options && strcmp(word, "--") == 0)
			options = false;
		else if (options && str_starts(str_of(word), STR("--")))
			rc = read_long(&r, word + 2, next, &used);
		else if (options && word[0] == '-' && word[1] != '\0')
			rc = read_letters(&r, word + 1, next, &used);
		else
			rc = take_operand(&r, word);
		i += used;
	}
	if (rc == RC_OK && !r.help)
		rc = find_missing(&r);
	if (rc == RC_OK)
		*ret_help = r.help;
	return rc;
}

bool args_have(int argc, char **argv, const char *word)
{
	struct str name = str_of(word);
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (str_starts(str_of(argv[i]), name) && (argv[i][name.len] == '\0' || argv[i][name.len] == '='))
			return true;
	return false;
}

/* ---- --help ---------------------------------------------------------------------------------------------------------- */

/* "  -c, --config FILE"; returns its columns. */
static int write_head(const struct arg *row, char out[64])
{
	char letter[8] = "    ";
	if (row->letter != 0)
		(void)snprintf(letter, sizeof letter, "-%c, ", row->letter); /* fits */
	return snprintf(out, 64, "  %s--%s%s%s", letter, row->name, row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
}

static bool is_shown(const struct arg *row) { return row->name != NULL && row->help != NULL; }

static bool has_default(const struct arg *row) { return row->number != NULL && *row->number >= row->least && *row->number <= row->most; }

/* Words in lines that end at HELP_COLUMNS, indented but for the first. */
static void write_wrapped(struct buf *out, struct str words, int indent)
{
	size_t room = (size_t)(HELP_COLUMNS - indent);
	while (words.len > room) {
		size_t cut = room;
		while (cut > 0 && words.data[cut] != ' ')
			cut--;
		if (cut == 0)
			break; /* one long word */
		buf_str(out, (struct str){words.data, cut});
		buf_printf(out, "\n%*s", indent, "");
		words = (struct str){words.data + cut + 1, words.len - cut - 1};
	}
	buf_str(out, words);
	buf_char(out, '\n');
}

static void write_row(const struct arg *row, int indent, struct buf *out)
{
	char head[64], words[512];
	int columns = write_head(row, head), n = snprintf(words, sizeof words, "%s", row->help);
	if (has_default(row) && n > 0 && (size_t)n < sizeof words)
		(void)snprintf(words + n, sizeof words - (size_t)n, " (%" PRId64 ")", *row->number); /* cut is fine: for a person */
	if (columns + 2 > indent)
		buf_printf(out, "%s\n%*s", head, indent, "");
	else
		buf_printf(out, "%-*s", indent, head);
	write_wrapped(out, str_of(words), indent);
}

void args_write_help(const struct arg *args, struct buf *out)
{
	unsigned count = count_of(args);
	int indent = 0;
	char head[64];
	for (unsigned i = 0; i <= count; i++) {
		const struct arg *row = row_at(args, count, i);
		int columns = is_shown(row) ? write_head(row, head) : 0;
		if (columns <= LONGEST_HEAD && columns + 2 > indent)
			indent = columns + 2;
	}
	for (unsigned i = 0; i <= count; i++) {
		const struct arg *row = row_at(args, count, i);
		if (is_shown(row))
			write_row(row, indent, out);
		else if (row->operand == NULL && row->name == NULL)
			buf_printf(out, "%s%s\n", out->len != 0 ? "\n" : "", row->help);
	}
}
