// SPDX-License-Identifier: MIT
// What the matrix's clients for Node have in common: the questions, and telling
// how each cell went. Environment: TARGETS, a list of {name, chat, embed,
// limited, hello, sunny, seen}; one line of JSON is printed for each cell.
import assert from 'node:assert/strict';

export const schema = { type: 'object', required: ['name', 'age'],
  additionalProperties: false, properties: { name: { type: 'string' },
    age: { type: 'integer' } } };
export const city = { type: 'object', required: ['city'],
  properties: { city: { type: 'string' } } };
export const png = 'iVBORw0KGgo='; // base64
export const question = 'the quick brown fox';

export function person(o) {
  assert.equal(o.name, 'Ada');
  assert.equal(o.age, 36);
}

export function says(text, pattern) {
  assert.match(text, new RegExp(pattern));
}

// A refusal that says what is missing, with a status of the client's fault, is
// a gap; any other failure is one.
export async function run(cells, status) {
  for (const target of JSON.parse(process.env.TARGETS))
    for (const [cell, ask] of Object.entries(cells)) {
      let result = 'ok', why = '';
      try {
        await ask(target);
      } catch (e) {
        const code = status(e);
        result = code === 400 || code === 501 ? 'refused' : 'failed';
        why = result === 'refused' ? String(e.message) : String(e.stack);
      }
      console.log(JSON.stringify({ target: target.name, cell, result, why }));
    }
}
