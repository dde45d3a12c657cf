/*
 * server.c: HTTP by libmicrohttpd, in the caller's thread.
 *
 * The one idea: a call that has to wait is a suspended connection and an entry in a heap, so ten thousand calls in flight
 * cost memory and no thread, and nothing here needs a lock. The answers are answer.c's, the decisions behaviour.c's.
 */
#include "tests/modelsim/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <json-c/json.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "tests/modelsim/answer.h"
#include "tests/modelsim/ledger.h"
#include "tests/modelsim/waiting.h"

#define LARGEST_BODY (32U << 20)
#define MOST_CONNECTIONS 60000U

enum endpoint { ENDPOINT_NONE, ENDPOINT_CHAT, ENDPOINT_EMBEDDINGS, ENDPOINT_STATS, ENDPOINT_RESET, ENDPOINT_CONFIG };

struct exchange { /* one request and its answer */
	struct server *server;
	struct MHD_Connection *connection;
	struct exchange *next_stalled;
	struct arena arena;
	struct buf body;
	enum endpoint endpoint;
	bool body_too_large, planned, counted;
	uint64_t number, key, record; /* key, record: fingerprints; 0: no such header */
	struct plan plan;
};

struct server {
	struct MHD_Daemon *daemon;
	struct json_tokener *tokener;
	struct behaviour behaviour;
	struct waiting waiting;
	struct exchange *stalled;
	struct ledger keys, records;
	uint64_t numbers; /* of requests, never reset: ids stay unique */
	uint64_t calls, embeddings, by_status[600];
	uint64_t in_flight, max_in_flight, prompt_tokens, completion_tokens;
	int64_t resume_after_us;
};

static void reset_counts(struct server *server)
{
	ledger_reset(&server->keys);
	ledger_reset(&server->records);
	memset(server->by_status, 0, sizeof server->by_status);
	server->calls = server->embeddings = server->prompt_tokens = server->completion_tokens = 0;
	server->max_in_flight = server->in_flight;
}

static enum endpoint endpoint_of(const char *method, const char *url)
{
	bool post = strcmp(method, "POST") == 0;
	if (strcmp(url, "/v1/chat/completions") == 0)
		return post ? ENDPOINT_CHAT : ENDPOINT_NONE;
	if (strcmp(url, "/v1/embeddings") == 0)
		return post ? ENDPOINT_EMBEDDINGS : ENDPOINT_NONE;
	if (strcmp(url, "/stats") == 0)
		return post ? ENDPOINT_NONE : ENDPOINT_STATS;
	if (strcmp(url, "/reset") == 0)
		return post ? ENDPOINT_RESET : ENDPOINT_NONE;
	if (strcmp(url, "/config") == 0)
		return ENDPOINT_CONFIG;
	return ENDPOINT_NONE;
}

static enum MHD_Result send_body(struct exchange *exchange, unsigned status, const struct buf *body)
{
	/* The body lives in the exchange's arena, which is freed only after the answer has been sent. */
	struct MHD_Response *response = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_PERSISTENT);
	if (response == NULL)
		return MHD_NO;
	char id[32];
	struct buf text = {.data = id, .cap = sizeof id};
	buf_cstr(&text, "req-");
	buf_i64(&text, (int64_t)exchange->number);
	id[text.len] = '\0';
	enum MHD_Result ok = MHD_add_response_header(response, "Content-Type", "application/json");
	if (ok == MHD_YES)
		ok = MHD_add_response_header(response, "x-request-id", id);
	if (ok == MHD_YES && status == 429) {
		text.len = 0;
		buf_i64(&text, exchange->plan.retry_after_s);
		id[text.len] = '\0';
		ok = MHD_add_response_header(response, "Retry-After", id);
	}
	if (ok == MHD_YES)
		ok = MHD_queue_response(exchange->connection, status, response);
	MHD_destroy_response(response);
	return ok;
}

static enum MHD_Result send_error(struct exchange *exchange, unsigned status, const char *message)
{
	struct buf out;
	buf_init(&out, &exchange->arena, 0);
	answer_write_error(&out, status, message);
	return send_body(exchange, status, &out);
}

