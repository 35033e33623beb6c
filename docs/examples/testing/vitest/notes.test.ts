import { runInTenant } from '@landlord/mikro-orm';
import { asTenant } from '@landlord/mikro-orm/testing';
import request from 'supertest';
import { afterEach, describe, expect, vi } from 'vitest';
import { createApp, Note, type Client } from '../app.js';
import { test } from './test.js';

afterEach(() => vi.useRealTimers());

describe('notes', () => {
  for (const time of ['once', 'again']) {
    test(`are the tenant's own, ${time}`, async ({ kit }) => {
      const [acme, bob] = [await kit.testTenant<Client>(), await kit.testTenant<Client>()];
      const app = createApp(kit.orm).callback();

      await asTenant(request(app), acme).post('/?text=first').expect(201);
      await asTenant(request(app), acme).get('/').expect(200, ['first']);
      await asTenant(request(app), bob).get('/').expect(200, []);
      await kit.expectUntouched(bob, 'public');
    });
  }

  test('are stored while the timers are fake', async ({ kit }) => {
    vi.useFakeTimers();
    const acme = await kit.testTenant<Client>();
    await runInTenant(acme, em => em.persistAndFlush(em.create(Note, { text: 'first' })));

    expect(await runInTenant(acme, em => em.count(Note))).toBe(1);
  });
});
