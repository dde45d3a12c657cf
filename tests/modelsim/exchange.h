/*
 * exchange.h: one request and its answer, and what all requests share. Private to server.c, exchange.c and control.c.
 *
 * Thread: the server's one. Memory: an exchange ends with on_completed; its arena holds the body and the answer.
 */
#ifndef MODELSIM_EXCHANGE_H
#define MODELSIM_EXCHANGE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/arena.h"
#include "tests/modelsim/behaviour.h"
#include "tests/modelsim/ledger.h"
#include "tests/modelsim/waiting.h"

struct json_tokener;

enum endpoint { ENDPOINT_NONE, ENDPOINT_CHAT, ENDPOINT_EMBEDDINGS, ENDPOINT_STATS, ENDPOINT_RESET, ENDPOINT_CONFIG }; /* from STATS on: of the simulator itself */

struct exchange { /* one request and its answer */
	struct server *server;
	struct MHD_Connection *connection;
	struct exchange *next_stalled;
	struct arena arena;
	struct buf body;
	enum endpoint endpoint;
	bool body_too_large, planned, counted, recorded;
	uint64_t number, key, record; /* key, record: fingerprints; 0: no such header */
	struct plan plan;
};

struct server {
	struct MHD_Daemon *daemon;
	struct json_tokener *tokener;
	FILE *record; /* where requests are written down; NULL: nowhere */
	struct behaviour behaviour;
	struct waiting waiting;
	struct exchange *stalled;
	struct ledger keys, records;
	uint64_t numbers; /* of requests, never reset: ids stay unique */
	uint64_t calls, embeddings, router, by_status[600]; /* router: calls that ask for a route by a schema */
	uint64_t in_flight, max_in_flight, prompt_tokens, completion_tokens;
	int64_t resume_after_us;
};

/* The two that libmicrohttpd calls; ctx is the server. */
enum MHD_Result exchange_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *data, size_t *size, void **state);
void exchange_completed(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why);

enum MHD_Result exchange_send(struct exchange *exchange, unsigned status, const struct buf *body);
enum MHD_Result exchange_send_error(struct exchange *exchange, unsigned status, const char *message);
/* Puts it aside until control.c lets all stalled ones go on. */
void exchange_stall(struct exchange *exchange);

/* control.c: GET /stats, POST /reset, POST /config. */
enum MHD_Result control_stats(struct exchange *exchange);
enum MHD_Result control_reset(struct exchange *exchange);
enum MHD_Result control_config(struct exchange *exchange);
void control_resume_stalled(struct server *server);
void control_reset_counts(struct server *server);

#endif