static void leave_flight(struct exchange *exchange)
{
	if (exchange->counted)
		exchange->server->in_flight--;
	exchange->counted = false;
}

static void count_answer(struct exchange *exchange, unsigned status)
{
	struct server *server = exchange->server;
	bool useful = status == 200 && !exchange->plan.garbage; /* asking again after garbage is no repetition */
	server->by_status[status]++;
	if (useful && exchange->key != 0)
		ledger_answer(&server->keys, exchange->key);
	if (useful && exchange->record != 0)
		ledger_answer(&server->records, exchange->record);
}

/* The planned time has come: answers a model call. */
static enum MHD_Result answer_call(struct exchange *exchange)
{
	struct server *server = exchange->server;
	struct question question;
	struct str body = buf_view(&exchange->body);
	struct buf out;
	const char *why = "";
	leave_flight(exchange);
	if (exchange->plan.reset)
		return MHD_NO;
	unsigned status = exchange->plan.status;
	if (status != 200) {
		count_answer(exchange, status);
		return send_error(exchange, status, status == 429 ? "rate limit reached" : "error by request of the test");
	}
	bool chat = exchange->endpoint == ENDPOINT_CHAT;
	bool good = chat ? question_parse_chat(server->tokener, &exchange->arena, body, &question, &why)
	                 : question_parse_embeddings(server->tokener, &exchange->arena, body, &question, &why);
	count_answer(exchange, good ? 200 : 400);
	if (!good)
		return send_error(exchange, 400, why);
	buf_init(&out, &exchange->arena, 1024);
	if (exchange->plan.garbage) {
		buf_cstr(&out, "<html>this is no answer");
	} else if (chat) {
		int64_t tokens;
		answer_write_chat(&out, &question, &exchange->plan, exchange->number, &tokens);
		server->completion_tokens += (uint64_t)tokens;
	} else {
		answer_write_embeddings(&out, &question, &exchange->plan);
	}
	server->prompt_tokens += (uint64_t)question.tokens;
	return send_body(exchange, 200, &out);
}

static void stall(struct exchange *exchange)
{
	exchange->next_stalled = exchange->server->stalled;
	exchange->server->stalled = exchange;
}

static enum MHD_Result read_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct exchange *exchange = ctx;
	struct str header = str_of(name), text = str_of(value);
	(void)kind; /* only headers are asked for */
	if (text.data == NULL)
		return MHD_YES;
	if (str_eq_nocase(header, STR("idempotency-key")))
		exchange->key = ledger_hash(text);
	else if (str_eq_nocase(header, STR("x-record-id")))
		exchange->record = ledger_hash(text);
	else if (header.len > 6 && str_eq_nocase((struct str){header.data, 6}, STR("x-sim-")))
		(void)plan_override(&exchange->plan, header, text); /* an unknown or bad one changes nothing */
	return MHD_YES;
}

/* A model call has arrived whole: counts it and says when it is answered. */
static enum MHD_Result begin_call(struct exchange *exchange)
{
	struct server *server = exchange->server;
	exchange->planned = exchange->counted = true;
	exchange->plan = behaviour_plan(&server->behaviour);
	(void)MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, read_header, exchange); /* returns a count */
	server->calls++;
	server->embeddings += exchange->endpoint == ENDPOINT_EMBEDDINGS;
	if (exchange->key != 0)
		ledger_call(&server->keys, exchange->key);
	if (exchange->record != 0)
		ledger_call(&server->records, exchange->record);
	if (++server->in_flight > server->max_in_flight)
		server->max_in_flight = server->in_flight;
	if (server->behaviour.stall)
		stall(exchange);
	else if (exchange->plan.delay_us > 0)
		waiting_add(&server->waiting, clock_mono_us() + exchange->plan.delay_us, exchange);
	else
		return answer_call(exchange);
	MHD_suspend_connection(exchange->connection);
	return MHD_YES;
}

