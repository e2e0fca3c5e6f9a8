/* SPDX-License-Identifier: BSD-3-Clause */
/* What functions about processes share. */
#ifndef NBP_PROCESSES_H
#define NBP_PROCESSES_H

#include <Python.h>

#include <sys/types.h>

/* Raises what `error` (an errno) says about process `pid`; always NULL. */
PyObject *nbp_raise_for_process(pid_t pid, int error);

/* A process number from `arg` into `*pid`, this process for 0; 0, or -1 with an
 * exception set. */
int nbp_process_number(PyObject *arg, pid_t *pid);

#endif /* NBP_PROCESSES_H */
