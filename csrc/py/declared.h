/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that libraries allocate on their own and declare to tracemalloc, by
 * PyTraceMalloc_Track() and PyTraceMalloc_Untrack(): arrays of NumPy before 2.5, the
 * hash tables of pandas. Seen by exchanging the two in the import tables of all
 * libraries, and counted as what Python's allocators give; a block that is counted
 * already counts once. */
#ifndef NBP_DECLARED_H
#define NBP_DECLARED_H

/* Exchanges the functions, or puts them back; twice is once. The GIL is held. What is
 * loaded in between is not seen. */
void nbp_declared_start(void);
void nbp_declared_stop(void);

#endif /* NBP_DECLARED_H */
