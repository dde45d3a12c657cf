/*
 * settings.c: from the file to struct settings.
 *
 * The one idea: read, bind by the tables, then check what belongs together; the first thing wrong ends it with its place in
 * the file. All memory is the settings' own arena, so they are freed in one go and outlive the parsed tree's caller.
 */
#include "worker/job/settings.h"

#include "worker/job/settings_table.h"

enum { FIRST_CHUNK = 64 * 1024 };

static enum rc fill(struct settings *settings, const struct node *root, struct err *err)
{
	settings->kafka.classic_protocol = true; /* a custom row has no default of its own */
	enum rc rc = (settings->no_secrets ? config_bind_no_secrets : config_bind)(settings_options, root, settings, &settings->arena, err);
	return rc == RC_OK ? settings_check(settings, root, err) : rc;
}

struct source {
	const char *path; /* NULL: name and text are given */
	const char *name;
	struct str text;
	bool no_secrets;
};

static enum rc load(const struct source *from, struct settings *ret, struct err *err)
{
	struct settings settings = {.no_secrets = from->no_secrets};
	const struct node *root;
	arena_init(&settings.arena, FIRST_CHUNK);
	settings.file = arena_str(&settings.arena, str_of(from->path != NULL ? from->path : from->name));
	enum rc rc = from->path != NULL ? config_load(&settings.arena, from->path, &root, err)
	                                : config_parse(&settings.arena, from->name, from->text, &root, err);
	if (rc == RC_OK)
		rc = fill(&settings, root, err);
	if (rc != RC_OK) {
		arena_free(&settings.arena);
		return rc;
	}
	*ret = settings;
	return RC_OK;
}

enum rc settings_load(const char *path, struct settings *ret, struct err *err)
{
	return load(&(struct source){.path = path}, ret, err);
}

enum rc settings_load_no_secrets(const char *path, struct settings *ret, struct err *err)
{
	return load(&(struct source){.path = path, .no_secrets = true}, ret, err);
}

enum rc settings_parse(const char *name, struct str text, struct settings *ret, struct err *err)
{
	return load(&(struct source){.name = name, .text = text}, ret, err);
}

void settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	arena_free(&settings->arena);
	*settings = (struct settings){0};
}

int settings_model(const struct settings *settings, struct str name)
{
	for (uint32_t i = 0; i < settings->model_count; i++)
		if (str_eq(settings->models[i].name, name))
			return (int)i;
	return -1;
}

bool settings_is_park_topic(const struct settings *settings, struct str topic)
{
	for (uint32_t i = 0; i < settings->model_count; i++)
		if (settings->models[i].park_topic.data != NULL && str_eq(settings->models[i].park_topic, topic))
			return true;
	return false;
}

void settings_write_example(struct buf *out)
{
	buf_cstr(out, "# pointsman.yaml: every setting. A line like `#name: value` shows a default or an example; take the # away to set it.\n"
	              "# ${NAME} in a value is replaced from the environment; $$ stands for a dollar.\n\n");
	option_write_example(settings_options, out);
}

void settings_write_reference(struct buf *out)
{
	buf_cstr(out, "Sizes: `B`, `KB`, `MB`, `GB` (decimal), `KiB`, `MiB`, `GiB`. Durations: `ms`, `s`, `m`, `h`, `d`. Whole numbers may end in "
	              "`k`, `M` or `G`. A secret is given as the value itself, as the name of an environment variable (`_env`) or as a file whose "
	              "first line it is (`_file`). `${NAME}` in any value is replaced from the environment; `$$` is a dollar.\n\n");
	option_write_reference(settings_options, out);
}

void settings_write_schema(struct buf *out)
{
	option_write_schema(settings_options, "pointsman configuration", out);
}

void settings_write_effective(const struct settings *settings, struct buf *out)
{
	option_write_effective(settings_options, settings, out);
}
