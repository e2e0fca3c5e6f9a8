/* SPDX-License-Identifier: BSD-3-Clause */
/* The program that drawer.h starts. */
#include "drawer.h"

int
main(void)
{
    return nbp_drawer_serve(0, 1);
}
