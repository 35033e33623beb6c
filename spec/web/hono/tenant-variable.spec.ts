import { expect } from 'chai';
import { Hono, type Context } from 'hono';
import { exposeTenantVariable } from '../../../dist/web/hono/tenant-variable.js';

describe('The variable `tenant` of Hono', () => {
  it('E1 is created when it is first read, once, by `get`, `var` or what comes after', async () => {
    const reads: Readonly<Record<string, (c: Context) => unknown>> = {
      get: c => c.get('tenant'),
      var: c => c.var.tenant,
      both: c => c.get('tenant') === c.var.tenant && c.var.tenant,
      destructured: ({ get }) => get('tenant'),
    };

    for (const [name, read] of Object.entries(reads)) {
      const found = tenantOf('acme');
      expect(await seen(read, found), name).to.equal(found.entity);
      expect(found.created, name).to.equal(1);
    }
  });

  it('E1 is not created for what reads other variables, and those are as they were set', async () => {
    const found = tenantOf('acme');
    const own = (c: Context): unknown => {
      c.set('other', 'own');

      return [c.get('other'), c.get('missing'), c.get('before')];
    };

    expect(await seen(own, found)).to.deep.equal(['own', undefined, 'set before']);
    expect(found.created).to.equal(0);
    expect(await seen(c => c.var, found)).to.deep.equal({ before: 'set before', tenant: found.entity });
  });

  it('E1 is what was set last: by the application, also as undefined, or for another tenant', async () => {
    const [acme, bob] = [tenantOf('acme'), tenantOf('bob')];
    const set =
      (value: unknown) =>
      (c: Context): unknown => {
        c.set('tenant', value as never);

        return [c.get('tenant'), c.var.tenant];
      };

    expect(await seen(set('own'), acme)).to.deep.equal(['own', 'own']);
    expect(await seen(set(undefined), acme)).to.deep.equal([undefined, undefined]);
    expect(acme.created).to.equal(0);
    const replaced = (c: Context): unknown => {
      const first = c.get('tenant');
      exposeTenantVariable(c, bob as never);

      return [first, c.get('tenant'), c.var.tenant];
    };
    expect(await seen(replaced, acme)).to.deep.equal([acme.entity, bob.entity, bob.entity]);
  });

  it('E1 is that of its own request, whatever others are open', async () => {
    const tenants = ['acme', 'bob', 'carl'].map(tenantOf);
    const read = async (c: Context): Promise<unknown> => {
      await Promise.resolve();

      return c.get('tenant');
    };

    expect(await Promise.all(tenants.map(each => seen(read, each)))).to.deep.equal(tenants.map(({ entity }) => entity));
  });
});

/** What a handler sees after `found` was exposed. */
async function seen(read: (c: Context) => unknown, found: object): Promise<unknown> {
  let result: unknown;
  const app = new Hono();
  app.use(async (c, next) => {
    c.set('before' as never, 'set before' as never);
    c.set('tenant', 'former' as never);
    exposeTenantVariable(c, found as never);
    await next();
  });
  app.get('/', async c => {
    result = await read(c);

    return c.text('');
  });
  expect((await app.request('/')).status).to.equal(200);

  return result;
}

function tenantOf(schemaName: string): { readonly entity: object; created: number; readonly tenant: object } {
  const entity = { schemaName };

  return {
    entity,
    created: 0,
    get tenant() {
      this.created += 1;

      return entity;
    },
  };
}
