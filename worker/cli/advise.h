/*
 * advise.h: what the files of `advise` share: the question, what was found, and the advice.
 *
 * Thread: main.
 */
#ifndef CLI_ADVISE_H
#define CLI_ADVISE_H

#include "worker/cli/rows.h"
#include "worker/lab/advise.h"
#include "worker/lab/find_groups.h"
#include "worker/route/route.h"
#include "worker/route/static_model.h"

enum { ADVISE_MAX_LATENCIES = 32, ADVISE_EXAMPLES = 20 };

struct advise_asked {
	const char *config, *dir; /* dir NULL: no draft */
	struct rows_asked rows;
	struct dataset_fields fields;
	struct str latency_names[ADVISE_MAX_LATENCIES];
	double latencies_ms[ADVISE_MAX_LATENCIES];
	uint32_t latency_count;
	int64_t output_tokens, wanted, seed, per_day; /* per_day: of records; 0: not said */
	bool force, json;
};

struct advise_work {
	const struct advise_asked *asked;
	struct settings settings;
	bool has_settings;
	struct policy *policy; /* NULL: its file is not there yet */
	struct rows rows;      /* its arena holds what follows */
	struct static_model *model;
	struct cluster_set *set;
	struct str *texts;     /* by row, as a router reads them */
	uint32_t *row_of;      /* by vector */
	uint32_t vectors;      /* rows with words that the table knows */
	struct found_groups found;
	struct str *names;     /* by group */
	double mean_tokens;
	int capable, cheaper;  /* models */
	uint32_t routes, lone_routes; /* of models; those with one model only */
	bool decisions_there;  /* the topic; true also where nobody was asked */
	struct advise_facts facts;
	struct advice advice;
	uint32_t drafted;      /* routes in the draft; 0: none was written */
	uint32_t picked;       /* rows to label */
};

/* advise_report.c */
void advise_tell(const struct advise_work *w);
void advise_tell_json(const struct advise_work *w);
/* advise_draft.c: policy, examples, configuration and rows to label, into asked->dir. An exit code. */
int advise_draft(struct advise_work *w);

#endif
