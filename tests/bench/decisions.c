/*
 * decisions.c: what decisions cost, in the world that tests/bench/decisions has made in a folder. Prints JSON, a line a figure.
 *
 * Each part runs in a process of its own, so that one's memory is not another's. A decision is the worker's road from a decoded record to
 * the decision: guards, the cache key's material, all stages. It is timed singly, by the thread's own CPU clock (which takes some 0.3 us
 * of it), after one round that warms up; prompts follow each other, so none finds in the processor's caches what it left there itself.
 * Memory is the process' resident set, its libraries and the embedding table included. Allocations are counted from the second round on,
 * whoever makes them.
 */
#include "tests/bench/counted.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "tests/unit/redis_server.h"
#include "worker/cache/cache_states.h"
#include "worker/route/route.h"
#include "worker/route/static_model.h"
#include "worker/route/vectors.h"

enum { MAX_TEXTS = 60000, ROUNDS = 20, BATCH = 64, ARENA_BYTES = 16384, NEAR = 10, QUERIES = 200 };

struct texts {
	struct str all[MAX_TEXTS];
	uint32_t count;
};

struct bench {
	const char *folder;
	struct settings settings;
	struct texts prompts, long_prompts;
};

static int64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void give_up(const char *what, const char *why)
{
	fprintf(stderr, "decisions: %s: %s\n", what, why);
	exit(1);
}

static void tell(const char *what, double value, const char *unit, double goal)
{
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 256);
	buf_char(&out, '{');
	json_member_str(&out, "what", str_of(what));
	json_member_double(&out, "value", value);
	json_member_str(&out, "unit", str_of(unit));
	if (!isnan(goal))
		json_member_double(&out, "goal", goal);
	printf("%.*s}\n", STR_ARG(buf_view(&out)));
	arena_free(&arena);
}

static const char *path_of(const struct bench *b, const char *name, char path[static 512])
{
	if (snprintf(path, 512, "%s/%s", b->folder, name) >= 512)
		give_up(b->folder, "the path is too long");
	return path;
}

static void read_texts(const struct bench *b, const char *name, struct texts *ret)
{
	char path[512], *line = NULL;
	size_t cap = 0;
	FILE *f = fopen(path_of(b, name, path), "r");
	if (f == NULL)
		give_up(path, "cannot be read; run tests/bench/decisions, which makes it");
	for (ssize_t n; ret->count < MAX_TEXTS && (n = getline(&line, &cap, f)) > 0;) {
		struct str text = str_trim((struct str){line, (size_t)n});
		ret->all[ret->count++] = (struct str){strndup(text.data, text.len), text.len};
	}
	free(line);
	(void)fclose(f); /* was only read */
}

static double resident_mb(void)
{
	char line[256];
	long kb = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f != NULL && kb == 0 && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	if (f != NULL)
		(void)fclose(f); /* was only read */
	return (double)kb / 1024;
}

/* ---- one decision after the other ------------------------------------------------------------------------------------ */

struct side {
	struct policy *policy;
	struct route_scratch *scratch;
	struct arena arena; /* of the job at hand */
};

static void side_open(const struct bench *b, const char *policy, struct side *ret)
{
	char path[512];
	struct err err;
	if (policy_load(path_of(b, policy, path), &b->settings, &ret->policy, &err) != RC_OK)
		give_up(path, err.text);
	ret->scratch = route_scratch_new(ret->policy);
	arena_init(&ret->arena, ARENA_BYTES);
}

static struct job job_of(struct side *s, struct message *message, struct str text)
{
	*message = (struct message){STR("user"), text};
	struct job job = {.state = JOB_DECODED, .arena = s->arena, .dec = {.route = -1, .policy = s->policy}, .call = {.model = -1}};
	job.req = (struct request){.id = STR("r"), .messages = message, .message_count = 1, .temperature = NAN};
	return job;
}

