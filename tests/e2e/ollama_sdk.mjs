// SPDX-License-Identifier: MIT
// The official Ollama package for Node, unmodified, against a host.
// Environment: BASE_URL, KEY and ADMIN_KEY (the latter with the right to pull
// and delete), SDK (the packages' directory), TARGET (the provider's name) and
// SCRIPT: who answers behind it, "loopback", "openai", "claude" or "ollama".
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.SDK + '/x.js');
const { Ollama } = await import(pathToFileURL(
  require.resolve('ollama').replace(/index\.cjs$/, 'index.mjs')));
const { TARGET, SCRIPT } = process.env;
let headers; // of the last answer
const as = (key) => new Ollama({ host: process.env.BASE_URL,
  headers: key ? { Authorization: `Bearer ${key}` } : {},
  fetch: async (...args) => {
    const r = await fetch(...args);
    headers = r.headers;
    return r;
  } });
const client = as(process.env.KEY), admin = as(process.env.ADMIN_KEY);

// The same questions to everybody; only the models' names and words differ.
const WORDS = {
  loopback: { chat: 'echo', tool: 'tool', json: 'json', think: 'reason',
    embed: 'embed', hello: /quick brown fox/, sunny: /sunny/,
    seen: /what is it\? \[1 image\]/, cut: 'lorem?fault=cut@5&length=50',
    endless: 'lorem?rate=5&length=100000', limited: 'echo?fault=rate',
    sizes: 256 },
  openai: { chat: 'gpt-4o', tool: 'gpt-4o', json: 'gpt-4o',
    embed: 'text-embedding-3-small', hello: /^Hello$/, sunny: /^it is sunny$/,
    seen: /^text,image_url 34$/, cut: 'cut', endless: 'endless',
    limited: 'limited', sizes: 3 },
  ollama: { chat: 'llama3', tool: 'llama3', json: 'llama3', think: 'llama3',
    embed: 'embed', hello: /^Hello$/, sunny: /^it is sunny$/,
    seen: /^1 picture of 8 bytes$/, cut: 'cut', endless: 'endless',
    limited: 'limited', sizes: 3 },
  claude: { chat: 'claude-sonnet-5', tool: 'claude-sonnet-5',
    json: 'claude-sonnet-5', hello: /^Hello$/, sunny: /^it is sunny$/,
    seen: /^1 picture of 8 bytes$/, cut: 'cut', endless: 'endless',
    limited: 'limited',
    lacks: ['json_of_any_form', 'embed'] }, // Anthropic's API has neither
}[SCRIPT];
const named = (kind) => `${TARGET}/${WORDS[kind]}`;
const user = (content) => [{ role: 'user', content }];
const ask = (kind = 'chat', more = {}) => ({ model: named(kind),
  messages: user('the quick brown fox'), ...more });
const tools = [{ type: 'function', function: { name: 'get_weather',
  description: 'weather', parameters: { type: 'object',
    properties: { city: { type: 'string' } }, required: ['city'] } } }];
const schema = { type: 'object', required: ['name', 'age'],
  additionalProperties: false, properties: { name: { type: 'string' },
    age: { type: 'integer' } } };
const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const tests = {};

function finished(r) {
  assert.equal(r.done, true);
  assert.ok(!Number.isNaN(Date.parse(r.created_at)), r.created_at);
  assert.ok(r.prompt_eval_count > 0 && r.eval_count > 0, JSON.stringify(r));
  for (const k of ['total_duration', 'eval_duration'])
    assert.ok(Number.isInteger(r[k]) && r[k] >= 0, `${k}: ${r[k]}`);
  assert.ok(r.total_duration < 600e9, 'nanoseconds');
}

// All parts of a stream; only the last one says that it is done.
async function parts(stream) {
  const all = [];
  for await (const part of await stream) {
    assert.equal(typeof part.model, 'string');
    all.push(part);
  }
  assert.deepEqual(all.map((p) => p.done),
    all.map((p, i) => i === all.length - 1));
  return all;
}
const text = (all) => all.map((p) => p.message.content).join('');

