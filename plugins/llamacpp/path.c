/* SPDX-License-Identifier: MIT */
/* llamacpp.so: models_dir, as Windows writes it or as this system does. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#include "path.h"

int path_is_wsl(void)
{
    struct utsname u;

    if (uname(&u) < 0)
        return 0;
    for (const char *p = u.release; *p; p++)
        if (strncasecmp(p, "microsoft", 9) == 0)
            return 1;
    return 0;
}

/* "D:" followed by a slash of either kind, or by nothing. */
static int has_drive(const char *s)
{
    return isalpha((unsigned char)s[0]) && s[1] == ':' &&
           (s[2] == '\\' || s[2] == '/' || !s[2]);
}

static void mounted(const char *given, char *to, size_t room)
{
    snprintf(to, room, "/mnt/%c%s%s", tolower((unsigned char)given[0]),
             given[2] ? "/" : "", given[2] ? given + 3 : "");
    for (; *to; to++)
        if (*to == '\\')
            *to = '/';
}

char *path_models_dir(const char *given, int wsl, char *err, size_t room)
{
    size_t n = strlen(given) + sizeof "/mnt/x";
    char *path;

    *err = '\0';
    if (has_drive(given)) {
        path = malloc(n);
        if (path)
            mounted(given, path, n);
        if (wsl || !path)
            return path;
        snprintf(err, room,
                 "models_dir \"%s\" is a path of Windows, and this is not "
                 "Windows' subsystem for Linux: name the directory as this "
                 "system does, as in \"%s\" if the drive is mounted there",
                 given, path);
        free(path);
        return NULL;
    }
    if (strncmp(given, "\\\\", 2) == 0) {
        snprintf(err, room,
                 "models_dir \"%s\" is a share of Windows: mount it, and name "
                 "the directory where it is mounted",
                 given);
        return NULL;
    }
    if (given[0] != '/') {
        snprintf(err, room,
                 "models_dir \"%s\" is not absolute: write it from / on",
                 given);
        return NULL;
    }
    return strdup(given);
}