static void decide(struct side *s, struct str text)
{
	struct message message;
	struct job job = job_of(s, &message, text);
	struct str why;
	if (!route_guard(s->policy, s->scratch, &job, &why) || route_key_material(s->policy, s->scratch, &job).len == 0 ||
	    route_decide(s->policy, s->scratch, &job) != ROUTE_DONE)
		give_up(policy_name(s->policy).data, "a decision did not come about");
	s->arena = job.arena;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Of `texts`, over and over. ret: p50 and p99 in microseconds, allocations of each. */
static void measure(struct side *s, const struct texts *texts, double ret[static 3])
{
	size_t count = (size_t)texts->count * ROUNDS;
	int64_t *spent = heap_zalloc(count, sizeof *spent);
	for (uint32_t i = 0; i < texts->count; i++, arena_reset(&s->arena))
		decide(s, texts->all[i]);
	uint64_t before = counted_allocations;
	for (size_t i = 0; i < count; i++, arena_reset(&s->arena)) {
		int64_t start = cpu_ns();
		decide(s, texts->all[i % texts->count]);
		spent[i] = cpu_ns() - start;
	}
	ret[2] = (double)(counted_allocations - before) / (double)count;
	qsort(spent, count, sizeof *spent, by_size);
	ret[0] = (double)spent[count / 2] / 1e3;
	ret[1] = (double)spent[count - 1 - count / 100] / 1e3;
	free(spent);
}

static void cold(const struct bench *b)
{
	struct side s;
	double figures[3];
	side_open(b, "cold.yaml", &s);
	measure(&s, &b->prompts, figures);
	tell("a cold decision: semantic and classifier, p50", figures[0], "us", 50);
	tell("the same, p99", figures[1], "us", NAN);
	tell("its allocations", figures[2], "", 0);
}

static void rules(const struct bench *b)
{
	struct side s;
	double figures[3];
	side_open(b, "rules.yaml", &s);
	measure(&s, &b->long_prompts, figures);
	tell("rules with 1,000 keywords over 2 KB, p50", figures[0], "us", 10);
	tell("the same, p99", figures[1], "us", NAN);
	tell("its allocations", figures[2], "", 0);
}

static void whole(const struct bench *b)
{
	struct side s;
	double figures[3];
	side_open(b, "whole.yaml", &s);
	measure(&s, &b->prompts, figures);
	tell("memory of the whole router: rules, semantic, classifier", resident_mb(), "MB", 40);
	tell("a cold decision by all three, p50", figures[0], "us", NAN);
}

static void many(const struct bench *b)
{
	struct side s;
	double figures[3];
	struct texts *some = heap_zalloc(1, sizeof *some);
	some->count = b->prompts.count < 25 ? b->prompts.count : 25;
	memcpy(some->all, b->prompts.all, some->count * sizeof *some->all);
	side_open(b, "many.yaml", &s);
	measure(&s, some, figures);
	tell("semantic over 50,000 examples, p50", figures[0], "us", 2000);
	tell("the same, p99", figures[1], "us", NAN);
	tell("its allocations", figures[2], "", 0);
	tell("memory of that router", resident_mb(), "MB", NAN);
}

/* ---- 8 bits against floats -------------------------------------------------------------------------------------------- */

static void nearest_of(const float *cosines, uint32_t count, uint32_t nearest[static NEAR])
{
	for (uint32_t found = 0, i = 0; i < count; i++) {
		uint32_t at = found < NEAR ? found++ : NEAR;
		for (; at > 0 && cosines[nearest[at - 1]] < cosines[i]; at--)
			if (at < NEAR)
				nearest[at] = nearest[at - 1];
		if (at < NEAR)
			nearest[at] = i;
	}
}

/* How many of the nearest by floats are as near by 8 bits as the last of its ten nearest. Equals count alike. */
static uint32_t found_again(const float *exact, const float *rounded, uint32_t count)
{
	uint32_t a[NEAR], b[NEAR], found = 0;
	nearest_of(exact, count, a);
	nearest_of(rounded, count, b);
	for (uint32_t i = 0; i < NEAR; i++)
		found += rounded[a[i]] >= rounded[b[NEAR - 1]];
	return found;
}

static void read_many(const struct bench *b, const struct static_model *model, struct vectors *table, float **ret_floats)
{
	char path[512], *line = NULL;
	size_t cap = 0;
	uint32_t dim = static_model_dim(model);
	struct arena arena;
	struct err err;
	const struct json *row;
	FILE *f = fopen(path_of(b, "many.jsonl", path), "r");
	float *floats = heap_zalloc((size_t)MAX_TEXTS * dim, sizeof *floats);
	arena_init(&arena, 0);
	for (ssize_t n; f != NULL && table->count < MAX_TEXTS && (n = getline(&line, &cap, f)) > 0; arena_reset(&arena)) {
		if (json_parse(&arena, str_trim((struct str){line, (size_t)n}), (struct json_limits){0}, &row, &err) != RC_OK)
			give_up(path, err.text);
		float *vector = floats + (size_t)table->count * dim;
		(void)static_model_embed(model, json_str(json_get(row, STR("text"))), vector); /* all zeros: refused by the next line */
		(void)vectors_add(table, vector, 0); /* what is refused is overwritten */
	}
	if (f != NULL)
		(void)fclose(f); /* was only read */
	free(line);
	arena_free(&arena);
	*ret_floats = floats;
}

static void eight_bits(const struct bench *b)
{
	struct arena arena;
	struct static_model *model;
	struct vectors table;
	struct err err;
	float *floats, vector[STATIC_MODEL_MAX_DIM];
	int8_t row[STATIC_MODEL_MAX_DIM];
	uint32_t found = 0, queries = b->prompts.count < QUERIES ? b->prompts.count : QUERIES;
	double off = 0, most_off = 0;
	arena_init(&arena, 0);
	if (static_model_builtin(&arena, &model, &err) != RC_OK)
		give_up("static model", err.text);
	vectors_init(&table, static_model_dim(model));
	read_many(b, model, &table, &floats);
	float *exact = heap_zalloc(table.count, sizeof *exact), *rounded = heap_zalloc(table.count + VECTORS_AT_ONCE, sizeof *rounded);
	for (uint32_t q = 0; q < queries; q++) {
		(void)static_model_embed(model, b->prompts.all[q], vector); /* a prompt without known words is far from all, both ways */
		float inverse = vectors_row(&table, vector, row);
		for (uint32_t i = 0; i < table.count; i += VECTORS_AT_ONCE)
			vectors_cosines(&table, row, inverse, i, table.count - i < VECTORS_AT_ONCE ? table.count - i : VECTORS_AT_ONCE, rounded + i);
		for (uint32_t i = 0; i < table.count; i++) {
			exact[i] = vectors_dot(vector, floats + (size_t)i * table.dim, table.dim);
			double now = fabs((double)exact[i] - (double)rounded[i]);
			off += now;
			most_off = fmax(most_off, now);
		}
		found += found_again(exact, rounded, table.count);
	}
	tell("of the ten nearest by floats, found in 8 bits", 100.0 * found / (queries * NEAR), "%", NAN);
	tell("a cosine in 8 bits is off by, mean", off / queries / table.count, "", NAN);
	tell("the same, at most", most_off, "", NAN);
}

/* ---- the cached road ------------------------------------------------------------------------------------------------- */

struct cached {
	struct side side;
	struct settings settings;
	struct cache_conn *conn;
	struct arena batch; /* of one batch */
	struct arena arenas[BATCH];
};

static void learn(struct cached *c, const struct texts *texts)
{
	for (uint32_t i = 0; i < texts->count; i++) {
		struct message message;
		struct cache_entry entry = {.ttl_ms = 3600000};
		struct job job = job_of(&c->side, &message, texts->all[i]);
		cache_key(c->conn, route_key_material(c->side.policy, c->side.scratch, &job), entry.key);
		if (route_decide(c->side.policy, c->side.scratch, &job) != ROUTE_DONE)
			give_up("cold.yaml", "a decision did not come about");
		entry.value = route_pack(c->side.policy, &job);
		cache_write(c->conn, &entry, 1, clock_mono_us());
		c->side.arena = job.arena;
		arena_reset(&c->side.arena);
	}
}

/* As a decider does with a batch: keys, one read, and what was found. */
static void take_batch(struct cached *c, const struct str *texts, uint32_t count)
{
	struct job jobs[BATCH];
	struct message messages[BATCH];
	struct cache_slot slots[BATCH];
	for (uint32_t i = 0; i < count; i++) {
		jobs[i] = job_of(&c->side, &messages[i], texts[i]);
		jobs[i].arena = c->arenas[i];
		slots[i] = (struct cache_slot){.source = CACHE_MISS};
		cache_key(c->conn, route_key_material(c->side.policy, c->side.scratch, &jobs[i]), slots[i].key);
	}
	cache_read_states(c->conn, slots, count, NULL, 0, &c->batch, clock_mono_us());
	for (uint32_t i = 0; i < count; i++) {
		if (slots[i].source != CACHE_FAR || route_unpack(c->side.policy, slots[i].value, &jobs[i]) != RC_OK)
			give_up("redis", "it does not know a decision that it was told");
		c->arenas[i] = jobs[i].arena;
		arena_reset(&c->arenas[i]);
	}
	arena_reset(&c->batch);
}

static void take_all(struct cached *c, const struct texts *texts)
{
	for (uint32_t at = 0; at < texts->count; at += BATCH)
		take_batch(c, texts->all + at, texts->count - at < BATCH ? texts->count - at : BATCH);
}

static void cached(const struct bench *b)
{
	static struct cached c;
	struct redis_server server = {0};
	struct cache *cache;
	struct metrics *metrics = metrics_new();
	struct err err;
	if (!server_start(&server))
		give_up("redis-server", "it does not start");
	side_open(b, "cold.yaml", &c.side);
	c.settings = (struct settings){.redis = {.url = str_of(server.url), .key_prefix = STR("pm"), .timeout_ms = 1000},
	                               .cache = {.enabled = true, .ttl_ms = 3600000, .unsure_ttl_ms = 3600000, .secret = STR("of the bench")},
	                               .engine = {.max_jobs = BATCH}}; /* no near tier: Redis is asked for each */
	if (cache_open(&c.settings, NULL, metrics, &cache, &err) != RC_OK)
		give_up("cache", err.text);
	c.conn = cache_conn_new(cache);
	arena_init(&c.batch, 256 * 1024);
	for (uint32_t i = 0; i < BATCH; i++)
		arena_init(&c.arenas[i], ARENA_BYTES);
	learn(&c, &b->prompts);
	take_all(&c, &b->prompts);
	uint64_t before = counted_allocations;
	int64_t start = cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++)
		take_all(&c, &b->prompts);
	double records = (double)b->prompts.count * ROUNDS;
	tell("a decision from Redis, in batches of 64, CPU", (double)(cpu_ns() - start) / 1e3 / records, "us", 3);
	tell("its allocations (hiredis' answers)", (double)(counted_allocations - before) / records, "", NAN);
	cache_conn_free(c.conn);
	cache_close(cache);
	server_end(&server);
}