tests.chat = async () => {
  const r = await client.chat(ask());
  assert.equal(r.message.role, 'assistant');
  assert.match(r.message.content, WORDS.hello);
  assert.equal(r.done_reason, 'stop');
  finished(r);
  assert.match(headers.get('content-type'), /^application\/json/);
};

tests.stream = async () => {
  const whole = await client.chat(ask());
  const all = await parts(client.chat(ask('chat', { stream: true })));
  assert.match(headers.get('content-type'), /^application\/x-ndjson/);
  assert.ok(all.length >= 3, 'in one piece');
  assert.equal(text(all), whole.message.content);
  assert.equal(all.at(-1).done_reason, 'stop');
  finished(all.at(-1));
  assert.equal(all.at(-1).eval_count, whole.eval_count);
  assert.equal(all.at(-1).prompt_eval_count, whole.prompt_eval_count);
};

// Ollama streams unless it is told not to; the package always tells.
tests.streamed_by_default = async () => {
  const r = await fetch(process.env.BASE_URL + '/api/chat', { method: 'POST',
    headers: { Authorization: `Bearer ${process.env.KEY}` },
    body: JSON.stringify(ask()) });
  const lines = (await r.text()).trimEnd().split('\n')
    .map((l) => JSON.parse(l));
  assert.ok(lines.length >= 3);
  assert.equal(lines.at(-1).done, true);
};

tests.generate = async () => {
  const whole = await client.generate({ model: named('chat'),
    prompt: 'the quick brown fox', system: 'Be kind.' });
  assert.match(whole.response, WORDS.hello);
  assert.ok(!('message' in whole));
  finished(whole);
  const all = await parts(client.generate({ model: named('chat'), stream: true,
    prompt: 'the quick brown fox', system: 'Be kind.' }));
  assert.equal(all.map((p) => p.response).join(''), whole.response);
  assert.equal(all.at(-1).eval_count, whole.eval_count);
};

tests.generate_refuses_what_is_no_chat = async () => {
  for (const more of [{ raw: true }, { template: '{{ .Prompt }}' },
    { suffix: 'end' }, { context: [1, 2] }])
    await assert.rejects(client.generate({ model: named('chat'), prompt: 'x',
      ...more }), (e) => {
      assert.equal(e.status_code, 400);
      assert.match(e.message, new RegExp(Object.keys(more)[0]));
      return true;
    });
};

tests.tool_round_trip = async () => {
  const messages = user('weather?');
  const r = await client.chat(ask('tool', { messages, tools }));
  const [call] = r.message.tool_calls;
  assert.equal(call.function.name, 'get_weather');
  assert.equal(typeof call.function.arguments, 'object');
  assert.equal(typeof call.function.arguments.city, 'string');
  assert.equal(r.done_reason, 'stop');
  messages.push(r.message, { role: 'tool', content: 'sunny',
    tool_name: call.function.name });
  const again = await client.chat(ask('tool', { messages, tools }));
  assert.match(again.message.content, WORDS.sunny);
};

tests.tools_streamed = async () => {
  const more = { messages: user('weather?'), tools };
  const whole = await client.chat(ask('tool', more));
  const all = await parts(client.chat(ask('tool', { ...more, stream: true })));
  const calls = all.flatMap((p) => p.message.tool_calls ?? []);
  assert.deepEqual(calls[0].function.name,
    whole.message.tool_calls[0].function.name);
  assert.deepEqual(calls[0].function.arguments,
    whole.message.tool_calls[0].function.arguments);
  if (SCRIPT === 'openai') // its script has two calls, interleaved
    assert.deepEqual(calls.map((c) => [c.id, c.function.name,
      c.function.arguments]), [['call_a', 'get_weather', { city: 'Zürich' }],
      ['call_b', 'get_time', {}]]);
};

