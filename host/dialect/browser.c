/* SPDX-License-Identifier: MIT */
/* Web pages at the door of a host without keys.
 *
 * Where everybody on this machine may ask, a browser may, too, and with it
 * every page it shows: a page can send a POST to a loopback address unasked,
 * and one whose name is made to resolve to 127.0.0.1 (DNS rebinding) can read
 * the answers.  A browser says where a page is from (Origin) and by what name
 * it believes to have reached us (Host).  Programs send no Origin, and reach a
 * loopback address by that or by a name of this machine. */
#include <string.h>

#include "base/str.h"
#include "dialect/dialog.h"

/* "host:port" or "[six]:port" -> host, without the brackets; *six. */
static pbay_str host_of(pbay_str authority, bool *six)
{
    pbay_str rest = authority;

    *six = authority.n && authority.p[0] == '[';
    if (!*six)
        return str_cut(&rest, ':');
    rest = str_n(authority.p + 1, authority.n - 1);
    return str_cut(&rest, ']');
}

static bool is_four(pbay_str host)
{
    for (size_t i = 0; i < host.n; i++)
        if ((host.p[i] < '0' || host.p[i] > '9') && host.p[i] != '.')
            return false;
    return host.n > 0;
}

static bool is_localhost(pbay_str host)
{
    static const char end[] = ".localhost";
    size_t n = sizeof(end) - 1;

    return str_ieq(host, STR("localhost")) ||
           (host.n > n &&
            str_ieq(str_n(host.p + host.n - n, n), str_n(end, n)));
}

/* Can only this machine or its own network have given out that name?  Whoever
 * makes a name resolve to us must own one, and that has a dot in it. */
static bool plausible(pbay_str authority)
{
    bool six;
    pbay_str host = host_of(authority, &six);

    return six || is_four(host) || is_localhost(host) || !host.n ||
           !memchr(host.p, '.', host.n);
}

static bool loopback(pbay_str authority)
{
    bool six;
    pbay_str host = host_of(authority, &six);

    if (six)
        return str_is(host, "::1");
    return is_localhost(host) || (is_four(host) && str_starts(host, "127."));
}

/* Pages only: what runs in an application of its own has other schemes. */
static bool foreign(pbay_str origin, pbay_str host)
{
    pbay_str rest = origin;

    if (!origin.n)
        return false;
    if (str_starts(origin, "http://"))
        rest = str_n(origin.p + 7, origin.n - 7);
    else if (str_starts(origin, "https://"))
        rest = str_n(origin.p + 8, origin.n - 8);
    else
        return str_is(origin, "null");
    return !loopback(rest) && !str_ieq(rest, host);
}

int dl_from_here(const struct dialog *x, struct err *e)
{
    pbay_str host = http_header(x->req->head, "host");
    pbay_str origin = http_header(x->req->head, "origin");

    if (str_is(x->req->peer, "unix"))
        return 0;
    if (!plausible(host)) {
        err_set(e, ERR_CLIENT_RIGHT,
                "\"%.*s\" is not a name of this machine; to serve under it, "
                "configure client keys, or auth = \"none\"",
                STR_ARG(host));
        return -1;
    }
    if (foreign(origin, host)) {
        err_set(e, ERR_CLIENT_RIGHT,
                "a web page of \"%.*s\" may not ask without a key; configure "
                "client keys, or auth = \"none\"",
                STR_ARG(origin));
        return -1;
    }
    return 0;
}