static enum MHD_Result send_stats(struct exchange *exchange)
{
	struct server *server = exchange->server;
	struct buf out;
	buf_init(&out, &exchange->arena, 0);
	buf_printf(&out, "{\"calls\":%llu,\"ok\":%llu,\"embeddings\":%llu,\"by_status\":{", (unsigned long long)server->calls,
	           (unsigned long long)server->by_status[200], (unsigned long long)server->embeddings);
	bool first = true;
	for (unsigned i = 0; i < 600; i++) {
		if (server->by_status[i] == 0)
			continue;
		buf_printf(&out, "%s\"%u\":%llu", first ? "" : ",", i, (unsigned long long)server->by_status[i]);
		first = false;
	}
	buf_printf(&out, "},\"distinct\":%zu,\"dup_calls\":%llu,\"distinct_records\":%zu,\"dup_record_calls\":%llu",
	           server->keys.distinct, (unsigned long long)server->keys.repeated_answers, server->records.distinct,
	           (unsigned long long)server->records.repeated_answers);
	buf_printf(&out, ",\"in_flight\":%llu,\"max_in_flight\":%llu,\"prompt_tokens\":%llu,\"completion_tokens\":%llu}\n",
	           (unsigned long long)server->in_flight, (unsigned long long)server->max_in_flight,
	           (unsigned long long)server->prompt_tokens, (unsigned long long)server->completion_tokens);
	return send_body(exchange, 200, &out);
}

static void resume_stalled(struct server *server)
{
	struct exchange *exchange = server->stalled;
	server->stalled = NULL;
	while (exchange != NULL) {
		struct exchange *next = exchange->next_stalled;
		MHD_resume_connection(exchange->connection);
		exchange = next;
	}
}

struct config_change {
	struct behaviour behaviour;
	const char *complaint; /* NULL: none */
};

static enum MHD_Result change_config(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct config_change *change = ctx;
	(void)kind; /* only arguments of the URL are asked for */
	enum setting result = behaviour_set(&change->behaviour, str_of(name), str_of(value));
	if (result == SETTING_OK)
		return MHD_YES;
	change->complaint = result == SETTING_UNKNOWN ? "unknown setting: there are latency_ms, sigma, p429, p500, stall, retry_after, seed"
	                                              : "a value is not a number or out of range";
	return MHD_NO;
}

static enum MHD_Result config(struct exchange *exchange)
{
	struct server *server = exchange->server;
	struct config_change change = {.behaviour = server->behaviour};
	(void)MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, change_config, &change); /* a count */
	if (change.complaint != NULL)
		return send_error(exchange, 400, change.complaint);
	server->behaviour = change.behaviour;
	if (!server->behaviour.stall)
		resume_stalled(server);
	const struct behaviour *now = &server->behaviour;
	struct buf out;
	buf_init(&out, &exchange->arena, 0);
	buf_printf(&out, "{\"latency_ms\":%g,\"sigma\":%g,\"p429\":%g,\"p500\":%g,\"stall\":%d,\"retry_after\":%lld}\n", now->latency_ms,
	           now->sigma, now->p429, now->p500, now->stall, (long long)now->retry_after_s);
	return send_body(exchange, 200, &out);
}

/* The whole request is here, or a suspended one goes on. */
static enum MHD_Result handle_whole(struct exchange *exchange)
{
	struct buf out;
	if (exchange->body_too_large)
		return send_error(exchange, 413, "the body is too large");
	switch (exchange->endpoint) {
	case ENDPOINT_CHAT:
	case ENDPOINT_EMBEDDINGS:
		return exchange->planned ? answer_call(exchange) : begin_call(exchange);
	case ENDPOINT_STATS:
		return send_stats(exchange);
	case ENDPOINT_RESET:
		reset_counts(exchange->server);
		buf_init(&out, &exchange->arena, 0);
		buf_cstr(&out, "{}\n");
		return send_body(exchange, 200, &out);
	case ENDPOINT_CONFIG:
		return config(exchange);
	case ENDPOINT_NONE:
		break;
	}
	return send_error(exchange, 404, "no such path or method");
}

