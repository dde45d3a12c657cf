/*
 * outfile.h: files that commands write. Thread: main.
 */
#ifndef CLI_OUTFILE_H
#define CLI_OUTFILE_H

#include "common/arena.h"
#include "common/err.h"

/* Whole or not at all: under another name first. RC_FATAL with the reason. */
enum rc outfile_write(const char *path, struct str bytes, struct err *err);

#endif
