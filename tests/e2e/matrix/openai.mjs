// SPDX-License-Identifier: MIT
// The matrix through OpenAI's SDK for Node.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { city, person, png, question, run, says, schema } from './common.mjs';

const require = createRequire(process.env.SDK + '/x.js');
const OpenAI = (await import(pathToFileURL(require.resolve('openai')))).default;
const client = new OpenAI({ baseURL: process.env.BASE_URL + '/v1',
  apiKey: process.env.KEY, maxRetries: 0 });
const user = (content) => [{ role: 'user', content }];
const ask = (t, more = {}) => ({ model: t.chat, messages: user(question),
  ...more });
const tools = [{ type: 'function', function: { name: 'get_weather',
  description: 'weather', parameters: city } }];
const json_schema = { name: 'person', strict: true, schema };

await run({
  async chat(t) {
    const r = await client.chat.completions.create(ask(t));
    says(r.choices[0].message.content, t.hello);
    assert.equal(r.choices[0].finish_reason, 'stop');
    assert.ok(r.usage.total_tokens > 0);
  },
  async stream(t) {
    let text = '', finish = null, usage = null;
    for await (const c of await client.chat.completions.create(ask(t, {
      stream: true, stream_options: { include_usage: true } }))) {
      text += c.choices[0]?.delta.content ?? '';
      finish = c.choices[0]?.finish_reason ?? finish;
      usage = c.usage ?? usage;
    }
    says(text, t.hello);
    assert.equal(finish, 'stop');
    assert.ok(usage.total_tokens > 0);
  },
  async tools(t) {
    const messages = user('weather?');
    const r = await client.chat.completions.create(ask(t, { messages, tools }));
    const [call] = r.choices[0].message.tool_calls;
    assert.equal(JSON.parse(call.function.arguments).city, 'Zürich');
    messages.push(r.choices[0].message, { role: 'tool', content: 'sunny',
      tool_call_id: call.id });
    const again = await client.chat.completions.create(ask(t, { messages,
      tools }));
    says(again.choices[0].message.content, t.sunny);
  },
  async image(t) {
    const r = await client.chat.completions.create(ask(t, { messages: user([
      { type: 'text', text: 'what is it?' }, { type: 'image_url',
        image_url: { url: `data:image/png;base64,${png}` } }]) }));
    says(r.choices[0].message.content, t.seen);
  },
  async schema(t) {
    const r = await client.chat.completions.create(ask(t, {
      response_format: { type: 'json_schema', json_schema } }));
    person(JSON.parse(r.choices[0].message.content));
  },
  async embeddings(t) {
    const r = await client.embeddings.create({ model: t.embed,
      input: ['a b', 'c'] });
    assert.equal(r.data.length, 2);
    assert.equal(r.data[0].embedding[0], 0.5);
  },
  async responses(t) {
    const r = await client.responses.create({ model: t.chat, input: question });
    says(r.output_text, t.hello);
    assert.equal(r.status, 'completed');
  },
  async 'responses, streamed'(t) {
    const stream = client.responses.stream({ model: t.chat, input: question });
    let text = '';
    stream.on('response.output_text.delta', (e) => { text += e.delta; });
    const r = await stream.finalResponse();
    says(text, t.hello);
    assert.equal(r.output_text, text);
  },
  async completions(t) {
    const r = await client.completions.create({ model: t.chat,
      prompt: question });
    says(r.choices[0].text, t.hello);
  },
  async error(t) {
    await assert.rejects(client.chat.completions.create(ask(t, {
      model: t.limited })), OpenAI.RateLimitError);
  },
}, (e) => e.status);
