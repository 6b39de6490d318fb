/* The plans: how a training or a pass through a network is run, and how a search is. Each is a pure function of a
   request, with every constant that was tuned for it beside it: plan_train.c and plan_search.c. */
#ifndef FNN_PLAN_H
#define FNN_PLAN_H

#include "plan_search.h"
#include "plan_train.h"

#endif
