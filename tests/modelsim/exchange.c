/*
 * exchange.c: from a request to its answer.
 *
 * The one idea: a model call is planned when its body is complete. It is answered at once, or its connection is suspended and
 * it is answered when it is resumed. What is answered is answer.c's, what the plan says behaviour.c's.
 */
#include "tests/modelsim/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tests/modelsim/answer.h"
#include "tests/modelsim/record.h"
#include "tests/modelsim/router.h"

#define LARGEST_BODY (32U << 20)

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

enum MHD_Result exchange_send(struct exchange *exchange, unsigned status, const struct buf *body)
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

enum MHD_Result exchange_send_error(struct exchange *exchange, unsigned status, const char *message)
{
	struct buf out;
	buf_init(&out, &exchange->arena, 0);
	answer_write_error(&out, status, message);
	return exchange_send(exchange, status, &out);
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
		return exchange_send_error(exchange, status, status == 429 ? "rate limit reached" : "error by request of the test");
	}
	bool chat = exchange->endpoint == ENDPOINT_CHAT;
	bool good = chat ? question_parse_chat(server->tokener, &exchange->arena, body, &question, &why)
	                 : question_parse_embeddings(server->tokener, &exchange->arena, body, &question, &why);
	count_answer(exchange, good ? 200 : 400);
	if (!good)
		return exchange_send_error(exchange, 400, why);
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
	return exchange_send(exchange, 200, &out);
}

void exchange_stall(struct exchange *exchange)
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

/* A cheap look before the body is read whole, which happens when its time has come. */
static bool asks_for_a_route(const struct exchange *exchange)
{
	static const char sign[] = "\"json_schema\":{\"name\":\"route\"";
	return exchange->endpoint == ENDPOINT_CHAT && memmem(exchange->body.data, exchange->body.len, sign, sizeof sign - 1) != NULL;
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
	if (exchange->endpoint == ENDPOINT_EMBEDDINGS || asks_for_a_route(exchange))
		exchange->record = 0; /* a record's routing is not its answer: the same record may have both */
	if (asks_for_a_route(exchange)) {
		server->router++;
		if (exchange->plan.router == ROUTER_LATE)
			exchange->plan.delay_us += (int64_t)ROUTER_LATE_MS * 1000;
	}
	if (exchange->key != 0)
		ledger_call(&server->keys, exchange->key);
	if (exchange->record != 0)
		ledger_call(&server->records, exchange->record);
	if (++server->in_flight > server->max_in_flight)
		server->max_in_flight = server->in_flight;
	if (server->behaviour.stall)
		exchange_stall(exchange);
	else if (exchange->plan.delay_us > 0)
		waiting_add(&server->waiting, clock_mono_us() + exchange->plan.delay_us, exchange);
	else
		return answer_call(exchange);
	MHD_suspend_connection(exchange->connection);
	return MHD_YES;
}

/* The whole request is here, or a suspended one goes on. */
static enum MHD_Result handle_whole(struct exchange *exchange)
{
	if (exchange->body_too_large)
		return exchange_send_error(exchange, 413, "the body is too large");
	switch (exchange->endpoint) {
	case ENDPOINT_CHAT:
	case ENDPOINT_EMBEDDINGS:
		return exchange->planned ? answer_call(exchange) : begin_call(exchange);
	case ENDPOINT_STATS:
		return control_stats(exchange);
	case ENDPOINT_RESET:
		return control_reset(exchange);
	case ENDPOINT_CONFIG:
		return control_config(exchange);
	case ENDPOINT_NONE:
		break;
	}
	return exchange_send_error(exchange, 404, "no such path or method");
}

/* libmicrohttpd calls this once with the headers, then with each piece of the body, then with size 0. */
enum MHD_Result exchange_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
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
	if (*size == 0) {
		if (!exchange->recorded)
			record_request(server->record, exchange);
		exchange->recorded = true;
		return handle_whole(exchange);
	}
	if (*size > LARGEST_BODY - exchange->body.len)
		exchange->body_too_large = true;
	else
		buf_add(&exchange->body, data, *size);
	*size = 0;
	return MHD_YES;
}

void exchange_completed(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
	struct exchange *exchange = *state;
	(void)ctx, (void)connection, (void)why; /* however it ended, its memory goes */
	if (exchange == NULL)
		return;
	leave_flight(exchange);
	if (!exchange->recorded) /* it broke off; what came of it counts */
		record_request(exchange->server->record, exchange);
	arena_free(&exchange->arena);
	free(exchange);
	*state = NULL;
}
