/* SPDX-License-Identifier: MIT */
/* The plugin itself: the one exported function, the table it returns, and the
 * manifest in an ELF note.
 *
 * A plugin file exports exactly one symbol, pbay_provider_entry.  It carries its
 * manifest twice: as an ELF note (owner "Patchbay", type 1), which the host
 * reads before any code of the plugin runs, and in the table.  Both must be the
 * same bytes; PBAY_PLUGIN_NOTE() makes the note from the literal.
 *
 * The manifest is a JSON object:
 *
 *   "abi"       "MAJOR.MINOR" this plugin was built for (required)
 *   "id"        [a-z][a-z0-9_-]{0,31}, also the file's name (required)
 *   "version"   of the plugin (required)
 *   "license"   SPDX expression (required)
 *   "name"      for people
 *   "kind"      "codec" or "native" (required)
 *   "aliases"   other names of the type: ["anthropic"]
 *   "local"     true: runs on this machine, costs nothing, needs no key
 *   "base_url"  default base URL; without one the instance must name it
 *   "base_urls" {"name": url}: further base URLs (pbay_exchange.base)
 *   "env"       {"OPENAI_API_KEY": "api_key"}: environment variables and the
 *               configuration key that each one fills
 *   "needs"     what an instance made from the environment must have, any one
 *               of: ["api_key", "base_url"]; empty or absent: always set up
 *   "own"       members of a request that mean something of the provider's own,
 *               where the host would read them itself: ["models"].  They stay
 *               in the bodies it gets, and the host leaves them alone
 *   "models"    [{"match": "gpt-*", "capabilities": [..], "context_window": n,
 *               "max_output": n}]: names this provider is known to serve, as
 *               glob patterns, first match wins
 *   "embeddings" {"max_inputs": n, "max_tokens": n}: what one embedding request
 *               may have in all; the host asks for more in parts
 *   "keys"      the plugin's own configuration keys:
 *               [{"name", "type": "string"|"int"|"float"|"bool"|"duration"|
 *               "size"|"secret"|"strings", "default"?, "unit"?, "min"?, "max"?,
 *               "choices"?: [..], "doc"}].  The name: [a-z][a-z0-9_]{0,63},
 *               none of the host's own keys of a provider, which
 *               patchbay.conf(5) lists.  The default as a user would write it
 *               ("30s", "64K", ["a"]); a secret has none.  min and max are
 *               numbers, of durations in milliseconds, of sizes in bytes.
 *               choices are for strings.
 *
 * At most 64 KiB; a member that is not listed here is refused.
 *
 * The host hands create() the checked values of "keys" as a JSON object: a
 * duration as a number of milliseconds, a size of bytes, "strings" as a list; a
 * key without a default is absent unless it is configured.  base_url, api_key
 * and the other keys of the host's own are not in it.
 */
#ifndef PATCHBAY_PLUGIN_H
#define PATCHBAY_PLUGIN_H

#include <patchbay/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PBAY_MAGIC 0x59414250u /* "PBAY" in little-endian order */

/* pbay_plugin.flags */
enum {
    /* The mapping may be removed after destroy(): no thread-local destructor,
     * atexit() handler or thread of the plugin outlives it. */
    PBAY_F_UNLOADABLE = 1
};

typedef struct pbay_plugin {
    /* These 16 bytes never change, in any major. */
    uint32_t magic; /* PBAY_MAGIC */
    uint32_t size;
    uint16_t abi_major, abi_minor;
    uint32_t flags;
    pbay_str manifest;
    /* [admin] Make an instance.  config: the JSON object described above;
     * `host` stays valid until destroy() has returned.  *inst may stay NULL.
     * On failure log why and return PBAY_FAIL; destroy() is then not called.
     * Must not wait for anything. */
    pbay_rc (*create)(const pbay_host *host, pbay_str config, void **inst);
    /* [admin] No call of the instance is running any more. */
    void (*destroy)(void *inst);
    /* [any] The table of an extension (PBAY_EXT_*), NULL if there is none: the
     * same pointer each time, valid until destroy(). */
    const void *(*extension)(void *inst, pbay_str id);
} pbay_plugin;

/* The exported function.  Gets the host's ABI, returns the table whatever that
 * is, never NULL: the host compares, refuses, and says why.  [any] */
typedef const pbay_plugin *pbay_entry_fn(uint32_t host_major,
                                         uint32_t host_minor);

/* In front of the function's declaration: visible also with
 * -fvisibility=hidden, and with C linkage in C++. */
#ifdef __cplusplus
#define PBAY_LINKAGE extern "C"
#else
#define PBAY_LINKAGE
#endif
#if defined(__GNUC__)
#define PBAY_EXPORT PBAY_LINKAGE __attribute__((visibility("default")))
#else
#define PBAY_EXPORT PBAY_LINKAGE
#endif

/* PBAY_BUNDLED is defined only by a build that links plugins into the host
 * (libltdl's preloading wants a name of its own for each). */
#if defined(PBAY_BUNDLED) && !defined(PIC)
#define PBAY_ENTRY(name) name##_LTX_pbay_provider_entry
#else
#define PBAY_ENTRY(name) pbay_provider_entry
#endif

#define PBAY_NOTE_OWNER "Patchbay"
#define PBAY_NOTE_MANIFEST 1u

/* Once per plugin, at file scope: the ELF note with the manifest literal.  The
 * note's text ends with the literal's NUL, which is not part of the manifest. */
#define PBAY_PLUGIN_NOTE(literal)                                            \
    __attribute__((used, section(".note.patchbay"), aligned(4)))            \
    static const struct {                                                    \
        uint32_t namesz, descsz, type;                                       \
        char name[12];                                                       \
        char desc[(sizeof(literal) + 3) / 4 * 4];                            \
    } pbay_plugin_note = {sizeof(PBAY_NOTE_OWNER), sizeof(literal),          \
                          PBAY_NOTE_MANIFEST, PBAY_NOTE_OWNER, literal}

PBAY_ASSERT(offsetof(pbay_plugin, flags) == 12, "frozen head");

#ifdef __cplusplus
}
#endif
#endif
