// SPDX-License-Identifier: MIT
// The matrix through Ollama's package for Node.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { city, person, png, question, run, says, schema } from './common.mjs';

const require = createRequire(process.env.SDK + '/x.js');
const { Ollama } = await import(pathToFileURL(
  require.resolve('ollama').replace(/index\.cjs$/, 'index.mjs')));
const client = new Ollama({ host: process.env.BASE_URL,
  headers: { Authorization: `Bearer ${process.env.KEY}` } });
const user = (content) => [{ role: 'user', content }];
const ask = (t, more = {}) => ({ model: t.chat, messages: user(question),
  ...more });
const tools = [{ type: 'function', function: { name: 'get_weather',
  description: 'weather', parameters: city } }];

await run({
  async chat(t) {
    const r = await client.chat(ask(t));
    says(r.message.content, t.hello);
    assert.equal(r.done_reason, 'stop');
    assert.ok(r.eval_count > 0);
  },
  async stream(t) {
    let text = '', last = null;
    for await (const part of await client.chat(ask(t, { stream: true }))) {
      text += part.message.content;
      last = part;
    }
    says(text, t.hello);
    assert.equal(last.done, true);
  },
  async tools(t) {
    const messages = user('weather?');
    const r = await client.chat(ask(t, { messages, tools }));
    const [call] = r.message.tool_calls;
    assert.equal(call.function.arguments.city, 'Zürich');
    messages.push(r.message, { role: 'tool', content: 'sunny',
      tool_name: call.function.name });
    says((await client.chat(ask(t, { messages, tools }))).message.content,
      t.sunny);
  },
  async image(t) {
    const r = await client.chat(ask(t, { messages: [{ role: 'user',
      content: 'what is it?', images: [png] }] }));
    says(r.message.content, t.seen);
  },
  async schema(t) {
    const r = await client.chat(ask(t, { format: schema }));
    person(JSON.parse(r.message.content));
  },
  async embeddings(t) {
    const r = await client.embed({ model: t.embed, input: ['a b', 'c'] });
    assert.equal(r.embeddings.length, 2);
    assert.equal(r.embeddings[0][0], 0.5);
  },
  async error(t) {
    await assert.rejects(client.chat(ask(t, { model: t.limited })),
      (e) => e.status_code === 429);
  },
}, (e) => e.status_code);
