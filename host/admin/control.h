/* SPDX-License-Identifier: MIT */
/* The control socket: how the command line talks to a running host.
 *
 * A Unix stream socket, never TCP; the peer must be root or the host's own user
 * (SO_PEERCRED).  Protocol, version 1: the client sends one JSON object on a
 * line,
 *
 *   {"v":1,"verb":"chat","args":{...}}
 *
 * the host answers with any number of event lines and one last line:
 *
 *   {"event":"text","choice":0,"text":"Hel"}
 *   {"ok":true,"result":{...}}
 *   {"ok":false,"error":{"kind":"no_model","message":"...","status":404}}
 *
 * after which another request may follow on the same connection.  Closing the
 * connection cancels what is under way.  Lines are at most LIM_CTL_LINE bytes.
 *
 * Verbs of version 1, with args and result:
 *
 *   version   -> {version, abi:"0.1", pid, uptime_ms, config_file}
 *   status    -> {listeners:[..], loops, connections, calls, waiting,
 *                 draining,
 *                 providers:[{name,type,calls,ok,failed,cancelled,active,
 *                 input_tokens,output_tokens,
 *                 cost_nano (USD), unpriced (answers without a known cost)}], backends:[{provider,name,
 *                 state:"waiting"|"starting"|"ready"|"stopping"|"stopped"|
 *                 "failed",pid,port,calls,waiting,starts,failures,memory,
 *                 for_ms,expires_ms,retry_ms,line,reason}],
 *                 targets:[{provider,model,state,failures,failed,of,for_ms,last}],
 *                 rate_limits:[{provider,model,"requests"?:{limit?,left,reset_ms},
 *                 "tokens"?,"input_tokens"?,"output_tokens"?}], cache:{..},
 *                 log_dropped}
 *   plugins   -> {modules:[{id,version,license,abi,kind,path,state,reason,
 *                 generation,aliases,calls,time_us,max_us,slow}]}
 *   providers -> {providers:[{name,type,module,base_url,local,state:"ready"|
 *                 "failed"|"disabled"|"draining"|"drained",reason,default_model,models:[..],ops:[..],
 *                 source,check:"ok, 3 ms"?,checks:[{at_ms,ms,ok,result}]}]}
 *   provider.test {name} -> {ok,detail,ms}: the cheapest authenticated call
 *   provider.reset {name} -> {reset}: forget what keeps requests from it
 *   provider.drain, provider.disable, provider.enable {name} -> {provider,
 *                 state}: nothing new goes there (what is under way ends in
 *                 peace); nor is it looked after; all of it again
 *   route.explain {model?, op?, task?, input_tokens?, body?, key?, headers?} -> {model,reason,route?,targets:[{place,
 *                 provider,model,state:"ready"|"low"|"cooling"|"open"|"held",for_ms,active,
 *                 window,prompt_tokens?,rate_limits:{"requests"?:{limit?,left,
 *                 reset_ms},..},low?:{of,left,limit,needed,enough_ms}}],
 *                 left_out:[{target,why}],overflow?:{next:[..],left_out:[..]}}:
 *                 who would be asked; overflow: if the prompt does not fit
 *   route.results {route?, reset?} -> as GET /v1/routes/results has it; with
 *                 reset they are forgotten after that
 *   models    {provider?, refresh?, search?, free?, sort?, capability?:"a,b"}
 *                 -> {models:[{id:"provider/model",provider,
 *                 model,..canonical item..}], failed:[{provider,reason}]}
 *   chat      {body:{canonical chat body}} -> events, then {report}
 *   embed     {body} -> "vector" events, then {report}
 *   op        {op:"moderate"|"image"|"count"|"credits"|"pull"|.., provider?,
 *                 body} -> "item" events, then {report}; report is null where
 *                 the host itself has counted
 *   http      {} -> {}: HTTP requests, as if a client with all rights had sent
 *                 them to a listener.  Meanwhile the connection takes lines with
 *                 the verb "request" and args {n, method?, path, body?}, of which
 *                 64 may be under way, and at last one with the verb "end".
 *                 Events, by the number n that was given: {"event":"head",n,
 *                 status,headers}, {"event":"data",n,text}, {"event":"over",n,
 *                 whole,report}; report is null where no model was asked
 *   log       {level?} -> {level}: shows and sets the level
 *   config    {json?} -> {text}: as `patchbay config show`
 *   record    {provider, dir} -> {dir}; dir null: stop
 *   reload    -> {warnings:[..]}: read configuration and modules again
 *   stop      {now?} -> {}: drain and end
 *   cancel    -> {}; the only verb that is looked at while a call is under way
 *             on the connection: that call ends with an error "cancelled" (or
 * as it just did), and after its last line cancel's own answer follows
 *
 * Event lines of calls: {"event":"begin","id","model","provider"},
 * {"event":"text"|"reasoning"|"refusal","choice","text"},
 * {"event":"call","choice","index","id"?,"name"?,"text"},
 * {"event":"vector","choice","base64"}, {"event":"item","name","json":{..}},
 * {"event":"usage",..}, {"event":"stop","choice","reason","text"?},
 * {"event":"warning","field","text"}.
 *   report: {request_id, provider, model, model_answered, reason, attempts,
 *   first_ms, total_ms, usage:{input,output,cache_read?,reasoning?,cost_nano?,
 *   currency?,estimated}|null}
 */
#ifndef PB_CONTROL_H
#define PB_CONTROL_H

#include <stdbool.h>

struct host;
struct control;

/* [control thread's loop] Listen on path (mode 0600 for the socket, 0700 for a
 * directory that has to be made).  NULL and a malloc'd sentence in *err:
 * another host answers there, or the path cannot be used. */
struct control *control_listen(struct host *h, const char *path, char **err);
/* Serve one connected socket (the command line's own, without a host). */
struct control *control_serve_fd(struct host *h, int fd);
/* Is a request under way, or an answer not yet out?  While the host drains,
 * host_control_idle() is called when that is over. */
bool control_busy(const struct control *c);
void control_free(struct control *c);

#endif
