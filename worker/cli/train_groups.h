/*
 * train_groups.h: `pointsman train --groups`. Thread: main.
 */
#ifndef CLI_TRAIN_GROUPS_H
#define CLI_TRAIN_GROUPS_H

#include "worker/cli/cli.h"

/* Whether --groups is among the words. */
bool train_groups_asked(int argc, char **argv);
int train_groups(const struct command *train, int argc, char **argv);

#endif
