// SPDX-License-Identifier: MIT
// The official OpenAI SDK for Node, its Responses API, against a host.
// Environment: BASE_URL, KEY, SDK (the package's directory), TARGET (the
// provider's name) and SCRIPT: who answers behind it, "loopback", "openai",
// "claude" or "ollama".
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.SDK + '/x.js');
const OpenAI = (await import(pathToFileURL(require.resolve('openai')))).default;
const as = (apiKey) => new OpenAI({ baseURL: process.env.BASE_URL + '/v1',
  apiKey, maxRetries: 0 });
const client = as(process.env.KEY);
const { TARGET, SCRIPT } = process.env;

const WORDS = {
  loopback: { chat: 'echo', tool: 'tool', json: 'json', think: 'reason',
    hello: /quick brown fox/, sunny: /sunny/, seen: /what is it\? \[1 image\]/,
    cut: 'lorem?fault=cut@5&length=50', limited: 'echo?fault=rate',
    endless: 'lorem?rate=5&length=100000' },
  openai: { chat: 'gpt-4o', tool: 'gpt-4o', json: 'gpt-4o', hello: /^Hello$/,
    sunny: /^it is sunny$/, seen: /^text,image_url 34$/, cut: 'cut',
    limited: 'limited', endless: 'endless' },
  ollama: { chat: 'llama3', tool: 'llama3', json: 'llama3', think: 'llama3',
    hello: /^Hello$/, sunny: /^it is sunny$/, seen: /^1 picture of 8 bytes$/,
    cut: 'cut', limited: 'limited', endless: 'endless' },
  claude: { chat: 'claude-sonnet-5', tool: 'claude-sonnet-5',
    json: 'claude-sonnet-5', hello: /^Hello$/, sunny: /^it is sunny$/,
    seen: /^1 picture of 8 bytes$/, cut: 'cut', limited: 'limited',
    endless: 'endless' },
}[SCRIPT];
const ask = (kind = 'chat', more = {}) => ({
  model: `${TARGET}/${WORDS[kind]}`, input: 'the quick brown fox', ...more });
const tools = [{ type: 'function', name: 'get_weather', description: 'weather',
  strict: null, parameters: { type: 'object',
    properties: { city: { type: 'string' } }, required: ['city'] } }];
const format = { type: 'json_schema', name: 'person', strict: true, schema: {
  type: 'object', required: ['name', 'age'], additionalProperties: false,
  properties: { name: { type: 'string' }, age: { type: 'integer' } } } };
const png = 'data:image/png;base64,iVBORw0KGgo=';
const ends = ['response.completed', 'response.incomplete', 'response.failed'];
const tests = {};

function complete(r) {
  assert.equal(r.object, 'response');
  assert.match(r.id, /^resp_/);
  assert.equal(r.status, 'completed');
  assert.equal(r.error, null);
  assert.equal(r.store, false);
  assert.ok(r.usage.input_tokens > 0 && r.usage.output_tokens > 0);
  assert.equal(r.usage.total_tokens,
    r.usage.input_tokens + r.usage.output_tokens);
  for (const item of r.output) assert.ok(item.id.length > 3);
  assert.equal(new Set(r.output.map((i) => i.id)).size, r.output.length);
}

// All events; numbered, about items that were announced, one end.
async function events(stream, end = 'response.completed') {
  const all = [], open = new Map();
  for await (const e of await stream) {
    assert.equal(e.sequence_number, all.length, e.type);
    if (e.type === 'response.output_item.added') {
      assert.equal(e.output_index, open.size);
      open.set(e.item.id, { index: e.output_index, text: '' });
    }
    if (e.item_id) assert.equal(e.output_index, open.get(e.item_id).index);
    if (e.type.endsWith('.delta')) open.get(e.item_id).text += e.delta;
    if (e.type.endsWith('_text.done'))
      assert.equal(e.text, open.get(e.item_id).text);
    if (e.type.endsWith('arguments.done'))
      assert.equal(e.arguments, open.get(e.item_id).text);
    all.push(e);
  }
  assert.deepEqual(all.slice(0, 2).map((e) => e.type),
    ['response.created', 'response.in_progress']);
  assert.deepEqual(all.map((e) => e.type).filter((t) => ends.includes(t)),
    [end]);
  assert.equal(all.at(-1).type, end);
  return all;
}
const itemsOf = (all) => all
  .filter((e) => e.type === 'response.output_item.done').map((e) => e.item);

