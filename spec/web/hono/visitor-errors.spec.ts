import { TenantChangedError, TenantExistsError, TenantOverloadedError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Hono } from 'hono';
import { createApp as withOwnHandler } from '../../../docs/examples/frameworks/hono-errors.ts';

const OVERLOADED = TenantOverloadedError.queueFull('acme', { concurrency: 1, queue: 1, timeoutMs: 2_500 });

describe('errors of the library in Hono', () => {
  for (const [name, create] of [
    ['its own error handler', () => new Hono()],
    ['the handler of the page', withOwnHandler],
  ] as const) {
    it(`E1 H13 are answered with their status and headers by ${name}, and what is not for visitors is not told`, async () => {
      const app = create();
      app.get('/overloaded', () => {
        throw OVERLOADED;
      });
      app.get('/changed', () => {
        throw new TenantChangedError('acme');
      });
      app.get('/taken', () => {
        throw new TenantExistsError('schemaName');
      });
      const [overloaded, changed, taken] = [await app.request('/overloaded'), await app.request('/changed'), await app.request('/taken')];

      expect([overloaded.status, overloaded.headers.get('Retry-After'), await overloaded.text()]).to.deep.equal([
        503,
        '3',
        OVERLOADED.message,
      ]);
      expect([taken.status, await taken.text()]).to.deep.equal([409, 'Conflict']);
      expect([changed.status, changed.headers.get('Retry-After'), await changed.text()]).to.deep.equal([503, '1', 'Service Unavailable']);
    });
  }
});
