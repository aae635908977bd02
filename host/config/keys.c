/* SPDX-License-Identifier: MIT */
/* The key table: every key the host knows, with type, default, bounds and what
 * it is for.  Reading, `config show`, `config init` and the test of the manual
 * page go by it.  Defaults repeat base/limits.h as people write them; a test
 * compares the two.  A name of "*" stands for names that the user chooses. */
#include "config/parts.h"

#include "base/limits.h"

#define S(n)   1000.0 * (n)
#define MIN(n) 60000.0 * (n)
#define HRS(n) 3600000.0 * (n)
#define KIB(n) 1024.0 * (n)
#define MIB(n) 1048576.0 * (n)
#define GIB(n) 1073741824.0 * (n)

static const struct cfg_key keys[] = {
    /* --- server --- */
    {"server", "listen", KEY_STRINGS, "127.0.0.1:8080", "address", NULL, 0, 0,
     "Where clients connect: ADDRESS:PORT or unix:/PATH; one, a list, or a "
     "list of groups (server.listen[])."},
    {"server", "auth", KEY_STRING, "auto", NULL, "auto|keys|none", 0, 0,
     "Who may ask. auto: keys if any is configured, else anybody on this "
     "machine; keys: only clients with a key; none: anybody."},
    {"server", "environment", KEY_STRING, "fill", NULL, "fill|add|off", 0, 0,
     "What variables like OPENAI_API_KEY do beside a file. fill: what its "
     "providers lack, or providers if it names none; add: further providers "
     "too; off: nothing."},
    {"server", "strict_models", KEY_BOOL, "false", NULL, NULL, 0, 0,
     "A model's name that several providers have is an error; otherwise the "
     "first configured one answers."},
    {"server", "price_list", KEY_STRING, NULL, "path", NULL, 0, 0,
     "A list of prices in place of the one that is built in."},
    {"server", "max_head", KEY_SIZE, "64K", "bytes", NULL, KIB(1), MIB(16),
     "Request line and headers of one request."},
    {"server", "max_body", KEY_SIZE, "64M", "bytes", NULL, KIB(1), GIB(4),
     "Body of one request."},
    {"server", "max_upload", KEY_SIZE, "512M", "bytes", NULL, KIB(1), GIB(64),
     "Body of one request to the raw door (/raw/...), kept in a file while it "
     "comes."},
    {"server", "max_spool", KEY_SIZE, "2G", "bytes", NULL, MIB(1),
     1024 * GIB(1), "All such files together; further uploads get 503."},
    {"server", "max_connections", KEY_INT, "10000", "connections", NULL, 1,
     1000000, "Open client connections, all event loops together."},
    {"server", "max_calls", KEY_INT, "4096", "calls", NULL, 1, 1000000,
     "Calls under way in one event loop; further ones get 503."},
    {"server", "retry_budget", KEY_INT, "20", "percent", NULL, 0, 1000,
     "Of the requests, so many are asked once more at most, of the same target "
     "(see provider.retry) or of another one that is thought to be down."},
    {"server", "midstream", KEY_STRING, "rescue", NULL, "rescue|error", 0, 0,
     "A streamed answer that breaks after its first word. rescue: another "
     "target of the route goes on with it, if one can; error: it ends with an "
     "error."},
    {"server", "refresh_models", KEY_DURATION, "5m", "seconds", NULL, 1000,
     HRS(24),
     "How often providers are asked which models they have, in the "
     "background."},
    {"server", "max_queue", KEY_INT, "1024", "requests", NULL, 0, 1000000,
     "Requests that wait because others have used up a limit for now; further "
     "ones get 429."},
    {"server", "max_queue_wait", KEY_DURATION, "30s", "seconds", NULL, 0,
     HRS(1), "How long one waits at most; then it gets 429."},
    {"server", "loops", KEY_INT, "0", "threads", NULL, 0, LIM_LOOPS,
     "Event loop threads; 0: one for each processor."},
    {"server", "workers", KEY_INT, "64", "threads", NULL, 1, 4096,
     "Threads for providers that block, at most."},
    {"server", "native_queue", KEY_INT, "1024", "calls", NULL, 0, 1000000,
     "Calls that wait for such a thread; further ones get 503."},
    {"server", "drain", KEY_DURATION, "30s", "seconds", NULL, 0, HRS(24),
     "How long SIGTERM waits for calls that are under way."},
    {"server", "control_socket", KEY_STRING, NULL, "path", NULL, 0, 0,
     "Unix socket for commands to the running host."},
    {"server", "state_dir", KEY_STRING, NULL, "path", NULL, 0, 0,
     "Where the host keeps what outlives it."},
    {"server", "plugin_dirs", KEY_STRINGS, NULL, "path", NULL, 0, 0,
     "Further directories with provider modules, before the installed ones."},
    {"server", "generation_dir", KEY_STRING, NULL, "path", NULL, 0, 0,
     "Where private copies of loaded modules are kept."},
    {"server.listen[]", "address", KEY_STRING, NULL, "address", NULL, 0, 0,
     "ADDRESS:PORT or unix:/PATH."},
    {"server.listen[]", "tls", KEY_BOOL, NULL, NULL, NULL, 0, 0,
     "Speak TLS here. Without it: TCP listeners do if server.tls names a "
     "certificate."},
    {"server.listen[]", "auth", KEY_STRING, NULL, NULL, "auto|keys|none", 0, 0,
     "As server.auth, for this listener; that one's value without it."},
    {"server.timeouts", "idle", KEY_DURATION, "75s", "seconds", NULL, S(1),
     HRS(24), "A connection that is kept without a request."},
    {"server.timeouts", "head", KEY_DURATION, "15s", "seconds", NULL, S(1),
     HRS(1),
     "From the first byte of a request to the end of its "
     "headers."},
    {"server.timeouts", "body", KEY_DURATION, "1m", "seconds", NULL, S(1),
     HRS(1), "A body of which no byte comes."},
    {"server.timeouts", "write", KEY_DURATION, "2m", "seconds", NULL, S(1),
     HRS(24), "A client that takes nothing of its answer."},
    {"server.tls", "certificate", KEY_STRING, NULL, "path", NULL, 0, 0,
     "PEM file with the certificate and its chain."},
    {"server.tls", "key", KEY_STRING, NULL, "path", NULL, 0, 0,
     "PEM file with the private key."},
    /* --- log --- */
    {"log", "level", KEY_STRING, "info", NULL, "error|warn|info|debug", 0, 0,
     "The least important lines that are written; debug shows each attempt."},
    {"log", "format", KEY_STRING, "text", NULL, "text|json", 0, 0,
     "Lines for people or one JSON object a line."},
    /* --- cache --- */
    {"cache", "enabled", KEY_BOOL, "false", NULL, NULL, 0, 0,
     "Answer a request that is the same, byte for byte, as an earlier one with "
     "that one's answer."},
    {"cache", "coalesce", KEY_BOOL, "false", NULL, NULL, 0, 0,
     "Let requests that are the same and under way at the same time share one "
     "answer."},
    {"cache", "per_key", KEY_BOOL, "true", NULL, NULL, 0, 0,
     "Clients with different keys do not share answers."},
    {"cache", "ttl", KEY_DURATION, "5m", "seconds", NULL, S(1), HRS(24 * 30),
     "How long an answer is good for."},
    {"cache", "max_size", KEY_SIZE, "64M", "bytes", NULL, KIB(64), GIB(64),
     "All answers kept together; the one unused for longest goes first."},
    {"cache", "max_entry", KEY_SIZE, "1M", "bytes", NULL, KIB(1), GIB(1),
     "One answer; a larger one is neither kept nor joined."},
    /* --- structured_output --- */
    {"structured_output", "check", KEY_STRING, "repair", NULL,
     "off|warn|error|repair", 0, 0,
     "Check the answers that a JSON schema was asked for. repair: what does not "
     "match is asked for once more, then it is an error; error: it is one at "
     "once; warn: it is passed on with a warning."},
    {"structured_output", "streams", KEY_STRING, "error", NULL,
     "warn|error|hold", 0, 0,
     "Streamed answers, of which much is sent before all is known. error: they "
     "end with an error in place of their end; warn: the log has a line; hold: "
     "nothing is sent before the answer is whole and has been checked."},
    {"structured_output", "unsupported", KEY_STRING, "refuse", NULL,
     "refuse|pass", 0, 0,
     "Schemas with keywords that are not checked here. refuse: the request is "
     "an error that names the keyword; pass: the answer goes unchecked, with a "
     "warning."},
    /* --- backends --- */
    {"backends", "max_processes", KEY_INT, "4", "processes", NULL, 1, 64,
     "Processes that are run for providers at once; for another one the one "
     "unused for longest ends."},
    {"backends", "max_memory", KEY_SIZE, "0", "bytes", NULL, 0, GIB(1 << 20),
     "What all of them may need together, as their providers estimate it; 0: no "
     "bound."},
    {"backends", "max_waiting", KEY_INT, "256", "requests", NULL, 1, 1000000,
     "Requests that wait until a process is ready; further ones get a 429."},
    {"backends", "max_wait", KEY_DURATION, "10m", "seconds", NULL, S(1),
     HRS(24), "How long a request waits for that."},
    {"backends", "stop_time", KEY_DURATION, "10s", "seconds", NULL, 1, HRS(1),
     "What a process has to end when it is told to; then it is killed."},
    /* --- text --- */
    {"text", "window", KEY_INT, "8192", "tokens", NULL, 512, 100000000,
     "Summaries and translations: the context window of models of which none "
     "is known. Longer texts are taken piece by piece."},
    {"text", "max_chunks", KEY_INT, "200", "pieces", NULL, 1, 10000,
     "Pieces of one text; longer ones are refused."},
    {"text", "parallel", KEY_INT, "4", "requests", NULL, 1, 16,
     "Pieces of one text that are asked about at once."},
    /* --- routes, aliases --- */
    {"routes[]", "name", KEY_STRING, NULL, NULL, NULL, 0, 0,
     "What clients send as model; \"default\" is for requests without one."},
    {"routes[]", "targets", KEY_STRINGS, NULL, "provider/model", NULL, 0, 0,
     "Who may answer, in this order; a provider alone stands for its default "
     "model."},
    {"routes[]", "strategy", KEY_STRING, "fallback", NULL,
     "fallback|round_robin|weighted|least_connections|least_tokens|fastest|"
     "least_cost|cheapest_free_first|capability|complexity|split",
     0, 0,
     "Which target is tried first; the others follow when it fails."},
    {"routes[]", "when", KEY_STRINGS, NULL, "condition", NULL, 0, 0,
     "Which requests each target is for, one for each; \"always\": all."},
    {"routes[]", "sticky", KEY_BOOL, "false", NULL, NULL, 0, 0,
     "A conversation stays with the target that it began with."},
    {"routes[]", "weights", KEY_STRINGS, NULL, "number", NULL, 0, 0,
     "weighted and split: how often each target is tried first, one for each; 0: "
     "only when others fail. Without them, the weights of the providers."},
    {"routes[]", "arms", KEY_STRINGS, NULL, "name", NULL, 0, 0,
     "split: what the share of each target is called in results; without them "
     "as the targets."},
    {"routes[]", "split_by", KEY_STRING, "conversation", NULL,
     "conversation|user|key|request", 0, 0,
     "split: who stays in the arm that they are in."},
    {"aliases[]", "name", KEY_STRING, NULL, NULL, NULL, 0, 0,
     "What clients send as model."},
    {"aliases[]", "model", KEY_STRING, NULL, NULL, NULL, 0, 0,
     "The name that it stands for, provider/model say."},
    /* --- keys --- */
    {"keys[]", "name", KEY_STRING, NULL, NULL, NULL, 0, 0,
     "What the key is called in logs and reports."},
    {"keys[]", "sha256", KEY_SECRET, NULL, "hex digits", NULL, 0, 0,
     "SHA-256 of the key, as \"patchbay key new\" prints it."},
    {"keys[]", "rights", KEY_STRINGS, "chat", NULL,
     "chat|routes|raw|models|reports|admin", 0, 0,
     "What clients with this key may do; admin: everything."},
    {"keys[].limits", "requests_per_minute", KEY_INT, "0", "requests", NULL, 0,
     1000000000, "Requests with this key in any minute; 0: no limit."},
    {"keys[].limits", "tokens_per_minute", KEY_INT, "0", "tokens", NULL, 0,
     1000000000,
     "Tokens of these, estimated before and counted after; 0: "
     "no limit."},
    {"keys[].limits", "concurrent", KEY_INT, "0", "requests", NULL, 0, 1000000,
     "Requests with this key at once; 0: no limit."},
    /* --- providers --- */
    {"provider", "type", KEY_STRING, NULL, NULL, NULL, 0, 0,
     "The module that speaks to it; without it the provider's own name."},
    {"provider", "enabled", KEY_BOOL, "true", NULL, NULL, 0, 0,
     "false: kept in the file, but not set up."},
    {"provider", "aliases", KEY_STRINGS, NULL, "name", NULL, 0, 0,
     "Other names of it, wherever its own may stand: alias/model, in routes and "
     "commands."},
    {"provider", "weight", KEY_INT, "1", NULL, NULL, 0, CFG_ROUTE_WEIGHT,
     "How often its targets are tried first in routes that go by weights and "
     "say none; 0: only when others fail."},
    {"provider", "base_url", KEY_STRING, NULL, "URL", NULL, 0, 0,
     "Where its API starts; without it the module's own."},
    {"provider", "api_key", KEY_SECRET, NULL, NULL, NULL, 0, 0,
     "The key for it; better \"${VAR}\" or api_key_file."},
    {"provider", "api_key_file", KEY_STRING, NULL, "path", NULL, 0, 0,
     "File that holds the key: in $CREDENTIALS_DIRECTORY, else beside this "
     "file."},
    {"provider", "default_model", KEY_STRING, NULL, NULL, NULL, 0, 0,
     "The model for requests that name the provider alone."},
    {"provider", "models", KEY_STRINGS, NULL, NULL, NULL, 0, 0,
     "Names of models it serves, beside those it lists itself."},
    {"provider", "models_field", KEY_STRING, "auto", NULL,
     "auto|own|fallbacks", 0, 0,
     "The list models in the body of a request. own: the provider reads it, and "
     "gets it as it is; fallbacks: it names models that answer instead, chosen "
     "here; auto: as its module says."},
    {"provider", "check_interval", KEY_DURATION, NULL, "seconds", NULL, 0,
     HRS(24),
     "How often it is looked after by its cheapest call; 0: never. Without it "
     "60s for providers without a key and those of this machine that are run "
     "by oneself, never for others."},
    {"provider", "capabilities", KEY_STRINGS, NULL, "model and words", NULL, 0,
     0, "What its models can do, before what anybody else says."},
    {"provider", "context_windows", KEY_STRINGS, NULL, "model and tokens", NULL,
     0, 0,
     "How much its models hold, before what anybody else says: \"qwen3* 8192\"."},
    {"provider", "rate_headers", KEY_BOOL, "true", NULL, NULL, 0, 0,
     "Avoid its models while its replies say that too little is left of their "
     "rate limits."},
    {"provider", "prices_of", KEY_STRING, NULL, "vendor", NULL, 0, 0,
     "Whose prices of the price list are its; without it, those of the vendor "
     "that base_url leads to; \"none\": nobody's."},
    {"provider", "prices", KEY_STRINGS, NULL, "line of a price list", NULL, 0,
     0, "What its models cost, before anything that a list says."},
    {"provider", "proxy", KEY_STRING, NULL, "URL", NULL, 0, 0,
     "http, https, socks5 or socks5h URL of a proxy; \"none\": no proxy. "
     "Without it https_proxy, http_proxy, all_proxy and no_proxy decide."},
    {"provider", "proxy_auth", KEY_SECRET, NULL, NULL, NULL, 0, 0,
     "USER:PASSWORD for the proxy."},
    {"provider", "unix_socket", KEY_STRING, NULL, "path", NULL, 0, 0,
     "Connect to this socket instead of the host of base_url."},
    {"provider", "http2", KEY_BOOL, "false", NULL, NULL, 0, 0,
     "Use HTTP/2 where the server has it. A paused stream then costs memory "
     "here."},
    {"provider", "max_reply", KEY_SIZE, "64M", "bytes", NULL, KIB(1), GIB(4),
     "A reply that has to be held whole."},
    {"provider", "max_record", KEY_SIZE, "16M", "bytes", NULL, KIB(1), GIB(1),
     "One event of a stream."},
    {"provider", "call_memory", KEY_SIZE, "8M", "bytes", NULL, KIB(64), GIB(1),
     "What the module may allocate for one attempt."},
    {"provider.timeouts", "connect", KEY_DURATION, "10s", "seconds", NULL, 1,
     HRS(1), "Name lookup, TCP and TLS together."},
    {"provider.timeouts", "headers", KEY_DURATION, "0s", "seconds", NULL, 0,
     HRS(24),
     "From the request to the head of the reply, which many send only with the "
     "first token, and for an answer in one piece with its last; 0: no bound "
     "of its own."},
    {"provider.timeouts", "first_token", KEY_DURATION, "2m", "seconds", NULL, 1,
     HRS(24),
     "From the request to the first event of a streamed answer, or the first "
     "byte of one in one piece."},
    {"provider.timeouts", "idle", KEY_DURATION, "2m", "seconds", NULL, 1,
     HRS(24), "Between two pieces of the answer."},
    {"provider.timeouts", "total", KEY_DURATION, "15m", "seconds", NULL, 1,
     HRS(24), "The whole call."},
    {"provider.retry", "max_attempts", KEY_INT, "1", "attempts", NULL, 1, 10,
     "How often it is asked for one request when it is overloaded, out of "
     "reach or breaks off, and no other target is left."},
    {"provider.retry", "backoff", KEY_DURATION, "500ms", "seconds", NULL, 1,
     MIN(1), "The second attempt comes after anything up to this."},
    {"provider.retry", "backoff_factor", KEY_FLOAT, "2", NULL, NULL, 1, 10,
     "What that is multiplied by for each further one."},
    {"provider.retry", "max_backoff", KEY_DURATION, "8s", "seconds", NULL, 1,
     MIN(10),
     "The longest wait; where Retry-After asks for more, the client "
     "is told instead."},
    {"provider.limits", "requests_per_minute", KEY_INT, "0", "requests", NULL,
     0, 1000000000, "Requests to it in any minute; 0: no limit."},
    {"provider.limits", "tokens_per_minute", KEY_INT, "0", "tokens", NULL, 0,
     1000000000,
     "Tokens of these, estimated before and counted after; 0: "
     "no limit."},
    {"provider.limits", "concurrent", KEY_INT, "0", "requests", NULL, 0,
     1000000, "Requests to it at once; 0: no limit."},
    {"provider.model_limits", "requests_per_minute", KEY_INT, "0", "requests",
     NULL, 0, 1000000000,
     "Requests to each model of it in any minute; 0: no limit."},
    {"provider.model_limits", "tokens_per_minute", KEY_INT, "0", "tokens", NULL,
     0, 1000000000,
     "Tokens of these, estimated before and counted after; 0: "
     "no limit."},
    {"provider.model_limits", "concurrent", KEY_INT, "0", "requests", NULL, 0,
     1000000, "Requests to each model of it at once; 0: no limit."},
    {"provider.embedding_limits", "max_inputs", KEY_INT, "0", "inputs", NULL, 0,
     1000000,
     "Embeddings of more are asked for in parts; 0: as its module says."},
    {"provider.embedding_limits", "max_tokens", KEY_INT, "0", "tokens", NULL, 0,
     1000000000, "The same for all its inputs together, by estimate."},
    {"provider.embedding_limits", "concurrent", KEY_INT, "4", "requests", NULL, 1, 64,
     "So many parts of one request at once."},
    {"provider.tls", "ca_file", KEY_STRING, NULL, "path", NULL, 0, 0,
     "PEM file with the authorities to trust instead of the system's."},
    {"provider.tls", "client_certificate", KEY_STRING, NULL, "path", NULL, 0, 0,
     "PEM file with a certificate to show."},
    {"provider.tls", "client_key", KEY_STRING, NULL, "path", NULL, 0, 0,
     "PEM file with its private key, if that is not in the same file."},
    {"provider.tls", "verify", KEY_BOOL, "true", NULL, NULL, 0, 0,
     "false: believe any certificate. Anybody on the way can then read "
     "everything, the key included."},
    {"provider.headers", "*", KEY_STRING, NULL, NULL, NULL, 0, 0,
     "A further header for every request to it."},
    {"provider.model_config[]", "model", KEY_STRING, NULL, NULL, NULL, 0, 0,
     "The model that the rest of the group is for."},
    {"provider.model_config[]", "*", KEY_STRING, NULL, "or any other type",
     NULL, 0, 0,
     "Anything else, of any type, is handed to the module with each request "
     "for that model."},
    {NULL, NULL, KEY_STRING, NULL, NULL, NULL, 0, 0, NULL}};

const struct cfg_key *cfg_keys(void)
{
    return keys;
}
