/*
 * label_file.h: the file that labelled rows are added to, a line each, on the disk before the next row is shown.
 *
 * Thread: main. One process at a time has it (flock).
 */
#ifndef CLI_LABEL_FILE_H
#define CLI_LABEL_FILE_H

#include "common/err.h"
#include "common/str.h"

struct label_file;

/* Opens or makes it. A last line that a crash left half is cut off (*ret_cut says so). RC_BAD_INPUT with the reason: it cannot be
 * written, is another's at the moment, or is the same file as data. */
enum rc label_file_open(const char *path, const char *data, struct label_file **ret, bool *ret_cut, struct err *err);
void label_file_close(struct label_file *f); /* NULL is fine */
/* line with its "\n". RC_UNAVAILABLE: the disk is full or the like; then nothing of the line is there. */
enum rc label_file_add(struct label_file *f, struct str line, struct err *err);
/* Takes the last line away. */
enum rc label_file_take_back(struct label_file *f, struct err *err);

#endif
