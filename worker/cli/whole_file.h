/*
 * whole_file.h: a file written whole or not at all: under another name first, synced, then renamed.
 *
 * Thread: main.
 */
#ifndef CLI_WHOLE_FILE_H
#define CLI_WHOLE_FILE_H

#include "common/err.h"
#include "common/str.h"

/* RC_UNAVAILABLE: it cannot be written; what was there under that name still is. */
enum rc whole_file_write(const char *path, struct str bytes, struct err *err);
/* The same for a file that must be there already; it keeps its permissions. */
enum rc whole_file_replace(const char *path, struct str bytes, struct err *err);

#endif