/* libmicrohttpd calls this once with the headers, then with each piece of the body, then with size 0. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **state)
{
	struct server *server = ctx;
	struct exchange *exchange = *state;
	(void)version; /* 1.0 and 1.1 are served alike */
	if (exchange == NULL) {
		exchange = heap_zalloc(1, sizeof *exchange);
		exchange->server = server;
		exchange->connection = connection;
		exchange->endpoint = endpoint_of(method, url);
		exchange->number = ++server->numbers;
		arena_init(&exchange->arena, 4096);
		buf_init(&exchange->body, &exchange->arena, 0);
		*state = exchange;
		return MHD_YES;
	}
	if (*size == 0)
		return handle_whole(exchange);
	if (*size > LARGEST_BODY - exchange->body.len)
		exchange->body_too_large = true;
	else
		buf_add(&exchange->body, data, *size);
	*size = 0;
	return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
	struct exchange *exchange = *state;
	(void)ctx, (void)connection, (void)why; /* however it ended, its memory goes */
	if (exchange == NULL)
		return;
	leave_flight(exchange);
	arena_free(&exchange->arena);
	free(exchange);
	*state = NULL;
}

struct server *server_start(const char *address, uint16_t port, struct behaviour behaviour)
{
	struct sockaddr_in listen = {.sin_family = AF_INET, .sin_port = htons(port)};
	if (inet_pton(AF_INET, address, &listen.sin_addr) != 1) {
		errno = EINVAL;
		return NULL;
	}
	struct server *server = heap_zalloc(1, sizeof *server);
	server->behaviour = behaviour;
	server->tokener = json_tokener_new();
	errno = 0;
	if (server->tokener != NULL)
		server->daemon = MHD_start_daemon(
		    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, port, NULL, NULL, on_request, server,
		    MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&listen, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
		    MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS, MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096U,
		    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
	if (server->daemon == NULL) {
		int reason = errno;
		json_tokener_free(server->tokener);
		free(server);
		errno = reason;
		return NULL;
	}
	return server;
}

void server_stop(struct server *server)
{
	if (server == NULL)
		return;
	/* libmicrohttpd insists that nothing is suspended when it stops. */
	for (struct exchange *exchange; (exchange = waiting_take(&server->waiting, INT64_MAX)) != NULL;) {
		exchange->plan.reset = true;
		MHD_resume_connection(exchange->connection);
	}
	for (struct exchange *exchange = server->stalled; exchange != NULL; exchange = exchange->next_stalled)
		exchange->plan.reset = true;
	resume_stalled(server);
	(void)MHD_run(server->daemon); /* the daemon ends next; nothing is left to do about a failure */
	MHD_stop_daemon(server->daemon);
	json_tokener_free(server->tokener);
	waiting_free(&server->waiting);
	reset_counts(server);
	free(server);
}

uint16_t server_port(const struct server *server)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
	return info != NULL ? info->port : 0;
}

int server_fd(const struct server *server)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	return info != NULL ? info->epoll_fd : -1;
}

int64_t server_wait_us(const struct server *server)
{
	MHD_UNSIGNED_LONG_LONG daemon_ms;
	int64_t wait_us = -1, due_us = waiting_next_us(&server->waiting);
	if (MHD_get_timeout(server->daemon, &daemon_ms) == MHD_YES)
		wait_us = daemon_ms < 1000000 ? (int64_t)daemon_ms * 1000 : 1000000000;
	if (due_us == INT64_MAX)
		return wait_us;
	if (due_us < server->resume_after_us)
		due_us = server->resume_after_us;
	int64_t due_in_us = due_us - clock_mono_us();
	if (due_in_us < 0)
		due_in_us = 0;
	return wait_us >= 0 && wait_us < due_in_us ? wait_us : due_in_us;
}

void server_run(struct server *server)
{
	int64_t now_us = clock_mono_us();
	if (now_us >= server->resume_after_us && waiting_next_us(&server->waiting) <= now_us) {
		for (struct exchange *exchange; (exchange = waiting_take(&server->waiting, now_us)) != NULL;) {
			if (server->behaviour.stall)
				stall(exchange);
			else
				MHD_resume_connection(exchange->connection);
		}
		/* libmicrohttpd walks all suspended connections at each resume: with many, resume them in larger groups. */
		server->resume_after_us = now_us + (int64_t)(server->waiting.count / 2);
	}
	(void)MHD_run(server->daemon); /* fails only for a daemon with a thread of its own */
}
