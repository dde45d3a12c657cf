/*
 * label_file.c: append, and be sure.
 *
 * The one idea: the file is a data set at every moment. A line is added by one write and synced; if that fails the file gets back
 * the length that it had, and a line that a crash left half is cut off at the next start.
 */
#include "worker/cli/label_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/json.h"

enum { BLOCK = 64 * 1024, LONGEST_TAIL = 8 * 1024 * 1024 };

struct label_file {
	int fd;
	const char *path;
	off_t size;
};

static enum rc failed(const struct label_file *f, const char *what, struct err *err)
{
	return err_set(err, RC_UNAVAILABLE, "%s: cannot be %s: %s", f->path, what, strerror(errno));
}

/* Where the line begins that ends at `end` (its newline not looked at). -1: it cannot be read. */
static off_t line_start(const struct label_file *f, off_t end)
{
	char *block = heap_alloc(BLOCK);
	off_t at = end, found = 0;
	while (at > 0) {
		size_t n = at < BLOCK ? (size_t)at : BLOCK;
		if (pread(f->fd, block, n, at - (off_t)n) != (ssize_t)n) {
			found = -1;
			break;
		}
		const char *newline = memrchr(block, '\n', n);
		if (newline != NULL) {
			found = at - (off_t)n + (newline - block) + 1;
			break;
		}
		at -= (off_t)n;
	}
	free(block);
	return found;
}

static bool is_json(const struct label_file *f, off_t start)
{
	struct arena arena;
	const struct json *ignored;
	size_t n = (size_t)(f->size - start);
	if (n > LONGEST_TAIL)
		return false;
	arena_init(&arena, 0);
	char *tail = arena_alloc(&arena, n + 1);
	bool good = pread(f->fd, tail, n, start) == (ssize_t)n && json_parse(&arena, (struct str){tail, n}, (struct json_limits){0}, &ignored, NULL) == RC_OK;
	arena_free(&arena);
	return good;
}

static enum rc cut_to(struct label_file *f, off_t size, struct err *err)
{
	if (ftruncate(f->fd, size) != 0 || fsync(f->fd) != 0)
		return failed(f, "cut", err);
	f->size = size;
	return RC_OK;
}

/* A last line without its end: an editor's, which is whole, or a crash's, which is not. */
static enum rc mend(struct label_file *f, bool *ret_cut, struct err *err)
{
	char last = '\n';
	if (f->size != 0 && pread(f->fd, &last, 1, f->size - 1) != 1)
		return failed(f, "read", err);
	if (last == '\n')
		return RC_OK;
	off_t start = line_start(f, f->size);
	if (start < 0)
		return failed(f, "read", err);
	if (is_json(f, start))
		return label_file_add(f, STR("\n"), err);
	*ret_cut = true;
	return cut_to(f, start, err);
}

/* The new file's name is safe only when its folder is. */
static enum rc sync_folder(const struct label_file *f, struct err *err)
{
	char *copy = heap_strdup(f->path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return failed(f, "made safe", err);
	enum rc rc = fsync(fd) == 0 || errno == EINVAL ? RC_OK : failed(f, "made safe", err); /* EINVAL: a file system without that */
	close(fd);
	return rc;
}

static enum rc begin(struct label_file *f, const char *data, bool *ret_cut, struct err *err)
{
	struct stat own, other;
	f->fd = open(f->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (f->fd < 0)
		return failed(f, "opened", err);
	if (fstat(f->fd, &own) != 0 || !S_ISREG(own.st_mode))
		return err_set(err, RC_BAD_INPUT, "%s: is no ordinary file", f->path);
	if (stat(data, &other) == 0 && other.st_dev == own.st_dev && other.st_ino == own.st_ino)
		return err_set(err, RC_BAD_INPUT, "%s is the data set itself; --out takes another file", f->path);
	if (flock(f->fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? err_set(err, RC_BAD_INPUT, "%s: somebody else is labelling into it", f->path) : failed(f, "locked", err);
	f->size = own.st_size;
	enum rc rc = sync_folder(f, err);
	return rc == RC_OK ? mend(f, ret_cut, err) : rc;
}

enum rc label_file_open(const char *path, const char *data, struct label_file **ret, bool *ret_cut, struct err *err)
{
	struct label_file *f = heap_zalloc(1, sizeof *f);
	bool cut = false;
	f->path = path;
	enum rc rc = begin(f, data, &cut, err);
	if (rc != RC_OK) {
		label_file_close(f);
		return rc;
	}
	*ret = f;
	*ret_cut = cut;
	return RC_OK;
}

void label_file_close(struct label_file *f)
{
	if (f == NULL)
		return;
	if (f->fd >= 0)
		close(f->fd); /* all that was added is synced */
	free(f);
}

enum rc label_file_add(struct label_file *f, struct str line, struct err *err)
{
	ssize_t n = write(f->fd, line.data, line.len);
	if (n == (ssize_t)line.len && fdatasync(f->fd) == 0) {
		f->size += n;
		return RC_OK;
	}
	int why = n >= 0 && n < (ssize_t)line.len ? ENOSPC : errno;
	(void)ftruncate(f->fd, f->size); /* if that fails too, the half line is cut off at the next start */
	errno = why;
	return failed(f, "written", err);
}

enum rc label_file_take_back(struct label_file *f, struct err *err)
{
	off_t start = f->size > 0 ? line_start(f, f->size - 1) : 0;
	if (start < 0)
		return failed(f, "read", err);
	return cut_to(f, start, err);
}