tests.image = async () => {
  const message = { role: 'user', content: 'what is it?', images: [png] };
  const r = await client.chat(ask('chat', { messages: [message] }));
  assert.match(r.message.content, WORDS.seen);
  const g = await client.generate({ model: named('chat'), prompt: 'what is it?',
    images: [png] });
  assert.match(g.response, WORDS.seen);
};

tests.json_schema = async () => {
  const r = await client.chat(ask('json', { format: schema }));
  const o = JSON.parse(r.message.content);
  assert.equal(typeof o.name, 'string');
  assert.ok(Number.isInteger(o.age));
  const all = await parts(client.chat(ask('json', { format: schema,
    stream: true })));
  assert.deepEqual(JSON.parse(text(all)), o);
};

tests.json_of_any_form = async () => {
  const r = await client.chat(ask('json', { format: 'json' }));
  assert.equal(typeof JSON.parse(r.message.content), 'object');
};

tests.embed = async () => {
  const r = await client.embed({ model: named('embed'), input: ['a b', 'c'] });
  assert.equal(r.embeddings.length, 2);
  for (const v of r.embeddings) {
    assert.equal(v.length, WORDS.sizes);
    assert.ok(v.every(Number.isFinite));
  }
  assert.ok(r.prompt_eval_count > 0);
  const one = await client.embed({ model: named('embed'), input: 'a b' });
  assert.deepEqual(one.embeddings, [r.embeddings[0]]);
  const old = await client.embeddings({ model: named('embed'), prompt: 'a b' });
  assert.deepEqual(old.embedding, r.embeddings[0]);
};

tests.list = async () => {
  const { models } = await client.list();
  const mine = models.filter((m) => m.name.startsWith(TARGET + '/'));
  assert.ok(mine.length >= 1, JSON.stringify(models));
  for (const m of models) {
    assert.equal(m.model, m.name);
    assert.ok(!Number.isNaN(Date.parse(m.modified_at)), m.modified_at);
    assert.equal(typeof m.size, 'number');
    assert.equal(typeof m.digest, 'string');
    assert.equal(typeof m.details, 'object');
  }
  // Every name of the list can be asked for.
  const name = mine.find((m) => m.name.includes(WORDS.chat)).name;
  const r = await client.chat({ model: name,
    messages: user('the quick brown fox') });
  assert.match(r.message.content, WORDS.hello);
};

tests.show = async () => {
  const r = await client.show({ model: named('chat') });
  assert.equal(typeof r.details, 'object');
  assert.equal(typeof r.model_info, 'object');
  assert.ok(Array.isArray(r.capabilities));
  await assert.rejects(client.show({ model: 'nobody-has-it' }),
    (e) => e.status_code === 404);
};

tests.ps_and_version = async () => {
  const { models } = await client.ps();
  assert.ok(Array.isArray(models));
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+/);
};

tests.probes = async () => {
  const r = await fetch(process.env.BASE_URL + '/');
  assert.equal(r.status, 200);
  assert.equal(await r.text(), 'Ollama is running');
  assert.equal((await fetch(process.env.BASE_URL + '/', { method: 'HEAD' }))
    .status, 200);
};

const fails = (what, status, words = /./) => async () => {
  await assert.rejects(what(), (e) => {
    assert.equal(e.name, 'ResponseError', String(e));
    assert.equal(e.status_code, status, e.message);
    assert.match(e.error, words);
    return true;
  });
};
tests.error_401 = fails(() => as('sk-wrong').chat(ask()), 401, /key/);
tests.error_404 = fails(() => client.chat({ ...ask(), model: 'nobody-has-it' }),
  404, /nobody-has-it/);
tests.error_404_stream = fails(() => client.chat({ ...ask(), stream: true,
  model: 'nobody-has-it' }), 404, /nobody-has-it/);
tests.error_429 = fails(() => client.chat(ask('limited')), 429);
tests.error_no_such_route = fails(() => client.push({ model: 'x' }), 404,
  /\/api\/push/);
tests.pull_needs_a_right = fails(() => client.pull({ model: 'ollama/new:1b' }),
  403, /models/);
