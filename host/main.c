/* SPDX-License-Identifier: MIT */
/* The program: the probe of a module and the guard of a process, which must find
 * nothing initialised, or the command line. */
#include "config.h"

#include <string.h>

#include "cli/cli.h"
#include "module/backend.h"
#include "module/loader.h"

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--probe-module"))
        return loader_probe_main(argv[2]);
    if (argc > 3 && !strcmp(argv[1], "--run-backend"))
        backend_guard_main(argv[2], argv + 3);
    return cli_main(argc, argv);
}
