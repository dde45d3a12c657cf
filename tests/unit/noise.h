/* noise.h: numbers drawn from a seed, the same on every machine. For tests only. */
#ifndef UNIT_NOISE_H
#define UNIT_NOISE_H

#include <stdint.h>

static inline uint64_t draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

/* Roughly normal, from -6 to 6. */
static inline float noise(uint64_t *state)
{
	float sum = 0;
	for (int i = 0; i < 12; i++)
		sum += (float)(draw(state) % 65536) / 65536.0f;
	return sum - 6;
}

#endif
