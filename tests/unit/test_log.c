/* test_log.c: lines as they leave the process, read back from a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"

struct fixture {
	int ends[2];
	struct arena arena;
	char text[65536];
};

static int set_up(void **state)
{
	struct fixture *f = heap_zalloc(1, sizeof *f);
	arena_init(&f->arena, 0);
	*state = f;
	return pipe2(f->ends, O_CLOEXEC | O_NONBLOCK);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	close(f->ends[0]);
	close(f->ends[1]);
	arena_free(&f->arena);
	free(f);
	return 0;
}

/* All that was written since the last call. */
static struct str written(struct fixture *f)
{
	size_t len = 0;
	ssize_t n;
	while ((n = read(f->ends[0], f->text + len, sizeof f->text - len)) > 0)
		len += (size_t)n;
	return (struct str){f->text, len};
}

/* The line without its time, which is checked for its shape. */
static struct str without_time(struct str line, bool json)
{
	struct str lead = json ? STR("{\"time\":\"") : STR("time=");
	assert_true(str_starts(line, lead));
	static const char shape[] = "0000-00-00T00:00:00.000Z";
	for (size_t i = 0; i < sizeof shape - 1; i++) {
		char c = line.data[lead.len + i];
		assert_true(shape[i] == '0' ? c >= '0' && c <= '9' : c == shape[i]);
	}
	size_t skip = lead.len + sizeof shape - 1 + (json ? 2 : 1);
	return (struct str){line.data + skip, line.len - skip};
}

static void a_line_is_logfmt_or_json(void **state)
{
	struct fixture *f = *state;
	struct log *log = log_open(f->ends[1], LOG_DEBUG, LOG_LOGFMT);
	log_info(log, "stream", "partition assigned", LOG_S("topic", STR("a b")), LOG_I("partition", 3), LOG_F("lag", 0.5), LOG_C("who", "x=\"y\"\n"),
	         LOG_C("none", NULL), LOG_C("empty", ""));
	assert_true(str_eq(without_time(written(f), false), STR("level=info room=stream event=\"partition assigned\" topic=\"a b\" partition=3 lag=0.5 "
	                                                       "who=\"x=\\\"y\\\"\\n\" none=- empty=\"\"\n")));
	log_close(log);
	log = log_open(f->ends[1], LOG_DEBUG, LOG_AUTO); /* a pipe is no terminal */
	log_error(log, "cache", "down", LOG_S("why", STR("a\tb")), LOG_I("n", INT64_MIN), LOG_C("none", NULL));
	assert_true(str_eq(without_time(written(f), true),
	                   STR("\"level\":\"error\",\"room\":\"cache\",\"event\":\"down\",\"why\":\"a\\tb\",\"n\":-9223372036854775808,\"none\":null}\n")));
	log_close(log);
	log_close(NULL);
}

static void lower_levels_and_no_log_are_silent(void **state)
{
	struct fixture *f = *state;
	struct log *log = log_open(f->ends[1], LOG_WARN, LOG_JSON);
	log_info(log, "r", "quiet", LOG_I("n", 1));
	log_debug(NULL, "r", "nobody", LOG_I("n", 1));
	log_write(NULL, LOG_ERROR, "r", "nobody", NULL, 0);
	assert_int_equal(written(f).len, 0);
	assert_true(log_wants(log, LOG_ERROR) && !log_wants(log, LOG_INFO) && !log_wants(NULL, LOG_ERROR));
	log_write(log, LOG_WARN, "r", "bare", NULL, 0);
	assert_true(str_eq(without_time(written(f), true), STR("\"level\":\"warn\",\"room\":\"r\",\"event\":\"bare\"}\n")));
	log_close(log);
}

static void hostile_values_stay_one_json_line_of_bounded_length(void **state)
{
	struct fixture *f = *state;
	struct log *log = log_open(f->ends[1], LOG_DEBUG, LOG_JSON);
	char control[3000], broken[] = "a\xff\xfe\nz", wide[3001];
	for (size_t i = 0; i < sizeof control; i++)
		control[i] = (char)(i % 32);
	for (size_t i = 0; i + 3 <= sizeof wide; i += 3)
		memcpy(wide + i, "\xe6\xbc\xa2", 3);
	log_warn(log, "r", "hostile", LOG_S("control", ((struct str){control, sizeof control})), LOG_C("broken", broken),
	         LOG_S("wide", ((struct str){wide, 3000})));
	struct str line = written(f);
	const struct json *j;
	struct err err = {""};
	if (json_parse(&f->arena, line, (struct json_limits){0}, &j, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_ptr_equal(memchr(line.data, '\n', line.len), line.data + line.len - 1);
	assert_int_equal(json_str(json_get(j, STR("control"))).len, 1024);
	assert_true(str_eq(json_str(json_get(j, STR("broken"))), STR("a??\nz")));
	assert_int_equal(json_str(json_get(j, STR("wide"))).len, 1023); /* no character is split */
	log_close(log);
}

static void one_event_is_held_back_and_counted_while_others_go_on(void **state)
{
	struct fixture *f = *state;
	struct log *log = log_open(f->ends[1], LOG_DEBUG, LOG_JSON);
	enum { WRITTEN = 3000 };
	for (int i = 0; i < WRITTEN; i++)
		log_info(log, "r", "often", LOG_I("i", i));
	log_info(log, "r", "seldom", LOG_I("i", 0));
	usleep(1100000); /* into the next second */
	log_info(log, "r", "often", LOG_I("i", WRITTEN));
	struct str text = written(f);
	int64_t lines = 0, held_back = 0, seldom = 0;
	while (text.len != 0) {
		size_t len = (size_t)((const char *)memchr(text.data, '\n', text.len) - text.data) + 1;
		const struct json *j;
		int64_t n;
		assert_int_equal(json_parse(&f->arena, (struct str){text.data, len}, (struct json_limits){0}, &j, NULL), RC_OK);
		if (str_is(json_str(json_get(j, STR("event"))), "often"))
			lines++;
		else
			seldom++;
		if (json_i64(json_get(j, STR("suppressed")), &n))
			held_back += n;
		text = (struct str){text.data + len, text.len - len};
	}
	assert_int_equal(lines + held_back, WRITTEN + 1);
	assert_in_range(lines, 11, WRITTEN / 2); /* ten in each second that this took, and the last */
	assert_int_equal(seldom, 1);
	log_close(log);
}

static void *write_lines(void *arg)
{
	static const char *const events[] = {"a", "b", "c", "d"};
	for (int i = 0; i < 40; i++)
		log_info(arg, "thread", events[i % 4], LOG_C("text", "0123456789012345678901234567890123456789"));
	return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
	struct fixture *f = *state;
	struct log *log = log_open(f->ends[1], LOG_DEBUG, LOG_JSON);
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, log), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	struct str text = written(f);
	unsigned lines = 0;
	while (text.len != 0) {
		size_t len = (size_t)((const char *)memchr(text.data, '\n', text.len) - text.data) + 1;
		const struct json *j;
		assert_int_equal(json_parse(&f->arena, (struct str){text.data, len}, (struct json_limits){0}, &j, NULL), RC_OK);
		text = (struct str){text.data + len, text.len - len};
		lines++;
	}
	assert_in_range(lines, 40, 160);
	log_close(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_is_logfmt_or_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lower_levels_and_no_log_are_silent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hostile_values_stay_one_json_line_of_bounded_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_event_is_held_back_and_counted_while_others_go_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lines_of_several_threads_do_not_mix, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
