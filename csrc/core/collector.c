/* SPDX-License-Identifier: BSD-3-Clause */
#include "collector.h"

#include <zmq.h>

void
nbp_collector_zmq_version(int *major, int *minor, int *patch)
{
    zmq_version(major, minor, patch);
}
