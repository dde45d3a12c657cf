/*
 * args.h: what a command can be told, as one table of rows. Its arguments are read by it, and its --help is written from it, so neither
 * can know of what the other does not.
 *
 * Long options may be cut short while they stay clear, "--name value" and "--name=value" are the same, options may stand behind operands,
 * and all behind "--" are operands.
 *
 * Thread: any. Pure. Texts stay argv's.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

/* A table ends with a row of zeros. A row with help alone is a heading. */
struct arg {
	char letter;       /* 'c' of -c; 0: none */
	const char *name;  /* "config" of --config; an operand has none */
	const char *value; /* "FILE", what it takes; NULL: nothing */
	const char *help;  /* NULL: left out of --help, as another spelling of a row is */
	/* Where it goes, which is one of these. */
	bool *flag;
	const char **text;
	int64_t *number;    /* least to most; one within these that stands there before is shown as the default */
	int64_t *moment_ms; /* as moment_parse reads it */
	enum rc (*take)(void *ctx, const char *text, struct err *err); /* RC_BAD_INPUT: err is a sentence on what it takes */
	const char **operand; /* in the order of the rows */

	int64_t least, most;
	void *ctx;
	const char *needed; /* of a text or an operand: said where it is missing; NULL: it may be */
};

/* RC_BAD_INPUT: err says in one sentence what is wrong; the targets may be filled in part. *ret_help: --help was asked for, and nothing
 * behind it was read. argv[0] is skipped. */
enum rc args_read(const struct arg *args, int argc, char **argv, int64_t now_ms, bool *ret_help, struct err *err);
/* The rows for --help, one or more lines each. */
void args_write_help(const struct arg *args, struct buf *out);
/* Whether the word is among the options: for a command that another one stands behind. */
bool args_have(int argc, char **argv, const char *word);

#endif
