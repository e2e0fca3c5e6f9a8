/* SPDX-License-Identifier: BSD-3-Clause */
/* How long the kernel takes at least to give a thread a page of memory, or to take one
 * back: in less time, what is resident cannot have changed by what the thread does. */
#ifndef NBP_PAGETIME_H
#define NBP_PAGETIME_H

#include <stdbool.h>
#include <stdint.h>

/* In ticks (ticks.h), for `has_counter` as there; measured, some 50 us. A quarter of
 * the quickest of many, because the processor may run faster later on than it does now;
 * 0 where it cannot be measured. Thread-safe, allocates nothing. */
int64_t nbp_pagetime_least(bool has_counter);

#endif /* NBP_PAGETIME_H */
