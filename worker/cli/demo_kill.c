/*
 * demo_kill.c: the course of `demo --kill`.
 *
 * The one idea: records come in portions, one more than there are kills; a worker is killed when a part of a portion is
 * answered, so that there is work on the wire at each kill. What was promised is then checked by the code of `audit verify`,
 * over the topics, like any user's.
 */
#include "worker/cli/demo_kill.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/hmac.h"
#include "worker/cli/demo_crew.h"
#include "worker/cli/demo_feed.h"
#include "worker/cli/demo_kill_report.h"
#include "worker/cli/demo_world.h"
#include "worker/engine/signals.h"
#include "worker/stream/plain.h"
#include "worker/stream/topics.h"

enum { PARTITIONS = 6, ASK_MS = 10000, FIND_MS = 4000, FLUSH_MS = 30000, LOOK_MS = 20, BATCH = 256 };
enum { PATIENCE_US = 120 * 1000000, RESTART_WITHIN_MS = 1000, DOING_BYTES = 64, TOPICS = 5 };

static const char *const suffixes[TOPICS] = {"requests", "responses", "decisions", "dead-letters", "review"};

struct course {
	const struct demo_kill_asked *asked;
	const char *brokers;
	struct settings models, settings; /* the demo's files; the first worker's */
	struct demo_feed *feed;
	struct demo_world *world;
	struct demo_crew *crew;
	struct topics *topics;
	struct plain_writer *writer;
	struct plain_reader *reader;
	struct signals *signals;
	unsigned topics_made;
	int64_t fed, responses, decisions, kills, moved_us, longest_pause_us;
	bool gave_up;
	char doing[DOING_BYTES];
	struct cli_progress bar;
};

static int64_t chance(int64_t low, int64_t high)
{
	uint64_t n;
	random_bytes(&n, sizeof n);
	return high > low ? low + (int64_t)(n % (uint64_t)(high - low + 1)) : low;
}

static void tell(struct course *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct course *c, const char *fmt, ...)
{
	char text[DOING_BYTES];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* cut is fine: for a person */
	va_end(ap);
	(void)snprintf(c->doing, sizeof c->doing, "%-34.60s", text); /* the line before is covered */
	c->bar.what = c->doing;
}

static int64_t answered(const struct course *c)
{
	return c->responses < c->decisions ? c->responses : c->decisions;
}

static void see_output(void *ctx, const char *topic, struct str key, struct str value)
{
	(void)key, (void)value; /* here they are only counted */
	struct course *c = ctx;
	if (str_is(c->settings.output.responses, topic))
		c->responses++;
	else if (str_is(c->settings.output.decisions, topic))
		c->decisions++;
}

/* One look at everything. A pause counts from the last output, and only while there is work. */
static enum rc look(struct course *c, struct err *err)
{
	bool busy = answered(c) < c->fed;
	unsigned seen = plain_reader_poll(c->reader, LOOK_MS, BATCH, see_output, c);
	int64_t now_us = clock_mono_us(), pause_us = now_us - c->moved_us;
	if (busy && c->kills != 0 && pause_us > c->longest_pause_us)
		c->longest_pause_us = pause_us;
	if (seen != 0 || !busy)
		c->moved_us = now_us;
	c->gave_up = pause_us > PATIENCE_US;
	cli_progress_at(&c->bar, answered(c));
	if (signals_next(c->signals, 0) != 0)
		return err_set(err, RC_FATAL, "ended by a signal");
	return demo_crew_look(c->crew, err);
}

static enum rc feed_to(struct course *c, int64_t end, struct err *err)
{
	enum rc rc = RC_OK;
	const char *topic = arena_cstr(&c->settings.arena, c->settings.input.topics.items[0]);
	for (int64_t i = c->fed; i < end && rc == RC_OK; i++) {
		char key[24];
		(void)snprintf(key, sizeof key, "%lld", (long long)i); /* fits */
		rc = plain_writer_send(c->writer, topic, str_of(key), demo_feed_record(c->feed, i), err);
	}
	if (rc == RC_OK)
		rc = plain_writer_flush(c->writer, FLUSH_MS, err);
	if (answered(c) >= c->fed)
		c->moved_us = clock_mono_us();
	c->fed = end;
	return rc;
}

