/*
 * stage.c: the table of stages. A new stage is its own file and one line here.
 */
#include "worker/route/stage.h"

const struct stage_ops *const stage_table[] = {
	&rules_stage,
	&semantic_stage,
	&classifier_stage,
	&llm_stage,
	&outlier_stage,
	&difficulty_stage,
	NULL,
};

const struct stage_ops *stage_find(struct str name)
{
	for (unsigned i = 0; stage_table[i] != NULL; i++)
		if (str_is(name, stage_table[i]->name))
			return stage_table[i];
	return NULL;
}
