/*
 * known.c: schemas that single-object records can name: our own and those of input.schema_dir.
 */
#include "worker/wire/room.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_KNOWN = 1000 };

enum rc wire_know(struct wire *wire, struct str text, uint64_t *ret_fingerprint, struct err *err)
{
	struct avro_schema schema;
	enum rc rc = avro_schema_parse(&wire->arena, text, &schema, err);
	if (rc != RC_OK)
		return rc;
	if (wire->known_count == MAX_KNOWN)
		return err_set(err, RC_BAD_INPUT, "more than %d schemas", MAX_KNOWN);
	if (wire->known_count == wire->known_cap) {
		wire->known_cap = wire->known_cap == 0 ? 8 : wire->known_cap * 2;
		wire->known = heap_resize(wire->known, wire->known_cap, sizeof *wire->known);
	}
	wire->known[wire->known_count++] = (struct known_schema){schema.fingerprint, schema.root};
	if (ret_fingerprint != NULL)
		*ret_fingerprint = schema.fingerprint;
	return RC_OK;
}

static enum rc know_file(struct wire *wire, const char *path, struct err *err)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return err_set(err, RC_BAD_INPUT, "%s: %s", path, strerror(errno));
	char *text = heap_alloc(AVRO_SCHEMA_MAX_BYTES + 1);
	size_t bytes = fread(text, 1, AVRO_SCHEMA_MAX_BYTES + 1, f);
	enum rc rc = ferror(f) ? err_set(err, RC_BAD_INPUT, "it cannot be read") : wire_know(wire, (struct str){text, bytes}, NULL, err);
	(void)fclose(f); /* only read */
	free(text);
	return rc == RC_OK ? rc : err_prefix(err, rc, "%s", path);
}

enum rc wire_know_folder(struct wire *wire, const char *folder, struct err *err)
{
	DIR *dir = opendir(folder);
	if (dir == NULL)
		return err_set(err, RC_BAD_INPUT, "input.schema_dir %s: %s", folder, strerror(errno));
	enum rc rc = RC_OK;
	for (struct dirent *entry; rc == RC_OK && (entry = readdir(dir)) != NULL;) {
		struct str name = str_of(entry->d_name), ending = STR(".avsc");
		if (name.len > ending.len && memcmp(name.data + name.len - ending.len, ending.data, ending.len) == 0)
			rc = know_file(wire, arena_printf(&wire->arena, "%s/%s", folder, entry->d_name).data, err);
	}
	(void)closedir(dir); /* only read */
	return rc;
}
