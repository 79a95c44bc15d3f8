import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createApp } from './app.js';

test('the application greets', async () => {
  const answer = await createApp().inject({ url: '/' });
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.json().message, 'Hello from Fastify');
});