static enum rc wait_answers(struct course *c, int64_t count, struct err *err)
{
	enum rc rc = RC_OK;
	while (rc == RC_OK && answered(c) < count && !c->gave_up)
		rc = look(c, err);
	return rc;
}

static enum rc kill_one(struct course *c, int64_t portion_end, struct err *err)
{
	unsigned victim = (unsigned)chance(0, DEMO_CREW_SIZE - 1);
	int64_t back_us = clock_mono_us() + 1000 * chance(0, RESTART_WITHIN_MS);
	demo_crew_kill(c->crew, victim);
	c->kills++;
	tell(c, "kill %lld of %lld: worker %u", (long long)c->kills, (long long)c->asked->kills, victim + 1);
	enum rc rc = feed_to(c, portion_end, err);
	while (rc == RC_OK && clock_mono_us() < back_us)
		rc = look(c, err);
	if (rc == RC_OK)
		rc = demo_crew_start(c->crew, victim, err);
	if (rc == RC_OK)
		tell(c, "worker %u is back (%lld of %lld kills)", victim + 1, (long long)c->kills, (long long)c->asked->kills);
	return rc;
}

static enum rc play(struct course *c, struct err *err)
{
	int64_t portions = c->asked->kills + 1, records = c->asked->records;
	enum rc rc = RC_OK;
	cli_progress_begin(&c->bar, c->doing, records);
	tell(c, "three workers start");
	for (unsigned i = 0; i < DEMO_CREW_SIZE && rc == RC_OK; i++)
		rc = demo_crew_start(c->crew, i, err);
	if (rc == RC_OK)
		rc = feed_to(c, records / portions, err);
	for (int64_t k = 1; k < portions && rc == RC_OK && !c->gave_up; k++) {
		int64_t open = c->fed - answered(c);
		rc = wait_answers(c, answered(c) + chance(1, open / 2 > 1 ? open / 2 : 1), err);
		if (rc == RC_OK && !c->gave_up)
			rc = kill_one(c, records * (k + 1) / portions, err);
	}
	if (rc == RC_OK)
		rc = wait_answers(c, records, err);
	if (rc == RC_OK)
		cli_progress_end(&c->bar);
	return rc;
}

/* ---- before and after ------------------------------------------------------------------------------------------------ */

static const char how[] =
    "demo --kill needs a real Kafka broker. Ways to one:\n"
    "  pointsman demo --kill --brokers HOST:PORT       a broker that you have (or name it in KAFKA_BROKERS)\n"
    "  docker run --rm -p 9092:9092 apache/kafka:4.1.1  one in a container; it is found at localhost:9092\n"
    "  tests/scripts/kafka.sh start /tmp/kafka         in the source tree: one without containers; prints its HOST:PORT\n";

static enum rc find_broker(struct course *c, struct err *err)
{
	const char *named = getenv("KAFKA_BROKERS");
	c->brokers = c->asked->brokers != NULL ? c->asked->brokers : named != NULL && named[0] != '\0' ? named : "localhost:9092";
	c->models.kafka.brokers = str_of(c->brokers);
	enum rc rc = topics_open(&c->models, FIND_MS, &c->topics, err);
	if (rc != RC_OK)
		fputs(how, stderr);
	return rc;
}

static enum rc make_topics(struct course *c, struct err *err)
{
	enum rc rc = RC_OK;
	int64_t until_us = clock_mono_us() + ASK_MS * 1000;
	for (unsigned i = 0; i < TOPICS && rc == RC_OK; i++) {
		const char *name = arena_printf(&c->models.arena, "%s.%s", demo_crew_name(c->crew), suffixes[i]).data;
		int partitions = 0;
		rc = topics_create(c->topics, name, PARTITIONS, 0, err);
		c->topics_made = i + 1;
		while (rc == RC_OK && partitions == 0 && clock_mono_us() < until_us) {
			rc = topics_partitions(c->topics, name, &partitions, err);
			(void)usleep(LOOK_MS * 1000); /* a shorter sleep does no harm */
		}
	}
	return rc;
}