tests.text = async () => {
  const r = await client.responses.create(ask('chat', {
    instructions: 'Be kind.', metadata: { a: 'b' } }));
  complete(r);
  assert.match(r.output_text, WORDS.hello);
  assert.equal(r.instructions, 'Be kind.');
  assert.deepEqual(r.metadata, { a: 'b' });
  assert.ok(r._request_id.startsWith('req_'));
};

tests.stream = async () => {
  const whole = await client.responses.create(ask());
  const all = await events(client.responses.create(ask('chat',
    { stream: true })));
  const last = all.at(-1).response;
  complete(last);
  assert.ok(all.filter((e) => e.type === 'response.output_text.delta')
    .length > 1, 'in one piece');
  assert.equal(last.output[0].content[0].text, whole.output_text);
  assert.deepEqual(itemsOf(all), last.output);
  assert.deepEqual(last.usage, whole.usage);
};

tests.stream_helper = async () => {
  const runner = client.responses.stream(ask());
  let text = '';
  runner.on('response.output_text.delta', (e) => { text += e.delta; });
  const r = await runner.finalResponse();
  assert.match(r.output_text, WORDS.hello);
  assert.equal(text, r.output_text);
};

tests.items_in = async () => {
  const r = await client.responses.create(ask('chat', { input: [
    { role: 'developer', content: 'Be brief.' },
    { type: 'message', role: 'user', content: [
      { type: 'input_text', text: 'hello' }] },
    { type: 'message', role: 'assistant', id: 'msg_1', status: 'completed',
      content: [{ type: 'output_text', text: 'yes?', annotations: [] }] },
    { role: 'user', content: 'the quick brown fox' }] }));
  assert.match(r.output_text, WORDS.hello);
};

tests.tool_round_trip = async () => {
  const input = [{ role: 'user', content: 'weather?' }];
  const r = await client.responses.create(ask('tool', { input, tools,
    include: ['reasoning.encrypted_content'] }));
  complete(r);
  const call = r.output.find((i) => i.type === 'function_call');
  assert.equal(call.name, 'get_weather');
  assert.equal(call.status, 'completed');
  assert.equal(typeof JSON.parse(call.arguments).city, 'string');
  // What the provider wants back, a signed thought, say, is among the items.
  input.push(...r.output, { type: 'function_call_output',
    call_id: call.call_id, output: 'sunny' });
  const again = await client.responses.create(ask('tool', { input, tools }));
  assert.match(again.output_text, WORDS.sunny);
};

tests.tools_streamed = async () => {
  const more = { input: 'weather?', tools };
  const whole = await client.responses.create(ask('tool', more));
  const all = await events(client.responses.create(ask('tool',
    { ...more, stream: true })));
  const calls = itemsOf(all).filter((i) => i.type === 'function_call');
  const first = whole.output.find((i) => i.type === 'function_call');
  assert.equal(calls[0].name, first.name);
  assert.deepEqual(JSON.parse(calls[0].arguments), JSON.parse(first.arguments));
  if (SCRIPT === 'openai') // its script has two calls, interleaved
    assert.deepEqual(calls.map((c) => [c.call_id, c.name,
      JSON.parse(c.arguments)]), [['call_a', 'get_weather', { city: 'Zürich' }],
      ['call_b', 'get_time', {}]]);
  const final = all.at(-1).response;
  assert.deepEqual(itemsOf(all).map((i) => i.id).sort(),
    final.output.map((i) => i.id).sort());
};

tests.image = async () => {
  const r = await client.responses.create(ask('chat', { input: [{ role: 'user',
    content: [{ type: 'input_text', text: 'what is it?' },
      { type: 'input_image', image_url: png, detail: 'auto' }] }] }));
  assert.match(r.output_text, WORDS.seen);
};

tests.json_schema = async () => {
  const r = await client.responses.parse(ask('json', { text: { format } }));
  assert.equal(typeof r.output_parsed.name, 'string');
  assert.ok(Number.isInteger(r.output_parsed.age));
  assert.deepEqual(r.text.format, format);
  const all = await events(client.responses.create(ask('json', {
    text: { format }, stream: true })));
  assert.deepEqual(JSON.parse(all.at(-1).response.output[0].content[0].text),
    r.output_parsed);
};

tests.reasoning = async () => {
  if (!WORDS.think) return;
  const r = await client.responses.create(ask('think', {
    reasoning: { effort: 'medium', summary: 'auto' } }));
  assert.equal(r.output[0].type, 'reasoning');
  assert.ok(r.output[0].summary[0].text.length > 0);
  assert.match(r.output_text, WORDS.hello);
  const all = await events(client.responses.create(ask('think', {
    reasoning: { effort: 'medium', summary: 'auto' }, stream: true })));
  assert.equal(all.filter((e) => e.type ===
    'response.reasoning_summary_text.delta').map((e) => e.delta).join(''),
  r.output[0].summary[0].text);
};

