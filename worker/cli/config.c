/*
 * config.c: `pointsman config`: what the option tables say of themselves.
 */
#include "worker/cli/cli.h"

static const char usage[] = "--example | --reference | --schema | -c FILE\n";
static const char about[] = "Prints what the tables of options say of themselves, or what a configuration comes to.\n";
static const char example[] = "pointsman config --example > pointsman.yaml\n";

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
	bool example_asked = false, reference = false, schema = false;
	const char *path = NULL;
	const struct arg args[] = {
		{0, "example", NULL, "an example configuration, every option with its default", .flag = &example_asked},
		{0, "reference", NULL, "the reference as Markdown", .flag = &reference},
		{0, "schema", NULL, "a JSON Schema for editors", .flag = &schema},
		{'c', "config", "FILE", "the effective configuration of FILE, secrets hidden", .text = &path},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	int count = example_asked + reference + schema + (path != NULL);
	if (count != 1)
		return cli_usage(self, count == 0 ? "say what to print: --example, --reference, --schema or -c FILE"
		                                  : "one of --example, --reference, --schema and -c at a time");
	struct arena arena;
	struct buf out;
	arena_init(&arena, 64 * 1024);
	buf_init(&out, &arena, 0);
	if (example_asked)
		settings_write_example(&out);
	else if (reference)
		settings_write_reference(&out);
	else if (schema)
		settings_write_schema(&out);
	else
		code = print_effective(self, path, &out);
	if (code == EXIT_DONE)
		fwrite(out.data != NULL ? out.data : "", 1, out.len, stdout); /* main looks at the stream's state */
	arena_free(&arena);
	return code;
}

const struct command command_config = {
	.name = "config", .summary = "print an example, the reference or the schema", .usage = usage, .about = about,
	.example = example, .run = run,
};
