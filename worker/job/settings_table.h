/*
 * settings_table.h: what the files of the settings share. Private to worker/job/settings*.c.
 */
#ifndef JOB_SETTINGS_TABLE_H
#define JOB_SETTINGS_TABLE_H

#include "worker/job/settings.h"

extern const struct config_option settings_options[];       /* the whole file; fills struct settings */
extern const struct config_option settings_model_options[]; /* one of models; fills struct model_settings */

/* Resolves paths, fills what depends on other settings, and refuses what does not go together. root: the file's map. */
enum rc settings_check(struct settings *settings, const struct node *root, struct err *err);
enum rc settings_check_models(struct settings *settings, const struct node *models, struct err *err);

#endif
