import { expectNoLeaks } from '@landlord/mikro-orm/testing';
import { describe } from 'vitest';
import { createApp, Note } from '../app.js';
import { test } from './test.js';

describe('the application', () => {
  test.override({ mode: 'real' });

  test('shows nothing of one tenant to another', { timeout: 30_000 }, async ({ kit }) => {
    await expectNoLeaks({
      kit,
      app: createApp(kit.orm),
      fill: (em, mark) => em.persistAndFlush(em.create(Note, { text: mark })),
      requests: [{ path: '/' }, { method: 'POST', path: '/?text={{mark}}' }],
    });
  });
});
