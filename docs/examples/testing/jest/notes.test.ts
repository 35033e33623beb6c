import { asTenant } from '@landlord/mikro-orm/testing';
import { jestKit } from '@landlord/mikro-orm/testing/jest';
import request from 'supertest';
import { createApp, type Client } from '../app.js';
import { kitOptions } from '../kit-options.js';

const worker = jestKit(kitOptions);

describe('notes', () => {
  for (const time of ['once', 'again']) {
    it(`are the tenant's own, ${time}`, async () => {
      const { kit } = worker;
      const [acme, bob] = [await kit.testTenant<Client>(), await kit.testTenant<Client>()];
      const app = createApp(kit.orm).callback();

      await asTenant(request(app), acme).post('/?text=first').expect(201);
      await asTenant(request(app), acme).get('/').expect(200, ['first']);
      await asTenant(request(app), bob).get('/').expect(200, []);
      await kit.expectUntouched(bob, 'public');
    });
  }
});