tests.delete_needs_a_right = fails(() => client.delete({
  model: 'ollama/new:1b' }), 403, /models/);

// What was read until it broke, or a failure if it did not break.
async function broken(request) {
  const got = [];
  await assert.rejects(async () => {
    for await (const part of await client.chat(request)) got.push(part);
  }, (e) => {
    assert.ok(e.message.length > 0);
    assert.doesNotMatch(e.message, /Did not receive done/,
      'the stream just ended, without an error');
    return true;
  });
  assert.ok(!got.some((p) => p.done), 'a cut answer was told to be whole');
  return got;
}

tests.cut_stream_is_an_error = async () => {
  const got = await broken(ask('cut', { stream: true }));
  assert.ok(text(got).length > 0);
};

tests.cut_answer_is_an_error = async () => {
  await assert.rejects(client.chat(ask('cut')), (e) => {
    assert.ok(e.status_code >= 500, `${e.status_code}: ${e.message}`);
    return true;
  });
};

// The upstream is told, too; the caller of this script looks.
tests.abort = async () => {
  const own = as(process.env.KEY);
  const stream = await own.chat(ask('endless', { stream: true }));
  await assert.rejects(async () => {
    for await (const part of stream) {
      assert.equal(part.done, false);
      own.abort();
    }
  }, { name: 'AbortError' });
};

// What only one of them can show.
const only = {};

only.loopback = {
  async limits_and_stops() {
    const r = await client.chat({ ...ask(), model: 'loopback/lorem?length=50',
      options: { num_predict: 5 } });
    assert.equal(r.done_reason, 'length');
    assert.equal(r.eval_count, 5);
    const s = await client.chat(ask('chat', { options: { stop: ['brown'] } }));
    assert.doesNotMatch(s.message.content, /brown/);
    const all = await client.chat({ ...ask(), model: 'loopback/lorem?length=50',
      options: { num_predict: -1 } });
    assert.equal(all.eval_count, 50);
  },
  async thinking() {
    const whole = await client.chat(ask('think', { think: true }));
    assert.ok(whole.message.thinking.length > 0);
    assert.match(whole.message.content, WORDS.hello);
    const all = await parts(client.chat(ask('think', { think: 'high',
      stream: true })));
    assert.equal(all.map((p) => p.message.thinking ?? '').join(''),
      whole.message.thinking);
    const g = await client.generate({ model: named('think'), prompt: 'x y',
      think: true });
    assert.ok(g.thinking.length > 0);
  },
  async left_out_with_a_warning() {
    await client.chat(ask('chat', { keep_alive: '5m',
      options: { num_ctx: 4096, temperature: 0 } }));
    const warning = headers.get('x-patchbay-warning') ?? '';
    assert.match(warning, /options\.num_ctx/);
    assert.match(warning, /keep_alive/);
    assert.doesNotMatch(warning, /temperature/);
  },
  async unknown_fields_are_refused() {
    await fails(() => client.chat(ask('chat', { brand_new: 1 })), 400,
      /brand_new/)();
    await fails(() => client.chat(ask('chat', { messages: [{ role: 'user',
      content: 'x', images: ['AAAA'] }] })), 400,
    /messages\[0\]\.images\[0\]/)();
    await fails(() => client.chat(ask('chat', { messages: [{ role: 'tool',
      content: 'x', tool_name: 'f' }] })), 400, /messages\[0\]/)();
  },
  async bare_names() {
    const r = await client.chat({ ...ask(), model: 'echo' });
    assert.match(r.message.content, WORDS.hello);
  },
  async not_every_provider_pulls() {
    await assert.rejects(admin.pull({ model: 'loopback/new' }),
      (e) => e.status_code >= 400);
  },
};

only.openai = {
  async errors_are_those_of_the_upstream() {
    await fails(() => client.chat({ ...ask(), model: `${TARGET}/bad` }), 400,
      /temperature is out of range/)();
  },
};

