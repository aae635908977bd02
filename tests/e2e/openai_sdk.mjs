// SPDX-License-Identifier: MIT
// The official OpenAI SDK for Node, unmodified, against a host.
// Environment: BASE_URL, KEY, SDK (the package's directory), PROVIDER.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.SDK + '/x.js');
const OpenAI = (await import(pathToFileURL(require.resolve('openai')))).default;
const baseURL = process.env.BASE_URL + '/v1';
const client = new OpenAI({ baseURL, apiKey: process.env.KEY, maxRetries: 0 });
const P = process.env.PROVIDER;
const model = `${P}/gpt-4o`;
const user = (content) => [{ role: 'user', content }];
const tools = [{ type: 'function', function: { name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
const tests = {};

tests.chat = async () => {
  const r = await client.chat.completions.create({ model, messages: user('hi') });
  assert.equal(r.choices[0].message.content, 'Hello');
  assert.equal(r.usage.total_tokens, 5);
  assert.ok(r._request_id.startsWith('req_'));
};

tests.several_choices_and_logprobs = async () => {
  const r = await client.chat.completions.create({ model, n: 3, logprobs: true,
    messages: user('hi') });
  assert.equal(r.choices.length, 3);
  assert.equal(r.choices[0].logprobs.content[0].logprob, -0.25);
};

tests.stream = async () => {
  const stream = await client.chat.completions.create({ model, stream: true,
    messages: user('hi') });
  let text = '', finish = null, chunks = 0;
  for await (const c of stream) {
    chunks++;
    assert.equal(c.choices.length, 1, 'a usage chunk nobody asked for');
    text += c.choices[0].delta.content ?? '';
    finish = c.choices[0].finish_reason ?? finish;
  }
  assert.equal(text, 'Hello');
  assert.equal(finish, 'stop');
  assert.ok(chunks >= 3);
};

tests.stream_usage = async () => {
  const stream = await client.chat.completions.create({ model, stream: true,
    stream_options: { include_usage: true }, messages: user('hi') });
  let usage = null;
  for await (const c of stream) usage = c.usage ?? usage;
  assert.equal(usage.total_tokens, 5);
};

tests.stream_helper = async () => {
  const runner = client.chat.completions.stream({ model, messages: user('hi') });
  assert.equal(await runner.finalContent(), 'Hello');
};

tests.tool_round_trip = async () => {
  const messages = user('weather?');
  const r = await client.chat.completions.create({ model, messages, tools });
  const call = r.choices[0].message.tool_calls[0];
  assert.equal(r.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Zürich' });
  messages.push(r.choices[0].message,
    { role: 'tool', tool_call_id: call.id, content: 'sunny' });
  const again = await client.chat.completions.create({ model, messages, tools });
  assert.equal(again.choices[0].message.content, 'it is sunny');
};

tests.tool_arguments_streamed = async () => {
  const runner = client.chat.completions.stream({ model, tools,
    messages: user('weather?') });
  const message = await runner.finalMessage();
  assert.deepEqual(message.tool_calls.map((c) => [c.id, c.function.name,
    JSON.parse(c.function.arguments)]),
  [['call_a', 'get_weather', { city: 'Zürich' }], ['call_b', 'get_time', {}]]);
};

tests.vision = async () => {
  const url = 'data:image/png;base64,' + 'A'.repeat(20000);
  const r = await client.chat.completions.create({ model, messages: user([
    { type: 'text', text: 'what is it?' },
    { type: 'image_url', image_url: { url, detail: 'low' } }]) });
  assert.equal(r.choices[0].message.content, `text,image_url ${url.length}`);
};

tests.json_schema = async () => {
  const r = await client.chat.completions.parse({ model, messages: user('who?'),
    response_format: { type: 'json_schema', json_schema: { name: 'person',
      strict: true, schema: { type: 'object', required: ['name', 'age'],
        additionalProperties: false, properties: { name: { type: 'string' },
          age: { type: 'integer' } } } } } });
  assert.deepEqual(r.choices[0].message.parsed, { name: 'Ada', age: 36 });
};

tests.embeddings_with_the_default_encoding = async () => {
  const r = await client.embeddings.create({ input: ['a', 'b'],
    model: `${P}/text-embedding-3-small` });
  assert.deepEqual(r.data.map((d) => [...d.embedding]),
    [[0.5, -0.25, 0], [0.5, -0.25, 1]]);
};

tests.embeddings_as_floats = async () => {
  const r = await client.embeddings.create({ input: 'a',
    encoding_format: 'float', model: `${P}/text-embedding-3-small` });
  assert.deepEqual(r.data[0].embedding, [0.5, -0.25, 0]);
};

tests.moderations = async () => {
  const r = await client.moderations.create({ input: 'x',
    model: `${P}/omni-moderation-latest` });
  assert.equal(r.results[0].flagged, true);
};

tests.images = async () => {
  const r = await client.images.generate({ prompt: 'x',
    model: `${P}/gpt-image-1` });
  assert.equal(r.data[0].b64_json, 'aGk=');
};

tests.models = async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.ok(ids.includes(`${P}/gpt-4o`), ids.join());
  assert.ok(ids.includes(`${P}/org/with/slashes`), ids.join());
  const one = await client.models.retrieve(`${P}/org/with/slashes`);
  assert.equal(one.id, `${P}/org/with/slashes`);
  assert.equal(one.owned_by, 'org');
};

const fails = (what, type, status, check = () => {}) => async () => {
  await assert.rejects(what(), (e) => {
    assert.ok(e instanceof type, `${e.constructor.name}: ${e.message}`);
    assert.equal(e.status, status);
    check(e);
    return true;
  });
};
const plain = (m) => () => client.chat.completions.create({ model: m,
  messages: user('hi') });

tests.error_400 = fails(plain(`${P}/bad`), OpenAI.BadRequestError, 400,
  (e) => assert.equal(e.code, 'unsupported_value'));
tests.error_401 = fails(() => new OpenAI({ baseURL, apiKey: 'sk-wrong',
  maxRetries: 0 }).models.list(), OpenAI.AuthenticationError, 401);
tests.error_404 = fails(plain('no-such-model-anywhere'), OpenAI.NotFoundError,
  404, (e) => assert.equal(e.code, 'model_not_found'));
tests.error_404_upstream = fails(plain(`${P}/missing`), OpenAI.NotFoundError, 404);
tests.error_429 = fails(plain(`${P}/limited`), OpenAI.RateLimitError, 429,
  (e) => assert.equal(e.headers.get('retry-after'), '3'));

let failed = 0, passed = 0;
for (const [name, fn] of Object.entries(tests)) {
  try {
    await fn();
    passed++;
    console.log('ok node', name);
  } catch (e) {
    failed++;
    console.log('FAILED node', name, e);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
