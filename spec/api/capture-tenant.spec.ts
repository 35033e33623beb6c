import { AsyncLocalStorage } from 'node:async_hooks';
import {
  captureTenant,
  currentSchema,
  currentTenant,
  resumeTenant,
  runInPublic,
  runInTenant,
  TenantJobError,
  TenantMixin,
  TenantStateMixin,
  tenants,
  type CapturedWork,
  type TenantEntityManager,
} from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Firm extends TenantStateMixin {}
defineEntity({ class: Firm, extends: TenantStateMixin as never, properties: {} });

class Uuid extends TenantMixin<string> {}
defineEntity({ class: Uuid, extends: TenantMixin as never, properties: { id: p.uuid().primary() } });

class Text extends TenantMixin<string> {}
defineEntity({ class: Text, extends: TenantMixin as never, properties: { id: p.string().primary() } });

class Big extends TenantMixin<bigint> {}
defineEntity({ class: Big, extends: TenantMixin as never, properties: { id: p.bigint('bigint').primary() } });

class Pair extends TenantMixin<number> {
  declare region: string;
}
defineEntity({ class: Pair, extends: TenantMixin as never, properties: { id: p.integer().primary(), region: p.string().primary() } });

onDatabases('captured work', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openNoteOrm(database, Firm);

    for (const name of ['acme', 'bob']) {
      await create(name);
    }
  });

  it('J1 resumes in the tenant that it was captured in, with none of the caller’s scope and transaction', async () => {
    const acme = await captured('acme');
    expect(JSON.parse(JSON.stringify(acme))).to.deep.equal(acme);
    expect(acme).to.have.keys(['v', 'key', 'schema', 'oid']);
    const own = new AsyncLocalStorage<string>();

    await own.run('kept', () =>
      runInTenant('bob', bob =>
        inTransaction(bob, async () => {
          const seen = await resumeTenant(acme, async (em, tenant) => {
            expect([currentSchema(), tenant?.schemaName, em.isInTransaction(), own.getStore()]).to.deep.equal([
              'acme',
              'acme',
              false,
              'kept',
            ]);

            return (await em.find(Note, {})).map(({ text }) => text);
          });
          expect(seen).to.deep.equal(['of acme']);
          expect(currentSchema()).to.equal('bob');
        }),
      ),
    );
    expect(currentTenant()).to.equal(undefined);
  });

  it('J1 captured outside a tenant it says so, and inherits no tenant of whoever runs it', async () => {
    const [none, inPublic] = [captureTenant(), await runInPublic(() => captureTenant())];
    expect([none, inPublic]).to.deep.equal([
      { v: 1, scope: 'none' },
      { v: 1, scope: 'public' },
    ]);

    await runInTenant('acme', async () => {
      expect(await resumeTenant(none, (em, tenant) => [currentSchema(), em.schema, tenant])).to.deep.equal([
        undefined,
        undefined,
        undefined,
      ]);
      expect(await resumeTenant(inPublic, () => currentSchema())).to.equal('public');
      await refusal(
        resumeTenant(none, em => em.find(Note, {})),
        'TENANT_CONTEXT_REQUIRED',
      );
      await refusal(
        resumeTenant(inPublic, em => em.find(Note, {})),
        'TENANT_CONTEXT_REQUIRED',
      );
      await refusal(
        resumeTenant(none, () => orm.em.fork().find(Note, {})),
        'TENANT_CONTEXT_REQUIRED',
      );
    });
  });

  it('J1 finds a tenant that was renamed, and not the one that has its name now', async () => {
    await create('old');
    const value = await captured('old');
    await tenants(orm).rename('old', 'new');
    await create('old', 'other.example.com');

    expect(await resumeTenant(value, async em => [em.schema, (await em.findOneOrFail(Note, 1)).text])).to.deep.equal(['new', 'of old']);
  });

  it('J1 S12 a tenant that was deleted is an error that no queue tries again, also if another one has its name and its key', async () => {
    const { id } = await create('gone');
    const value = await captured('gone');
    await tenants(orm).drop('gone');
    expect(await terminal(value, 'JOB_TENANT_GONE')).to.include('"gone"');

    await tenants<Firm>(orm).create({ id, schemaName: 'gone', domainUrl: 'gone.example.com' });
    expect(await terminal(value, 'JOB_TENANT_GONE')).to.include('another tenant has got its key');
    expect(await resumeTenant(value, em => em.schema, { restored: true })).to.equal('gone');
    // a value without the object id goes by the key alone
    const { oid: _, ...rest } = value as { readonly oid?: string };
    expect(await resumeTenant(rest, em => em.schema)).to.equal('gone');
  });

  it('J1 L3 a tenant that was deleted softly is an error that no queue tries again, until it is restored, under another name too', async () => {
    await create('later');
    const value = await captured('later');
    const deleted = await tenants(orm)
      .drop('later', { soft: true })
      .then(() => tenants(orm).listDeleted());
    await terminal(value, 'JOB_TENANT_GONE');
    await create('later');
    await terminal(value, 'JOB_TENANT_GONE');

    await tenants(orm).restore(deleted[0]!, { schemaName: 'former', domainUrl: 'former.example.com' });
    expect(await resumeTenant(value, em => em.schema)).to.equal('former');
  });

  it('J1 a suspended tenant is an error that is not tried again, one in maintenance is tried later, and `states` lets both run', async () => {
    const value = await captured('bob');
    await setState('bob', 'suspended');
    await terminal(value, 'JOB_TENANT_SUSPENDED');
    expect(await resumeTenant(value, em => em.schema, { states: ['active', 'suspended'] })).to.equal('bob');
    await setState('bob', 'maintenance');
    expect(await refusal(resumeTenant(value, ranOnce), 'JOB_TENANT_IN_MAINTENANCE')).to.include({ retryable: true });
    await setState('bob', 'active');
    expect(await resumeTenant(value, em => em.schema)).to.equal('bob');
  });

  it('J1 N1 refuses what it has not made: another version, another shape, and whatever a queue’s table may hold', async () => {
    const value = await captured('acme');
    const thrower = Object.defineProperty({ ...value }, 'key', { get: () => expect.fail('it was read'), enumerable: true });
    const proxy = new Proxy({}, { getPrototypeOf: () => expect.fail('it was read') });
    const hostile: unknown[] = [
      undefined,
      null,
      'acme',
      42,
      [],
      [value],
      {},
      { ...value, v: 2 },
      { ...value, v: '1' },
      { v: 1, key: 1 },
      { v: 1, schema: 'acme' },
      { ...value, scope: 'public' },
      { v: 1, scope: 'tenant' },
      { v: 1, scope: { toString: () => 'none' } },
      { ...value, schema: 'acme"; drop schema acme; --' },
      { ...value, schema: 'x'.repeat(64) },
      { ...value, oid: '0' },
      { ...value, oid: 'x' },
      { ...value, key: { $ne: 0 } },
      { ...value, key: ['1', '2'] },
      { ...value, key: [1] },
      { ...value, key: '1 or true' },
      { ...value, key: '1\0' },
      { ...value, key: '\ud800' },
      { ...value, key: Number.NaN },
      { ...value, key: true },
      Object.create(value),
      new (class {
        v = 1;
        scope = 'none';
      })(),
      thrower,
      proxy,
    ];

    for (const [index, each] of hostile.entries()) {
      await terminal(each, 'JOB_TENANT_INVALID', `value ${index}`);
    }

    await terminal({ ...value, key: 2_147_483_646 }, 'JOB_TENANT_GONE');
    expect(await resumeTenant({ ...value, added: 'by a later release' }, em => em.schema)).to.equal('acme');
  });

  it('J1 captures the same in a transaction as outside of one', async () => {
    const asked: unknown[] = [];
    const other = await tenants(orm).create({ schemaName: 'carl', domainUrl: 'carl.example.com' });
    await runInTenant(other, async em => {
      asked.push(captureTenant());
      await em.transactional(async () => asked.push(captureTenant()));
    });

    expect(asked[0]).to.deep.equal(asked[1]);
  });

  /** With one connection, work outside of a transaction would wait for its end. */
  async function inTransaction(em: TenantEntityManager, fn: () => Promise<void>): Promise<void> {
    await (database.kind === 'pglite' ? fn() : em.transactional(fn));
  }

  async function create(name: string, domainUrl = `${name}.example.com`): Promise<Firm> {
    const firm = await tenants<Firm>(orm).create({ schemaName: name, domainUrl });
    await runInTenant(firm, em => em.insert(Note, { text: `of ${name}` }));

    return firm;
  }

  async function setState(schemaName: string, state: Firm['state']): Promise<void> {
    const em = orm.em.fork();
    (await em.findOneOrFail(Firm, { schemaName })).state = state;
    await em.flush();
  }
});