only.claude = {
  // The upstream looks whether the block and its signature come back.
  async thinking_comes_back() {
    const messages = user('weather?');
    const all = await parts(client.chat(ask('tool', { messages, tools,
      stream: true })));
    assert.equal(all.map((p) => p.message.thinking ?? '').join(''), 'Hm.');
    const of = (k) => all.flatMap((p) => p.message[k] ?? []);
    messages.push({ role: 'assistant', content: text(all),
      tool_calls: of('tool_calls'), patchbay_blocks: of('patchbay_blocks') },
    { role: 'tool', tool_name: 'get_weather', content: 'sunny' });
    const again = await client.chat(ask('tool', { messages, tools }));
    assert.match(again.message.content, WORDS.sunny);
  },
};

only.ollama = {
  async names_without_a_tag() {
    for (const model of ['llama3', 'llama3:latest', 'ollama/llama3:latest']) {
      const r = await client.chat({ ...ask(), model });
      assert.match(r.message.content, WORDS.hello);
    }
  },
  async thinking_passes() {
    const all = await parts(client.chat(ask('think', { think: 'high',
      stream: true })));
    assert.equal(all.map((p) => p.message.thinking ?? '').join(''), 'hm');
  },
  async running() {
    const models = (await client.ps()).models
      .filter((m) => m.name.startsWith(TARGET + '/'));
    assert.equal(models.length, 1, JSON.stringify(models));
    assert.match(models[0].name, /llama3:latest$/);
    assert.equal(models[0].size, 5000000000);
    assert.equal(models[0].size_vram, 4000000000);
    assert.ok(!Number.isNaN(Date.parse(models[0].expires_at)));
  },
  async shown_as_it_is() {
    const r = await client.show({ model: 'ollama/llama3' });
    assert.equal(r.model_info['llama.context_length'], 131072);
    assert.deepEqual(r.capabilities, ['completion', 'tools', 'vision']);
    assert.equal(r.details.family, 'llama');
  },
  async pull_with_progress() {
    const seen = [];
    for await (const p of await admin.pull({ model: 'ollama/new:1b',
      stream: true })) seen.push(p);
    assert.equal(seen[0].status, 'pulling manifest');
    const last = {};
    for (const p of seen) if (p.digest) last[p.digest] = [p.completed, p.total];
    assert.deepEqual(last, { 'sha256:aa11': [5000000000, 5000000000],
      'sha256:bb22': [100, 100] });
    assert.equal(seen.at(-1).status, 'success');
    assert.equal(seen.filter((p) => p.status === 'success').length, 1);
    const { models } = await client.list();
    assert.ok(models.some((m) => m.name === 'ollama/new:1b'));
  },
  async pull_whole() {
    const r = await admin.pull({ model: 'ollama/new:1b' });
    assert.equal(r.status, 'success');
  },
  async pull_that_fails() {
    const seen = [];
    await assert.rejects(async () => {
      for await (const p of await admin.pull({ model: 'ollama/full',
        stream: true })) seen.push(p);
    }, /disk is full/);
    assert.ok(seen.length > 0 && !seen.some((p) => p.status === 'success'));
    await assert.rejects(admin.pull({ model: 'ollama/full' }),
      (e) => e.status_code >= 400 && /disk is full/.test(e.message));
  },
  async delete() {
    await admin.pull({ model: 'ollama/new:1b' });
    assert.deepEqual(await admin.delete({ model: 'ollama/new:1b' }),
      { status: 'success' });
    await fails(() => admin.delete({ model: 'ollama/new:1b' }), 404)();
  },
  async error_in_a_stream() {
    const got = await broken({ ...ask(), model: 'ollama/midway',
      stream: true });
    assert.equal(text(got), 'Hel');
  },
};

let failed = 0, passed = 0;
for (const [name, fn] of [...Object.entries(tests),
  ...Object.entries(only[SCRIPT])]) {
  if (WORDS.lacks?.includes(name)) continue;
  try {
    await fn();
    passed++;
    console.log('ok', TARGET, name);
  } catch (e) {
    failed++;
    console.log('FAILED', TARGET, name, e);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
