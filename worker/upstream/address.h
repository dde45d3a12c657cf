/*
 * address.h: which addresses a model call may never reach: link-local ones and the metadata services of clouds, where an
 * instance's credentials are handed to whoever asks. Pure. Thread: any.
 */
#ifndef UPSTREAM_ADDRESS_H
#define UPSTREAM_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* false for families other than IPv4 and IPv6 too. */
bool address_allowed(const struct sockaddr *address, socklen_t bytes, bool allow_link_local);

#endif
