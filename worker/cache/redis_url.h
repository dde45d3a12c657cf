/*
 * redis_url.h: where Redis is, from settings. Pure.
 *
 *   redis://[[user]:password@]host[:port][/db]     unix:///path/to/socket[?db=N]
 */
#ifndef CACHE_REDIS_URL_H
#define CACHE_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

struct redis_address {
	bool unix_socket;
	uint16_t port;
	uint32_t db;
	char host[256];     /* or the socket's path */
	char user[128];     /* empty: none */
	char password[512]; /* empty: none */
	char shown[280];    /* for messages: without user and password */
};

/* A password given beside the URL wins over the one in it (data NULL: none). RC_BAD_INPUT never repeats a password. */
enum rc redis_url_parse(struct str url, struct str password, struct redis_address *ret, struct err *err);

#endif
