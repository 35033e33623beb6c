import { deepEqual } from 'node:assert/strict';
import { runInTenant } from '@landlord/mikro-orm';
import { asTenant, expectTenantOf } from '@landlord/mikro-orm/testing';
import request from 'supertest';
import { createApp, Note, type Client } from '../app.js';
import { worker } from './hooks.js';

describe('notes', () => {
  for (const time of ['once', 'again']) {
    it(`are the tenant's own, ${time}`, async () => {
      const { kit } = worker;
      const [acme, bob] = [await kit.testTenant<Client>(), await kit.testTenant<Client>({ name: 'Bob' })];
      const app = createApp(kit.orm).callback();

      await asTenant(request(app), acme).post('/?text=first').expect(201);
      await asTenant(request(app), acme).get('/').expect(200, ['first']);
      await asTenant(request(app), bob).get('/').expect(200, []);

      const notes = await runInTenant(acme, em => em.find(Note, {}));
      expectTenantOf(notes, acme);
      await kit.expectUntouched(bob, 'public');
      deepEqual(notes.length, 1);
    });
  }
});
