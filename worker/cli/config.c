/*
 * config.c: `pointsman config`: what the option tables say of themselves.
 */
#include "worker/cli/cli.h"

static const char help[] =
    "usage: pointsman config --example | --reference | --schema | -c FILE\n"
    "\n"
    "      --example       an example configuration, every option with its default\n"
    "      --reference     the reference as Markdown\n"
    "      --schema        a JSON Schema for editors\n"
    "  -c, --config FILE   the effective configuration of FILE, secrets hidden\n"
    "  -h, --help          this text\n"
    "\n"
    "example: pointsman config --example > pointsman.yaml\n";

static int print_effective(const struct command *self, const char *path, struct buf *out)
{
	struct settings settings;
	int code = cli_settings(self, path, &settings);
	if (code != EXIT_DONE)
		return code;
	settings_write_effective(&settings, out);
	settings_free(&settings);
	return EXIT_DONE;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option longs[] = {{"example", no_argument, NULL, 'e'}, {"reference", no_argument, NULL, 'r'},
	                                      {"schema", no_argument, NULL, 's'},  {"config", required_argument, NULL, 'c'},
	                                      {"help", no_argument, NULL, 'h'},    {0}};
	int code = EXIT_DONE, what = 0;
	const char *path = NULL;
	for (int c; (c = cli_option(self, argc, argv, "c:h", longs, &code)) != -1;) {
		if (c == '?')
			return code;
		if (c == 'c')
			path = optarg;
		if (what != 0 && what != c)
			return cli_usage(self, "one of --example, --reference, --schema and -c at a time");
		what = c;
	}
	if (optind < argc)
		return cli_usage(self, "unexpected argument \"%s\"", argv[optind]);
	struct arena arena;
	struct buf out;
	arena_init(&arena, 64 * 1024);
	buf_init(&out, &arena, 0);
	switch (what) {
	case 'e': settings_write_example(&out); break;
	case 'r': settings_write_reference(&out); break;
	case 's': settings_write_schema(&out); break;
	case 'c': code = print_effective(self, path, &out); break;
	default: code = cli_usage(self, "say what to print: --example, --reference, --schema or -c FILE"); break;
	}
	if (code == EXIT_DONE)
		fwrite(out.data != NULL ? out.data : "", 1, out.len, stdout);
	arena_free(&arena);
	return code;
}

const struct command command_config = {.name = "config", .summary = "print an example, the reference or the schema", .help = help, .run = run};
