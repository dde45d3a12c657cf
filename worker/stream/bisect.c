/*
 * bisect.c: the search for a culprit. The one idea: a search is a number, how many of those first in line are suspected; so
 * records may leave or join the line meanwhile, and a wrong number only costs a step more.
 */
#include "worker/stream/bisect.h"

uint32_t bisect_limit(const struct bisect *b)
{
	if (b->suspects == 0)
		return UINT32_MAX;
	return b->refusals < 2 || b->suspects == 1 ? b->suspects : b->suspects / 2;
}

void bisect_committed(struct bisect *b, uint32_t count)
{
	if (count == 0)
		return;
	b->suspects = b->suspects > count ? b->suspects - count : 0;
	if (b->suspects == 0 || b->refusals < 2) /* a first refusal that passed */
		*b = (struct bisect){0};
}

bool bisect_refused(struct bisect *b, uint32_t count)
{
	b->refusals = b->refusals < 2 ? b->refusals + 1 : 2;
	if (b->refusals == 2 && count <= 1) {
		*b = (struct bisect){0};
		return true;
	}
	b->suspects = count;
	return false;
}
