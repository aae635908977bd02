// SPDX-License-Identifier: MIT
// The matrix through Vercel's AI SDK with OpenRouter's provider for it.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { city, person, png, question, run, says, schema } from './common.mjs';

const require = createRequire(process.env.VERCEL + '/x.js');
const load = (name) => import(pathToFileURL(require.resolve(name)));
const ai = await load('ai');
const { createOpenRouter } = await load('@openrouter/ai-sdk-provider');
const openrouter = createOpenRouter({ baseURL: process.env.BASE_URL + '/v1',
  apiKey: process.env.KEY });
globalThis.AI_SDK_LOG_WARNINGS = false;
const ask = (t, more = {}) => ({ model: openrouter(t.chat), maxRetries: 0,
  ...(more.messages ? {} : { prompt: question }), ...more });

await run({
  async chat(t) {
    const r = await ai.generateText(ask(t));
    says(r.text, t.hello);
    assert.equal(r.finishReason, 'stop');
    assert.ok(r.usage.outputTokens > 0);
  },
  async stream(t) {
    const r = ai.streamText(ask(t, { onError() {} }));
    let text = '';
    for await (const piece of r.textStream) text += piece;
    says(text, t.hello);
    assert.equal(await r.finishReason, 'stop');
  },
  async tools(t) {
    let asked = null;
    const r = await ai.generateText(ask(t, { prompt: 'weather?',
      stopWhen: ai.stepCountIs(3), tools: { get_weather: ai.tool({
        description: 'weather', inputSchema: ai.jsonSchema(city),
        execute: async (input) => { asked = input.city; return 'sunny'; } }) },
    }));
    assert.equal(asked, 'Zürich');
    assert.match(r.text, /sunny/);
  },
  async image(t) {
    const r = await ai.generateText(ask(t, { messages: [{ role: 'user',
      content: [{ type: 'text', text: 'what is it?' }, { type: 'file',
        mediaType: 'image/png', data: png }] }] }));
    says(r.text, t.seen);
  },
  async schema(t) {
    const r = await ai.generateText(ask(t, {
      output: ai.Output.object({ schema: ai.jsonSchema(schema) }) }));
    person(r.output);
  },
  async embeddings(t) {
    const r = await ai.embedMany({ maxRetries: 0,
      model: openrouter.textEmbeddingModel(t.embed), values: ['a b', 'c'] });
    assert.equal(r.embeddings.length, 2);
    assert.equal(r.embeddings[0][0], 0.5);
  },
  async error(t) {
    await assert.rejects(ai.generateText(ask(t, {
      model: openrouter(t.limited) })), (e) => e.statusCode === 429);
  },
}, (e) => e.statusCode ?? e.lastError?.statusCode);
