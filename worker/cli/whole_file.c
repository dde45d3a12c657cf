/*
 * whole_file.c: write beside, sync, rename.
 */
#include "worker/cli/whole_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "common/arena.h"

enum rc whole_file_write(const char *path, struct str bytes, struct err *err)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct str part = arena_printf(&arena, "%s.part", path);
	FILE *f = fopen(part.data, "wb");
	bool good = f != NULL && fwrite(bytes.data, 1, bytes.len, f) == bytes.len && fflush(f) == 0 && fsync(fileno(f)) == 0;
	int why = errno;
	if (f != NULL && fclose(f) != 0 && good) {
		good = false;
		why = errno;
	}
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
