/* SPDX-License-Identifier: BSD-3-Clause */
#include "holder.h"

#include "layout.h"

#ifdef NBP_GIL_HOLDER

static PyThreadState *const volatile unknown = NULL;

PyThreadState *const volatile *nbp_holder = &unknown;

void
nbp_holder_find(void)
{
    const PyThreadState *thread = nbp_thread_state();
    PyThreadState *const volatile *place = nbp_layout_holder(thread);
    nbp_holder = *place == thread ? place : &unknown;
}

#else

void
nbp_holder_find(void)
{
}

#endif