tests.input_tokens = async () => {
  const r = await client.responses.inputTokens.count(ask());
  assert.equal(r.object, 'response.input_tokens');
  assert.ok(r.input_tokens > 0);
};

const fails = (what, status, words = /./) => async () => {
  await assert.rejects(what(), (e) => {
    assert.ok(e instanceof OpenAI.APIError, String(e));
    assert.equal(e.status, status, e.message);
    assert.match(e.message, words);
    return true;
  });
};
tests.error_401 = fails(() => as('sk-wrong').responses.create(ask()), 401);
tests.error_404 = fails(() => client.responses.create({ ...ask(),
  model: 'nobody-has-it' }), 404, /nobody-has-it/);
tests.error_429 = fails(() => client.responses.create(ask('limited')), 429);
tests.error_429_stream = fails(() => client.responses.create(ask('limited',
  { stream: true })), 429);

// What only a service that keeps responses can do, by the field's name.
for (const [name, value] of Object.entries({ previous_response_id: 'resp_1',
  conversation: 'conv_1', background: true, store: true, truncation: 'auto',
  max_tool_calls: 3, tools: [{ type: 'web_search' }],
  input: [{ type: 'item_reference', id: 'msg_1' }],
  include: ['file_search_call.results'], brand_new: 1 }))
  tests[`refused_${name}`] = fails(() => client.responses.create(ask('chat',
    { [name]: value })), 400, new RegExp(name));
tests.nulls_are_nothing = async () => {
  const r = await client.responses.create(ask('chat', { store: false,
    previous_response_id: null, conversation: null, truncation: 'disabled',
    background: false, max_output_tokens: null, text: null, tools: [] }));
  complete(r);
};

// The SDK raises at "error"; what is on the wire ends with both.
tests.cut_stream_fails = async () => {
  let text = '';
  await assert.rejects(async () => {
    const stream = await client.responses.create(ask('cut', { stream: true }));
    for await (const e of stream) {
      assert.ok(!ends.includes(e.type), e.type);
      text += e.type === 'response.output_text.delta' ? e.delta : '';
    }
  }, (e) => e instanceof OpenAI.APIError && e.message.length > 0);
  assert.ok(text.length > 0);
  const r = await fetch(process.env.BASE_URL + '/v1/responses', {
    method: 'POST', headers: { Authorization: `Bearer ${process.env.KEY}`,
      'Content-Type': 'application/json' },
    body: JSON.stringify(ask('cut', { stream: true })) });
  const all = (await r.text()).split('\n')
    .filter((l) => l.startsWith('data: ')).map((l) => JSON.parse(l.slice(6)));
  const [error, last] = all.slice(-2);
  assert.equal(error.type, 'error');
  assert.ok(error.message.length > 0);
  assert.equal(last.type, 'response.failed');
  assert.equal(last.response.status, 'failed');
  assert.ok(last.response.error.message.length > 0);
  assert.equal(last.response.output[0].content[0].text, text);
  assert.equal(last.response.output[0].status, 'incomplete');
  assert.deepEqual(all.map((e) => e.sequence_number), all.map((e, i) => i));
};

tests.cut_answer_is_an_error = async () => {
  await assert.rejects(client.responses.create(ask('cut')), (e) => {
    assert.ok(e.status >= 500, `${e.status}: ${e.message}`);
    return true;
  });
};

// The upstream is told, too; the caller of this script looks.
tests.abort = async () => {
  const stream = await client.responses.create(ask('endless',
    { stream: true }));
  for await (const e of stream)
    if (e.type === 'response.output_text.delta') break;
  stream.controller.abort();
};

const only = {};
only.loopback = {
  async incomplete() {
    const r = await client.responses.create({ model: 'loopback/lorem?length=50',
      input: 'x', max_output_tokens: 5 });
    assert.equal(r.status, 'incomplete');
    assert.equal(r.incomplete_details.reason, 'max_output_tokens');
    assert.equal(r.usage.output_tokens, 5);
    await events(client.responses.create({ model: 'loopback/lorem?length=50',
      input: 'x', max_output_tokens: 5, stream: true }),
    'response.incomplete');
  },
};

let failed = 0;
for (const [name, test] of Object.entries({ ...tests, ...only[SCRIPT] })) {
  try {
    await test();
    console.log(`ok   ${TARGET} ${name}`);
  } catch (e) {
    failed++;
    console.log(`FAIL ${TARGET} ${name}: ${e.stack}`);
  }
}
process.exit(failed ? 1 : 0);
