/*
 * config.c: from a file to a tree of nodes.
 *
 * The one idea: all checks that need no meaning are done before anyone sees the tree: size, UTF-8, one document, and the
 * variables of the environment in their places. The YAML itself is config_yaml.c, the messages config_message.c.
 */
#include "common/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config_yaml.h"

enum { MAX_TEXT_BYTES = 4 * 1024 * 1024, MAX_EXPANDED_BYTES = 1024 * 1024, SECRET_FILE_BYTES = 64 * 1024 };

static enum rc check_bytes(const struct config_source *source, struct err *err)
{
	struct str text = source->text;
	unsigned line = 1;
	for (size_t i = 0; i < text.len; line++) {
		const char *newline = memchr(text.data + i, '\n', text.len - i);
		size_t end = newline != NULL ? (size_t)(newline - text.data) : text.len;
		/* the line cannot be shown: it is not text */
		if (memchr(text.data + i, '\0', end - i) != NULL || !str_utf8_valid((struct str){text.data + i, end - i}))
			return err_set(err, RC_BAD_INPUT, "%s:%u:1: error: this line holds a NUL or is not UTF-8; save the file as UTF-8",
			               source->name, line);
		i = end + 1;
	}
	return RC_OK;
}

static bool name_byte(char c, bool first)
{
	return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (!first && c >= '0' && c <= '9');
}

/* The length of the NAME in "${NAME}" at s, 0 when it is not one. */
static size_t variable_name(struct str s)
{
	size_t n = 2;
	while (n < s.len && name_byte(s.data[n], n == 2))
		n++;
	return n > 2 && n < s.len && s.data[n] == '}' ? n - 2 : 0;
}

static enum rc expand(struct arena *arena, struct node *node, struct err *err)
{
	struct str s = node->scalar;
	if (s.len == 0 || memchr(s.data, '$', s.len) == NULL)
		return RC_OK;
	struct buf out;
	buf_init(&out, arena, s.len + 64);
	while (s.len != 0) {
		size_t used = 1;
		if (s.data[0] == '$' && s.len > 1 && s.data[1] == '$') {
			buf_char(&out, '$');
			used = 2;
		} else if (s.data[0] == '$' && s.len > 1 && s.data[1] == '{') {
			size_t len = variable_name(s);
			if (len == 0)
				return config_error_hint(node, err, "${NAME} is a variable of the environment; $$ stands for a dollar",
				                         "\"${\" without a variable's name and \"}\"");
			const char *name = arena_cstr(arena, (struct str){s.data + 2, len}), *value = getenv(name);
			if (value == NULL)
				return config_error_hint(node, err, "set it, or write $$ for a dollar", "the environment variable \"%s\" is not set", name);
			if (!str_utf8_valid(str_of(value)))
				return config_error(node, err, "the environment variable \"%s\" is not UTF-8", name);
			buf_cstr(&out, value);
			used = len + 3;
		} else {
			buf_char(&out, s.data[0]);
		}
		if (out.len > MAX_EXPANDED_BYTES)
			return config_error(node, err, "with its variables this text is longer than %d bytes", MAX_EXPANDED_BYTES);
		s.data += used;
		s.len -= used;
	}
	node->scalar = arena_str(arena, buf_view(&out));
	return RC_OK;
}

/* Depth is bounded by the reader, so this may recurse. */
static enum rc expand_all(struct arena *arena, struct node *node, struct err *err)
{
	if (node->kind == NODE_SCALAR)
		return expand(arena, node, err);
	for (unsigned i = 0; i < node->count; i++) {
		enum rc rc = expand_all(arena, node->entries[i].value, err);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

enum rc config_parse(struct arena *arena, const char *name, struct str text, const struct node **ret, struct err *err)
{
	if (text.len > MAX_TEXT_BYTES)
		return err_set(err, RC_BAD_INPUT, "%s: error: larger than %d MiB", name, MAX_TEXT_BYTES / 1024 / 1024);
	struct config_source *source = arena_zalloc(arena, sizeof *source);
	source->name = arena_cstr(arena, str_of(name));
	source->text = arena_str(arena, text.data != NULL ? text : STR(""));
	enum rc rc = check_bytes(source, err);
	struct node *root = NULL;
	if (rc == RC_OK)
		rc = config_yaml_read(arena, source, &root, err);
	if (rc == RC_OK && root == NULL) {
		root = arena_zalloc(arena, sizeof *root);
		*root = (struct node){.kind = NODE_NULL, .line = 1, .column = 1, .width = 1, .source = source};
	}
	if (rc == RC_OK)
		rc = expand_all(arena, root, err);
	if (rc == RC_OK)
		*ret = root;
	return rc;
}

enum rc config_read_file(struct arena *arena, const char *path, size_t max_bytes, struct str *ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, RC_BAD_INPUT, "%s: error: %s", path, strerror(errno));
	enum rc rc = RC_OK;
	struct stat st;
	struct buf out;
	buf_init(&out, arena, 0);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		rc = err_set(err, RC_BAD_INPUT, "%s: error: this is a folder, not a file", path);
		goto out;
	}
	for (;;) {
		char *room = buf_room(&out, 16384);
		ssize_t n = read(fd, room, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = err_set(err, RC_BAD_INPUT, "%s: error: %s", path, strerror(errno));
			goto out;
		}
		if (n == 0)
			break;
		out.len += (size_t)n;
		if (out.len > max_bytes) {
			rc = err_set(err, RC_BAD_INPUT, "%s: error: larger than %zu bytes", path, max_bytes);
			goto out;
		}
	}
	buf_char(&out, '\0');
	*ret = (struct str){out.data, out.len - 1};
out:
	close(fd);
	return rc;
}

enum rc config_load(struct arena *arena, const char *path, const struct node **ret, struct err *err)
{
	struct str text;
	enum rc rc = config_read_file(arena, path, MAX_TEXT_BYTES, &text, err);
	return rc != RC_OK ? rc : config_parse(arena, path, text, ret, err);
}

const struct node *config_get(const struct node *map, const char *key)
{
	if (map == NULL || map->kind != NODE_MAP)
		return NULL;
	for (unsigned i = 0; i < map->count; i++)
		if (str_is(map->entries[i].key->scalar, key))
			return map->entries[i].value;
	return NULL;
}

struct str config_path(struct arena *arena, const struct node *at, struct str path)
{
	const char *file = at != NULL && at->source != NULL ? at->source->name : "", *slash = strrchr(file, '/');
	if (slash == NULL || (path.len != 0 && path.data[0] == '/'))
		return arena_str(arena, path);
	return arena_printf(arena, "%.*s/%.*s", (int)(slash - file), file, STR_ARG(path));
}

enum rc config_read_first_line(struct arena *arena, const struct node *node, struct str *ret, struct err *err)
{
	struct err why;
	struct str path = config_path(arena, node, node->scalar), text;
	if (config_read_file(arena, path.data, SECRET_FILE_BYTES, &text, &why) != RC_OK)
		return config_error(node, err, "the file cannot be read: %s", why.text);
	size_t end = 0;
	while (end < text.len && text.data[end] != '\n' && text.data[end] != '\r')
		end++;
	if (end == 0)
		return config_error(node, err, "the first line of this file is empty");
	*ret = (struct str){text.data, end};
	return RC_OK;
}
