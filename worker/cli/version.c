/*
 * version.c: `pointsman version`.
 */
#include "worker/cli/cli.h"

static int run(const struct command *self, int argc, char **argv)
{
	static const struct arg args[] = {{0}};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	puts("pointsman " POINTSMAN_VERSION);
	return EXIT_DONE;
}

const struct command command_version = {
	.name = "version", .summary = "print the version", .usage = "\n", .about = "Prints the version.\n", .example = "pointsman version\n",
	.run = run,
};
