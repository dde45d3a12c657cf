/*
 * server.h: the simulator's HTTP side.
 *
 * Thread: one: the caller's loop waits for server_fd to be readable or for server_wait_us, then calls server_run.
 */
#ifndef MODELSIM_SERVER_H
#define MODELSIM_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/modelsim/behaviour.h"

struct server;

/* Listens on the address (IPv4, dotted) and port (0: any free one). NULL when that fails; errno says why. */
struct server *server_start(const char *address, uint16_t port, struct behaviour behaviour);
/* Writes all requests down in file from now on; the caller closes it after server_stop. */
void server_record(struct server *server, FILE *file);
/* Waiting calls get no answer; their connections are closed. */
void server_stop(struct server *server);

uint16_t server_port(const struct server *server);
int server_fd(const struct server *server);
/* How long the caller may wait at most; -1: until server_fd is readable. */
int64_t server_wait_us(const struct server *server);
void server_run(struct server *server);

#endif
