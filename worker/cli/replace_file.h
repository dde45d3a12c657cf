/*
 * replace_file.h: a file's new contents, whole or not at all. Thread: main.
 */
#ifndef CLI_REPLACE_FILE_H
#define CLI_REPLACE_FILE_H

#include "common/err.h"
#include "common/str.h"

/* Written beside it first, with its permissions, and then renamed. RC_FATAL with the reason; the file is then as it was. */
enum rc replace_file(const char *path, struct str bytes, struct err *err);

#endif
