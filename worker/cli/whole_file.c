/*
 * whole_file.c: write beside, sync, rename.
 */
#include "worker/cli/whole_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"

enum { PERMISSIONS = 07777 };

/* old: whose permissions it gets; NULL: those of a new file. *ret_why: errno of what failed. */
static bool write_synced(FILE *f, struct str bytes, const struct stat *old, int *ret_why)
{
	bool good = (old == NULL || fchmod(fileno(f), old->st_mode & PERMISSIONS) == 0) && fwrite(bytes.data, 1, bytes.len, f) == bytes.len &&
	            fflush(f) == 0 && fsync(fileno(f)) == 0;
	*ret_why = errno;
	if (fclose(f) != 0 && good) {
		*ret_why = errno;
		return false;
	}
	return good;
}

static enum rc put(const char *path, struct str bytes, const struct stat *old, struct err *err)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct str part = arena_printf(&arena, "%s.part", path);
	FILE *f = fopen(part.data, "wb");
	int why = errno;
	bool good = f != NULL && write_synced(f, bytes, old, &why);
	if (good && rename(part.data, path) != 0) {
		good = false;
		why = errno;
	}
	if (!good && f != NULL)
		(void)unlink(part.data); /* what is left of it is of no use */
	enum rc rc = good ? RC_OK : err_set(err, RC_UNAVAILABLE, "%s: cannot be written: %s", path, strerror(why));
	arena_free(&arena);
	return rc;
}

enum rc whole_file_write(const char *path, struct str bytes, struct err *err)
{
	return put(path, bytes, NULL, err);
}

enum rc whole_file_replace(const char *path, struct str bytes, struct err *err)
{
	struct stat old;
	if (stat(path, &old) != 0)
		return err_set(err, RC_UNAVAILABLE, "%s: cannot be written: %s", path, strerror(errno));
	return put(path, bytes, &old, err);
}
