/*
 * decode_bounds.c: what the worst records of one megabyte cost to decode: CPU milliseconds, the median and the worst of 15.
 *
 * The records are those of tests/unit/test_decode_bounds.c, which asserts their memory. Time depends on the machine, so it is
 * printed beside its name and judged by a person; the bound to hold is 50 ms.
 */
#include <time.h>

#include "tests/unit/decode_worst.h"

enum { ROUNDS = 15 };

static double cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print_machine(void)
{
	char line[256];
	FILE *f = fopen("/proc/cpuinfo", "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "model name", 10) == 0) {
			printf("%s", line);
			break;
		}
	if (f != NULL)
		(void)fclose(f); /* was only read */
}

static double measure(const struct worst *w)
{
	double ms[ROUNDS];
	struct settings settings = worst_settings(w);
	struct wire *wire = worst_open(w, &settings);
	struct wire_coder *coder = wire_coder_new(wire);
	struct str value = worst_value(w);
	for (int i = 0; i < ROUNDS; i++) {
		struct job job;
		enum outcome outcome;
		double begin = cpu_ms();
		(void)worst_decode(coder, value, &job, &outcome, NULL); /* most are refused, at their bound */
		arena_free(&job.arena);
		ms[i] = cpu_ms() - begin;
	}
	qsort(ms, ROUNDS, sizeof ms[0], by_size);
	printf("%-38s %10zu %9.2f %9.2f\n", w->name, value.len, ms[ROUNDS / 2], ms[ROUNDS - 1]);
	free((void *)(uintptr_t)value.data); /* made by worst_value */
	wire_coder_free(coder);
	wire_close(wire);
	return ms[ROUNDS - 1];
}

int main(void)
{
	double worst = 0;
	print_machine();
	printf("%-38s %10s %9s %9s\n", "record", "bytes", "median ms", "worst ms");
	for (size_t i = 0; i < sizeof worst_records / sizeof worst_records[0]; i++) {
		double ms = measure(&worst_records[i]);
		worst = ms > worst ? ms : worst;
	}
	printf("the worst of all: %.2f ms of CPU\n", worst);
	return 0;
}
