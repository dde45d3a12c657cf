/*
 * train_groups.h: `pointsman train --groups`. Thread: main.
 */
#ifndef CLI_TRAIN_GROUPS_H
#define CLI_TRAIN_GROUPS_H

#include "worker/cli/cli.h"

int train_groups(const struct command *train, int argc, char **argv);

#endif
