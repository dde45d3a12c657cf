/*
 * main.c: the program's modes. A mode is one function in one file; this table names them.
 *
 * It reads the first word and hands on; what a mode does is in its own file.
 */
#include <stdlib.h>

#include "common/config.h"
#include "worker/cli/cli.h"

static const struct command *const commands[] = {
	&command_run,   &command_check_config, &command_explain, &command_eval,    &command_train,  &command_calibrate, &command_topics,
	&command_audit, &command_demo,         &command_config,  &command_redrive, &command_sample, &command_label,     &command_import,
	&command_embed, &command_judge,        &command_advise, &command_version,
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_commands(FILE *stream)
{
	fputs("pointsman routes prompts from Kafka to language models.\n\nusage: pointsman COMMAND [OPTION...]\n\n", stream);
	for (unsigned i = 0; i < COMMANDS; i++)
		fprintf(stream, "  %-13s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nEach command explains itself, with an example: pointsman COMMAND --help\n"
	      "Exit codes: 0 done, 1 failed, 2 usage, 3 configuration, 4 a check that was asked for did not hold\n",
	      stream);
}

static const char *name_at(const void *ctx, unsigned i)
{
	return ((const struct command *const *)ctx)[i]->name;
}

/* What was printed may still wait in the stream's buffer, and the disk may be full. */
static int flushed(int code)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return code;
	fputs("pointsman: standard output cannot be written\n", stderr);
	return code != EXIT_DONE ? code : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		print_commands(stdout);
		return flushed(EXIT_DONE);
	}
	if (strcmp(word, "--version") == 0)
		word = "version";
	for (unsigned i = 0; i < COMMANDS; i++)
		if (strcmp(word, commands[i]->name) == 0)
			return flushed(commands[i]->run(commands[i], argc - 1, argv + 1));
	if (word[0] == '\0') {
		print_commands(stderr);
		return EXIT_USAGE;
	}
	const char *near = config_suggest(str_of(word), name_at, commands, COMMANDS);
	fprintf(stderr, "pointsman: there is no command \"%s\"%s%s%s\nTry: pointsman --help\n", word, near ? "; did you mean \"" : "",
	        near ? near : "", near ? "\"?" : "");
	return EXIT_USAGE;
}
