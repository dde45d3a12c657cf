/*
 * version.c: `pointsman version`.
 */
#include "worker/cli/cli.h"

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {0}};
	int code = EXIT_DONE;
	if (cli_option(self, argc, argv, "h", longs, &code) != -1)
		return code;
	if (optind < argc)
		return cli_usage(self, "unexpected argument \"%s\"", argv[optind]);
	puts("pointsman " POINTSMAN_VERSION);
	return EXIT_DONE;
}

const struct command command_version = {
	.name = "version",
	.summary = "print the version",
	.help = "usage: pointsman version\n\nPrints the version.\n\nexample: pointsman version\n",
	.run = run,
};
