/*
 * redis_url.c: reads the address of Redis.
 *
 * The one idea: every part has a bound and is copied out decoded, so what connects later handles no text of strangers. It
 * does not resolve names, and messages never quote the part before the '@'.
 */
#include "worker/cache/redis_url.h"

#include <stdio.h>
#include <sys/un.h>

enum { DEFAULT_PORT = 6379, MAX_PORT = 65535, MAX_DB = 1000000 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Copies with %XX decoded. False when it does not fit, holds a NUL or a broken escape. */
static bool copy_decoded(struct str from, char *to, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < from.len; i++) {
		int c = (unsigned char)from.data[i];
		if (c == '%') {
			int high = i + 2 < from.len ? hex_digit(from.data[i + 1]) : -1;
			int low = i + 2 < from.len ? hex_digit(from.data[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (c == 0 || n + 1 >= size)
			return false;
		to[n++] = (char)c;
	}
	to[n] = '\0';
	return true;
}

/* Cuts s at the first c: the part before it is returned, s keeps the part after. No c: data NULL, s stays. */
static struct str cut(struct str *s, char c)
{
	const char *at = s->len == 0 ? NULL : memchr(s->data, c, s->len);
	if (at == NULL)
		return STR_NULL;
	struct str before = {s->data, (size_t)(at - s->data)};
	*s = (struct str){at + 1, s->len - before.len - 1};
	return before;
}

static enum rc parse_db(struct str text, struct redis_address *out, struct err *err)
{
	int64_t db = 0;
	if (text.len != 0 && (!str_to_i64(text, &db) || db < 0 || db > MAX_DB))
		return err_set(err, RC_BAD_INPUT, "redis.url: \"%.*s\" is no database number; write redis://host:6379/0", STR_ARG(text));
	out->db = (uint32_t)db;
	return RC_OK;
}

static enum rc parse_unix(struct str rest, struct redis_address *out, struct err *err)
{
	struct str query = rest;
	struct str path = cut(&query, '?');
	if (path.data == NULL) {
		path = rest;
		query = STR("");
	}
	out->unix_socket = true;
	if (path.len == 0 || path.data[0] != '/' || !copy_decoded(path, out->host, sizeof ((struct sockaddr_un *)0)->sun_path))
		return err_set(err, RC_BAD_INPUT, "redis.url: the socket's path must be absolute and shorter than 108 bytes; write unix:///run/redis.sock");
	if (query.len != 0 && !str_starts(query, STR("db=")))
		return err_set(err, RC_BAD_INPUT, "redis.url: after the socket's path only ?db=N is understood");
	if (query.len != 0)
		query = (struct str){query.data + 3, query.len - 3};
	return parse_db(query, out, err);
}

static enum rc parse_host(struct str host, struct redis_address *out, struct err *err)
{
	struct str port = STR_NULL;
	if (host.len != 0 && host.data[0] == '[') { /* [::1]:6379 */
		struct str after = {host.data + 1, host.len - 1};
		host = cut(&after, ']');
		if (after.len != 0 && after.data[0] == ':')
			port = (struct str){after.data + 1, after.len - 1};
	} else {
		struct str after = host;
		struct str before = cut(&after, ':');
		if (before.data != NULL) {
			host = before;
			port = after;
		}
	}
	int64_t number = DEFAULT_PORT;
	if (port.data != NULL && (!str_to_i64(port, &number) || number < 1 || number > MAX_PORT))
		return err_set(err, RC_BAD_INPUT, "redis.url: \"%.*s\" is no port; write redis://host:6379/0", STR_ARG(port));
	if (host.len == 0 || !copy_decoded(host, out->host, sizeof out->host))
		return err_set(err, RC_BAD_INPUT, "redis.url: no host in it; write redis://host:6379/0");
	out->port = (uint16_t)number;
	return RC_OK;
}

static enum rc parse_tcp(struct str rest, struct redis_address *out, struct err *err)
{
	struct str db = rest;
	struct str authority = cut(&db, '/');
	if (authority.data == NULL) {
		authority = rest;
		db = STR("");
	}
	struct str host = authority;
	struct str secret = STR_NULL;
	for (struct str part = cut(&host, '@'); part.data != NULL; part = cut(&host, '@')) /* up to the last '@' */
		secret = (struct str){authority.data, (size_t)(part.data + part.len - authority.data)};
	if (secret.data != NULL) {
		struct str password = secret;
		struct str user = cut(&password, ':');
		if (user.data == NULL)
			user = STR(""); /* redis://password@host, as redis-cli takes it */
		if (!copy_decoded(user, out->user, sizeof out->user) || !copy_decoded(password, out->password, sizeof out->password))
			return err_set(err, RC_BAD_INPUT, "redis.url: user or password is too long or wrongly escaped; write special characters as %%XX, or set redis.password_env");
	}
	enum rc rc = parse_host(host, out, err);
	return rc != RC_OK ? rc : parse_db(db, out, err);
}

static void show(struct redis_address *a)
{
	int n;
	if (a->unix_socket)
		n = snprintf(a->shown, sizeof a->shown, "unix:%s", a->host);
	else
		n = snprintf(a->shown, sizeof a->shown, strchr(a->host, ':') != NULL ? "[%s]:%u" : "%s:%u", a->host, (unsigned)a->port);
	(void)n; /* host is shorter than shown by more than the port needs */
}

enum rc redis_url_parse(struct str url, struct str password, struct redis_address *ret, struct err *err)
{
	struct redis_address a = {0};
	enum rc rc;
	struct str scheme_end = STR("://");
	if (str_starts(url, STR("unix:")))
		rc = parse_unix(str_starts(url, STR("unix://")) ? (struct str){url.data + 7, url.len - 7} : (struct str){url.data + 5, url.len - 5}, &a, err);
	else if (str_starts(url, STR("redis://")))
		rc = parse_tcp((struct str){url.data + 8, url.len - 8}, &a, err);
	else if (str_starts(url, STR("rediss://")))
		rc = err_set(err, RC_BAD_INPUT, "redis.url: TLS (rediss%.*s) is not supported; put a TLS proxy such as stunnel beside the worker and name it by redis:// or unix://", STR_ARG(scheme_end));
	else
		rc = err_set(err, RC_BAD_INPUT, "redis.url: must begin with redis:// or unix://, as in redis://localhost:6379/0");
	if (rc != RC_OK)
		return rc;
	if (password.data != NULL && password.len >= sizeof a.password)
		return err_set(err, RC_BAD_INPUT, "redis.password: longer than %zu bytes", sizeof a.password - 1);
	if (password.data != NULL) {
		memcpy(a.password, password.data, password.len);
		a.password[password.len] = '\0';
	}
	show(&a);
	*ret = a;
	return RC_OK;
}