/* ---------------------------------------------------------------------------------------------------------------------- */

static void tell_machine(void)
{
	char line[256], cpu[256] = "unknown processor", *colon;
	double load = 0;
	FILE *f = fopen("/proc/cpuinfo", "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "model name", 10) == 0 && (colon = strchr(line, ':')) != NULL) {
			(void)snprintf(cpu, sizeof cpu, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2); /* a name may be cut */
			break;
		}
	if (f != NULL)
		(void)fclose(f); /* was only read */
	(void)getloadavg(&load, 1); /* 0 where it is not known */
	printf("{\"cpu\":\"%s\",\"cores\":%ld,\"load\":%.1f}\n", cpu, sysconf(_SC_NPROCESSORS_ONLN), load);
}

static void apart(void (*part)(const struct bench *b), const struct bench *b)
{
	int status = 1;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		part(b);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		give_up("a part", "failed");
}

int main(int argc, char **argv)
{
	static struct bench b;
	char path[512];
	struct err err;
	if (argc != 2)
		give_up("usage", "decisions FOLDER; tests/bench/decisions makes the folder");
	b.folder = argv[1];
	if (settings_load_no_secrets(path_of(&b, "pointsman.yaml", path), &b.settings, &err) != RC_OK)
		give_up(path, err.text);
	read_texts(&b, "prompts.txt", &b.prompts);
	read_texts(&b, "long.txt", &b.long_prompts);
	tell_machine();
	void (*const parts[])(const struct bench *) = {cold, rules, many, eight_bits, whole, cached};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		apart(parts[i], &b);
	return 0;
}
