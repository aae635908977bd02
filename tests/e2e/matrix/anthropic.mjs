// SPDX-License-Identifier: MIT
// The matrix through Anthropic's SDK for Node, the major that PACKAGE names.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { city, person, png, question, run, says, schema } from './common.mjs';

const require = createRequire(process.env.SDK + '/x.js');
const Anthropic = (await import(pathToFileURL(
  require.resolve(process.env.PACKAGE)))).default;
const client = new Anthropic({ baseURL: process.env.BASE_URL,
  apiKey: process.env.KEY, maxRetries: 0 });
const user = (content) => [{ role: 'user', content }];
const ask = (t, more = {}) => ({ model: t.chat, max_tokens: 200,
  messages: user(question), ...more });
const tools = [{ name: 'get_weather', description: 'weather',
  input_schema: city }];
const text = (m) => m.content.filter((b) => b.type === 'text')
  .map((b) => b.text).join('');

await run({
  async chat(t) {
    const r = await client.messages.create(ask(t));
    says(text(r), t.hello);
    assert.equal(r.stop_reason, 'end_turn');
    assert.ok(r.usage.input_tokens > 0 && r.usage.output_tokens > 0);
  },
  async stream(t) {
    const stream = client.messages.stream(ask(t));
    let seen = '';
    stream.on('text', (piece) => { seen += piece; });
    const r = await stream.finalMessage();
    says(seen, t.hello);
    assert.equal(seen, text(r));
    assert.equal(r.stop_reason, 'end_turn');
  },
  async tools(t) {
    const first = await client.messages.create(ask(t, { tools,
      messages: user('weather?') }));
    const use = first.content.find((b) => b.type === 'tool_use');
    assert.equal(use.input.city, 'Zürich');
    const again = await client.messages.create(ask(t, { tools, messages: [
      ...user('weather?'), { role: 'assistant', content: first.content },
      ...user([{ type: 'tool_result', tool_use_id: use.id,
        content: 'sunny' }])] }));
    says(text(again), t.sunny);
  },
  async image(t) {
    const r = await client.messages.create(ask(t, { messages: user([
      { type: 'text', text: 'what is it?' }, { type: 'image', source: {
        type: 'base64', media_type: 'image/png', data: png } }]) }));
    says(text(r), t.seen);
  },
  async schema(t) {
    const r = await client.messages.create(ask(t, { output_config: { format: {
      type: 'json_schema', schema } } }));
    person(JSON.parse(text(r)));
  },
  async error(t) {
    await assert.rejects(client.messages.create(ask(t, { model: t.limited })),
      Anthropic.RateLimitError);
  },
}, (e) => e.status);