for (const [kind, TenantClass, keys] of [
  ['uuid', Uuid, [{ id: '0198c2f5-6c1d-7a40-8000-000000000001' }, { id: '0198c2f5-6c1d-7a40-8000-000000000002' }]],
  ['text', Text, [{ id: 'it\'s "1" or 1=1 --' }, { id: '../\\..' }]],
  ['bigint', Big, [{ id: 9_007_199_254_740_993n }, { id: 9_007_199_254_740_992n }]],
  [
    'composite',
    Pair,
    [
      { id: 1, region: 'eu' },
      { id: 1, region: 'us' },
    ],
  ],
] as const) {
  onDatabases(`captured work of tenants with a ${kind} key`, database => {
    it('J1 T4 finds each of two tenants by its key, through JSON', async () => {
      const orm = await openNoteOrm(database, TenantClass);

      for (const [index, key] of keys.entries()) {
        await tenants(orm).create({ ...key, schemaName: `t${index}`, domainUrl: `t${index}.example.com` });
      }

      for (const index of keys.keys()) {
        const value: unknown = JSON.parse(JSON.stringify(await captured(`t${index}`)));
        await tenants(orm).rename(`t${index}`, `renamed${index}`);

        expect(await resumeTenant(value, em => em.schema)).to.equal(`renamed${index}`);
      }
    });
  });
}

function captured(schemaName: string): Promise<CapturedWork> {
  return runInTenant(schemaName, () => captureTenant());
}

async function terminal(
  value: unknown,
  code: 'JOB_TENANT_INVALID' | 'JOB_TENANT_GONE' | 'JOB_TENANT_SUSPENDED',
  label?: string,
): Promise<string> {
  const error = await refusal(resumeTenant(value, ranOnce), code, label);
  expect(error).to.be.instanceOf(TenantJobError).and.to.include({ retryable: false });

  return error.message;
}

function ranOnce(): never {
  return expect.fail('the job was run');
}
