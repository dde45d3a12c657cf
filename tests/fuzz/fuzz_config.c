/*
 * fuzz_config.c: the configuration file: YAML from anyone. It is read, or refused with words that name a place.
 */
#include "tests/fuzz/fuzz.h"
#include "worker/job/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct str text = {(const char *)data, bytes};
	struct arena arena;
	const struct node *root;
	struct settings settings;
	struct err err = {""};
	arena_init(&arena, 4096);
	if (config_parse(&arena, "fuzz.yaml", text, &root, &err) != RC_OK)
		FUZZ_CHECK(err.text[0] != '\0');
	FUZZ_CHECK(str_utf8_valid(str_of(err.text)) || !str_utf8_valid(text));
	arena_free(&arena);
	memset(&settings, 0, sizeof settings);
	err.text[0] = '\0';
	if (settings_parse("fuzz.yaml", text, &settings, &err) == RC_OK)
		settings_free(&settings);
	else
		FUZZ_CHECK(err.text[0] != '\0');
	return 0;
}
