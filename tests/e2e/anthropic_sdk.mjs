// SPDX-License-Identifier: MIT
// The official Anthropic SDK for Node, unmodified, against a host.
// Environment: BASE_URL, KEY, SDK (the packages' directory), PACKAGE, PROVIDER.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.SDK + '/x.js');
const entry = pathToFileURL(require.resolve(process.env.PACKAGE));
const Anthropic = (await import(entry)).default;
const baseURL = process.env.BASE_URL;
const client = new Anthropic({ baseURL, apiKey: process.env.KEY, maxRetries: 0 });
const P = process.env.PROVIDER;
const ask = (model, more = {}) => ({ model: `${P}/${model}`, max_tokens: 200,
  messages: [{ role: 'user', content: 'the quick brown fox' }], ...more });
const tools = [{ name: 'get_weather', description: 'weather', input_schema: {
  type: 'object', properties: { city: { type: 'string' } },
  required: ['city'] } }];
const tests = {};

tests.message = async () => {
  const r = await client.messages.create(ask('echo'));
  assert.equal(r.type, 'message');
  assert.equal(r.role, 'assistant');
  assert.match(r.content[0].text, /quick brown fox/);
  assert.equal(r.stop_reason, 'end_turn');
  assert.ok(r.usage.input_tokens > 0 && r.usage.output_tokens > 0);
};

tests.stream = async () => {
  const whole = await client.messages.create(ask('echo'));
  const stream = client.messages.stream(ask('echo'));
  const kinds = new Set();
  stream.on('streamEvent', (e) => kinds.add(e.type));
  const message = await stream.finalMessage();
  assert.equal(message.content[0].text, whole.content[0].text);
  assert.equal(message.stop_reason, 'end_turn');
  assert.equal(message.usage.output_tokens, whole.usage.output_tokens);
  for (const k of ['message_start', 'content_block_start',
    'content_block_delta', 'content_block_stop', 'message_delta',
    'message_stop']) assert.ok(kinds.has(k), k);
};

tests.system_and_stop = async () => {
  const r = await client.messages.create(ask('echo', { system: 'Be kind.',
    stop_sequences: ['brown'] }));
  assert.ok(!r.content[0].text.includes('brown'));
};

tests.length = async () => {
  const r = await client.messages.create(ask('lorem?length=50', {
    max_tokens: 5 }));
  assert.equal(r.stop_reason, 'max_tokens');
};

tests.tool_round_trip = async () => {
  const first = await client.messages.create(ask('tool', { tools }));
  assert.equal(first.stop_reason, 'tool_use');
  const use = first.content.find((b) => b.type === 'tool_use');
  assert.equal(use.name, 'get_weather');
  assert.equal(typeof use.input.city, 'string');
  const again = await client.messages.create(ask('tool', { tools, messages: [
    { role: 'user', content: 'weather?' },
    { role: 'assistant', content: first.content },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id,
      content: 'sunny' }] }] }));
  assert.equal(again.stop_reason, 'end_turn');
  assert.ok(again.content[0].text);
};

tests.tool_streamed = async () => {
  const whole = await client.messages.create(ask('tool', { tools }));
  const m = await client.messages.stream(ask('tool', { tools })).finalMessage();
  assert.deepEqual(m.content.map((b) => b.input),
    whole.content.map((b) => b.input));
};

tests.thinking = async () => {
  const m = await client.messages.stream(ask('reason')).finalMessage();
  assert.equal(m.content[0].type, 'thinking');
  assert.equal(m.content.at(-1).type, 'text');
};

tests.schema = async () => {
  const r = await client.messages.create(ask('json', { output_config: { format: {
    type: 'json_schema', schema: { type: 'object', required: ['n'],
      properties: { n: { type: 'integer' } } } } } }));
  assert.ok(Number.isInteger(JSON.parse(r.content[0].text).n));
};

tests.image = async () => {
  const r = await client.messages.create(ask('echo', { messages: [{ role: 'user',
    content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png',
      data: 'iVBORw0KGgo=' } }, { type: 'text', text: 'what is it?' }] }] }));
  assert.match(r.content[0].text, /what is it/);
};

tests.count_tokens = async () => {
  const { messages, model } = ask('echo');
  const r = await client.messages.countTokens({ messages, model });
  assert.ok(r.input_tokens > 0);
};

tests.models = async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push([m.id, m.type]);
  assert.ok(ids.some(([id, type]) => id === `${P}/echo` && type === 'model'),
    ids.join(' '));
  const one = await client.models.retrieve(`${P}/echo`);
  assert.equal(one.id, `${P}/echo`);
};

const fails = (what, type, status) => async () => {
  await assert.rejects(what(), (e) => {
    assert.ok(e instanceof type, `${e.constructor.name}: ${e.message}`);
    assert.equal(e.status, status);
    assert.equal(e.error.type, 'error');
    return true;
  });
};
tests.error_400 = fails(() => client.messages.create(ask('echo', {
  brand_new: 1 })), Anthropic.BadRequestError, 400);
tests.error_401 = fails(() => new Anthropic({ baseURL, apiKey: 'sk-wrong',
  maxRetries: 0 }).messages.create(ask('echo')), Anthropic.AuthenticationError,
401);
tests.error_404 = fails(() => client.messages.create({ ...ask('x'),
  model: 'nobody-has-it' }), Anthropic.NotFoundError, 404);
tests.error_429 = fails(() => client.messages.create(ask('echo?fault=rate')),
  Anthropic.RateLimitError, 429);

tests.cut_stream_is_an_error = async () => {
  const stream = client.messages.stream(ask('lorem?fault=cut@5&length=50'));
  let text = '';
  stream.on('text', (t) => { text += t; });
  await assert.rejects(stream.finalMessage(), (e) => {
    assert.match(JSON.stringify(e.error ?? e.message), /api_error|error/);
    return true;
  });
  assert.ok(text.length > 0);
};

let failed = 0, passed = 0;
for (const [name, fn] of Object.entries(tests)) {
  try {
    await fn();
    passed++;
    console.log('ok', process.env.PACKAGE, name);
  } catch (e) {
    failed++;
    console.log('FAILED', process.env.PACKAGE, name, e);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
