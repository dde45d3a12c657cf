/*
 * address.c: refused addresses.
 *
 * The one idea: the check looks at the address a socket is about to connect to, so that no name, no redirect and no
 * second look-up can lead around it. IPv4 inside IPv6 is unwrapped first.
 */
#include "worker/upstream/address.h"

#include <netinet/in.h>
#include <string.h>

static bool refused_v4(const uint8_t a[4])
{
	static const uint8_t alibaba[4] = {100, 100, 100, 200};
	return a[0] == 0 || (a[0] == 169 && a[1] == 254) || memcmp(a, alibaba, 4) == 0;
}

static bool refused_v6(const uint8_t a[16])
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
	static const uint8_t aws[16] = {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54};
	if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0)
		return refused_v4(a + 12);
	return (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) || memcmp(a, aws, 16) == 0;
}

bool address_allowed(const struct sockaddr *address, socklen_t bytes, bool allow_link_local)
{
	if (address->sa_family == AF_INET && bytes >= (socklen_t)sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof in);
		uint8_t a[4];
		memcpy(a, &in.sin_addr, 4);
		return allow_link_local || !refused_v4(a);
	}
	if (address->sa_family == AF_INET6 && bytes >= (socklen_t)sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in;
		memcpy(&in, address, sizeof in);
		return allow_link_local || !refused_v6(in.sin6_addr.s6_addr);
	}
	return false;
}
