/* All of one instruction set's kernels for one REAL, each part after those that it needs. */

#include "vec.h"
#include "activations.h"
#include "optimizers.h"
#include "tiles.h"
#include "groups.h"
#include "lists.h"
#include "pass.h"
#include "network.h"
#include "updates.h"
#include "online.h"
#include "columns.h"
#include "training.h"
