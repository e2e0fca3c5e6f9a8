/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that libraries allocate on their own: malloc() and its kin, mmap() and
 * munmap(), seen by exchanging them in the import tables of all libraries. Counted
 * where Python's allocators are (allochooks.h), which themselves call malloc(): what
 * they ask for is theirs alone.
 *
 * A library that another one loads is looked through when its thread next allocates. */
#ifndef NBP_NATIVE_H
#define NBP_NATIVE_H

/* Exchanges the functions, or puts them back; twice is once. The GIL is held. */
void nbp_native_start(void);
void nbp_native_stop(void);

/* Looks through what was loaded meanwhile, if the functions are exchanged. */
void nbp_native_renew(void);

#endif /* NBP_NATIVE_H */
