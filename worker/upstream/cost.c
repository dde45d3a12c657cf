/*
 * cost.c: price per million tokens times tokens.
 */
#include "worker/upstream/cost.h"

double cost_usd(const struct price *price, int64_t input, int64_t cached, int64_t output)
{
	if (price->free || !price->given)
		return 0;
	if (input < 0)
		input = 0;
	if (cached < 0)
		cached = 0;
	if (cached > input)
		cached = input;
	if (output < 0)
		output = 0;
	double cached_price = price->cached >= 0 ? price->cached : price->input; /* negative or NAN: not given */
	return ((double)(input - cached) * price->input + (double)cached * cached_price + (double)output * price->output) / 1e6;
}

int64_t cost_tokens_estimate(size_t bytes)
{
	return (int64_t)((bytes + 3) / 4);
}
