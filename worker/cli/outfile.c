/*
 * outfile.c: a file that is there whole, or is what it was.
 */
#include "worker/cli/outfile.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum rc outfile_write(const char *path, struct str bytes, struct err *err)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct str part = arena_printf(&arena, "%s.part", path);
	FILE *f = fopen(part.data, "wb");
	bool good = f != NULL && fwrite(bytes.data, 1, bytes.len, f) == bytes.len && fflush(f) == 0 && fsync(fileno(f)) == 0;
	if (f != NULL)
		good = fclose(f) == 0 && good;
	good = good && rename(part.data, path) == 0;
	enum rc rc = good ? RC_OK : err_set(err, RC_FATAL, "%s cannot be written: %s", path, strerror(errno));
	if (!good && f != NULL)
		(void)unlink(part.data); /* what is left of it is of no use */
	arena_free(&arena);
	return rc;
}
