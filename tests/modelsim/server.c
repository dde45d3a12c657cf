/*
 * server.c: HTTP by libmicrohttpd, in the caller's thread.
 *
 * The one idea: a call that has to wait is a suspended connection and an entry in a heap, so ten thousand calls in flight
 * cost memory and no thread, and nothing here needs a lock. What happens in a request is exchange.c's.
 */
#include "tests/modelsim/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "common/clock.h"
#include "tests/modelsim/exchange.h"

#define MOST_CONNECTIONS 60000U

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
		    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, port, NULL, NULL, exchange_request, server,
		    MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&listen, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, server,
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

void server_record(struct server *server, FILE *file)
{
	server->record = file;
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
	control_resume_stalled(server);
	(void)MHD_run(server->daemon); /* the daemon ends next; nothing is left to do about a failure */
	MHD_stop_daemon(server->daemon);
	json_tokener_free(server->tokener);
	waiting_free(&server->waiting);
	control_reset_counts(server);
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
				exchange_stall(exchange);
			else
				MHD_resume_connection(exchange->connection);
		}
		/* libmicrohttpd walks all suspended connections at each resume: with many, resume them in larger groups. */
		server->resume_after_us = now_us + (int64_t)(server->waiting.count / 2);
	}
	(void)MHD_run(server->daemon); /* fails only for a daemon with a thread of its own */
}
