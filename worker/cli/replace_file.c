/*
 * replace_file.c: a new version of a file that is there.
 */
#include "worker/cli/replace_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"

enum { PERMISSIONS = 07777 };

static bool write_part(const char *part, const char *path, struct str bytes)
{
	struct stat old;
	FILE *f = stat(path, &old) == 0 ? fopen(part, "wb") : NULL;
	if (f == NULL)
		return false;
	bool good = fchmod(fileno(f), old.st_mode & PERMISSIONS) == 0 && fwrite(bytes.data, 1, bytes.len, f) == bytes.len && fflush(f) == 0 &&
	            fsync(fileno(f)) == 0;
	return fclose(f) == 0 && good;
}

enum rc replace_file(const char *path, struct str bytes, struct err *err)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct str part = arena_printf(&arena, "%s.part", path);
	enum rc rc = RC_OK;
	if (!write_part(part.data, path, bytes) || rename(part.data, path) != 0) {
		rc = err_set(err, RC_FATAL, "%s cannot be written: %s", path, strerror(errno));
		(void)unlink(part.data); /* what is left of it is of no use */
	}
	arena_free(&arena);
	return rc;
}