static enum rc prepare(struct course *c, struct err *err)
{
	const char *outputs[2];
	enum rc rc = signals_open(&c->signals, err);
	if (rc == RC_OK)
		(void)signals_next(c->signals, 0); /* from here on they are looked at, and what was made is removed */
	if (rc == RC_OK)
		rc = find_broker(c, err);
	if (rc == RC_OK)
		rc = demo_feed_open(c->asked->folder, &c->feed, err);
	if (rc == RC_OK)
		rc = demo_world_models(&c->models, &c->world, err);
	if (rc == RC_OK)
		rc = demo_crew_new(&(struct demo_crew_plan){&c->models, c->brokers, c->asked->instance}, &c->crew, err);
	if (rc == RC_OK)
		rc = settings_load(demo_crew_config(c->crew), &c->settings, err);
	if (rc == RC_OK)
		rc = make_topics(c, err);
	if (rc == RC_OK)
		rc = plain_writer_open(&c->settings, &c->writer, err);
	if (rc != RC_OK)
		return rc;
	outputs[0] = arena_cstr(&c->settings.arena, c->settings.output.responses);
	outputs[1] = arena_cstr(&c->settings.arena, c->settings.output.decisions);
	return plain_reader_open(&c->settings, outputs, 2, &c->reader, err);
}

static void delete_topics(struct course *c)
{
	if (c->asked->keep && c->topics_made != 0)
		fprintf(stderr, "kept: topics %s.* and nothing else\n", demo_crew_name(c->crew));
	for (unsigned i = 0; i < c->topics_made && !c->asked->keep; i++) {
		struct err err;
		const char *name = arena_printf(&c->models.arena, "%s.%s", demo_crew_name(c->crew), suffixes[i]).data;
		if (topics_delete(c->topics, name, &err) != RC_OK)
			(void)cli_fail(&err, EXIT_FAILED); /* what happened before decides the code */
	}
}

static void end(struct course *c)
{
	plain_reader_close(c->reader);
	plain_writer_close(c->writer);
	if (c->crew != NULL)
		demo_crew_stop(c->crew);
	delete_topics(c);
	demo_crew_free(c->crew);
	demo_world_stop(c->world);
	demo_feed_close(c->feed);
	topics_close(c->topics);
	settings_free(&c->settings);
	settings_free(&c->models);
	signals_close(c->signals);
}

static enum rc judge(struct course *c, int *ret_code, struct err *err)
{
	struct demo_kill_figures figures = {.brokers = c->brokers, .in = c->fed, .kills = c->kills, .instance = c->asked->instance,
	                                    .longest_pause_ms = c->longest_pause_us / 1000};
	demo_crew_stop(c->crew);
	enum rc rc = demo_world_calls(c->world, &figures.calls, &figures.repeated_calls, err);
	return rc == RC_OK ? demo_kill_report(&c->settings, &figures, c->asked->json, ret_code, err) : rc;
}

int demo_kill(const struct command *self, const struct demo_kill_asked *asked)
{
	struct err err;
	struct course course = {.asked = asked};
	char config[4200];
	(void)snprintf(config, sizeof config, "%s/pointsman.yaml", asked->folder); /* fits */
	int code = cli_settings(self, config, &course.models);
	if (code != EXIT_DONE)
		return code;
	enum rc rc = prepare(&course, &err);
	if (rc == RC_OK)
		rc = play(&course, &err);
	if (rc == RC_OK)
		rc = judge(&course, &code, &err);
	if (rc != RC_OK)
		code = cli_fail(&err, EXIT_FAILED);
	end(&course);
	return code;
}
