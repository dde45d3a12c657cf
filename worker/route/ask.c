/*
 * ask.c: a stage's question to a model, and the ways it comes to nothing.
 *
 * The one idea: a question that failed decides nothing, whatever came back; the next stage or when_unsure goes on, and the decision
 * is not kept, because a minute later the same question may well be answered.
 */
#include "worker/route/ask.h"

#include <math.h>

enum rc ask_open(struct stage_setup *setup, const struct ask_settings *settings, struct ask *ret, struct err *err)
{
	int index = -1;
	enum rc rc = policy_refer_model(setup->settings, settings->model, &index, err);
	if (rc != RC_OK)
		return rc;
	const struct model_settings *model = &setup->settings->models[index];
	canon_str(setup->canon, model->name);
	canon_str(setup->canon, model->model);
	for (uint32_t i = 0; i < model->params_set.count; i++) {
		canon_str(setup->canon, model->params_set.items[i].name);
		canon_str(setup->canon, model->params_set.items[i].value);
	}
	*ret = (struct ask){(uint16_t)index, settings->timeout_ms, settings->attempts};
	setup->policy->asks = true;
	return RC_OK;
}

bool ask_begin(const struct ask *ask, struct stage_turn *turn, enum purpose purpose)
{
	struct job *job = turn->job;
	if (!decision_allows(&job->dec, ask->model)) {
		job->dec.uncacheable = true;
		turn->trace->asked = "guard";
		turn->trace->reason = STR("a guard keeps the text from the model that would be asked");
		return false;
	}
	job->call = (struct call){
		.purpose = purpose,
		.models = &ask->model,
		.model_count = 1,
		.temperature = NAN,
		.timeout_ms = ask->timeout_ms,
		.attempts_left = ask->attempts,
		.model = -1,
	};
	return true;
}

enum verdict ask_useless(struct stage_turn *turn, const char *asked, struct str reason)
{
	turn->degraded = true;
	turn->trace->asked = asked;
	turn->trace->reason = reason;
	return VERDICT_FAILED;
}

bool ask_answered(struct stage_turn *turn)
{
	const struct call *call = &turn->job->call;
	turn->trace->cost_usd = isfinite(call->cost_usd) ? call->cost_usd : 0;
	if (call->outcome == OUTCOME_OK)
		return true;
	struct str why = call->message.data != NULL ? call->message : str_of(outcome_info(call->outcome)->doc);
	bool late = call->outcome == OUTCOME_EXPIRED;
	if (late)
		why = arena_printf(&turn->job->arena, "no answer within %lld ms; %.*s", (long long)call->timeout_ms, STR_ARG(why));
	(void)ask_useless(turn, late ? "late" : outcome_info(call->outcome)->name, why); /* the verdict is the caller's */
	return false;
}
