/*
 * control.c: what a test asks of the simulator itself: counts, a fresh start, another behaviour.
 */
#include <string.h>

#include "tests/modelsim/exchange.h"
#include "tests/modelsim/router.h"

void control_reset_counts(struct server *server)
{
	ledger_reset(&server->keys);
	ledger_reset(&server->records);
	memset(server->by_status, 0, sizeof server->by_status);
	server->calls = server->embeddings = server->router = server->prompt_tokens = server->completion_tokens = 0;
	server->max_in_flight = server->in_flight;
}

enum MHD_Result control_reset(struct exchange *exchange)
{
	struct buf out;
	control_reset_counts(exchange->server);
	buf_init(&out, &exchange->arena, 0);
	buf_cstr(&out, "{}\n");
	return exchange_send(exchange, 200, &out);
}

enum MHD_Result control_stats(struct exchange *exchange)
{
	struct server *server = exchange->server;
	struct buf out;
	buf_init(&out, &exchange->arena, 0);
	buf_printf(&out, "{\"calls\":%llu,\"ok\":%llu,\"embeddings\":%llu,\"router\":%llu,\"by_status\":{",
	           (unsigned long long)server->calls, (unsigned long long)server->by_status[200], (unsigned long long)server->embeddings,
	           (unsigned long long)server->router);
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
	return exchange_send(exchange, 200, &out);
}

void control_resume_stalled(struct server *server)
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
	change->complaint = result == SETTING_UNKNOWN ? "unknown setting: there are latency_ms, sigma, p429, p500, stall, retry_after, router, logprobs, seed"
	                                              : "a value is not a number or out of range";
	return MHD_NO;
}

enum MHD_Result control_config(struct exchange *exchange)
{
	struct server *server = exchange->server;
	struct config_change change = {.behaviour = server->behaviour};
	(void)MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, change_config, &change); /* a count */
	if (change.complaint != NULL)
		return exchange_send_error(exchange, 400, change.complaint);
	server->behaviour = change.behaviour;
	if (!server->behaviour.stall)
		control_resume_stalled(server);
	const struct behaviour *now = &server->behaviour;
	struct buf out;
	buf_init(&out, &exchange->arena, 0);
	buf_printf(&out, "{\"latency_ms\":%g,\"sigma\":%g,\"p429\":%g,\"p500\":%g,\"stall\":%d,\"retry_after\":%lld,\"router\":\"%s\",\"logprobs\":%d}\n", now->latency_ms,
	           now->sigma, now->p429, now->p500, now->stall, (long long)now->retry_after_s, router_mode_name(now->router), !now->no_logprobs);
	return exchange_send(exchange, 200, &out);
}
