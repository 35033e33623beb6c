import { currentTenant, forEachTenant, runInTenant, tenants, TenantMixin, UnknownTenantError } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { AsyncLocalStorage } from 'node:async_hooks';
import { onDatabases } from '../support/databases/database.ts';
import { whileHeard } from '../support/orm/heard-changes.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openBeside } from '../support/orm/open-orm.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';

/** Of which a later one can have the key of one that was dropped. */
class Coded extends TenantMixin<string> {
  declare id: string;
}
defineEntity({ class: Coded, extends: TenantMixin, properties: { id: p.string().primary() } });

onDatabases('a tenant whose row is older than the scope', database => {
  let orm: LibraryOrm;
  let hosts = 0;

  const create = async (name: string, id = `key of ${name}`): Promise<Coded> => {
    const tenant = await tenants<Coded>(orm).create({ id, schemaName: name, domainUrl: `${name}-${++hosts}.example.com` });
    await runInTenant(name, em => em.insert(Note, { text: id }), { orm });

    return tenant;
  };
  const textsHere = async (): Promise<string[]> => (await orm.em.find(Note, {})).map(({ text }) => text);

  before(async () => {
    orm = await openNoteOrm(database, Coded, { directory: { listen: false } });
  });

  afterEach(async () => {
    for (const { schemaName } of await tenants(orm).list()) {
      await tenants(orm).drop(schemaName);
    }
  });

  it('S12 is worked for under the name that it has, where it was renamed and another has its old name', async () => {
    const acme = await create('acme');
    await tenants(orm).rename('acme', 'elsewhere');
    await create('acme', 'another');

    expect(await runInTenant(acme, textsHere)).to.deep.equal(['key of acme']);
    expect(
      await runInTenant(acme, (em, tenant) => [em.schema, tenant.schemaName, currentTenant()?.schemaName, acme.schemaName]),
    ).to.deep.equal(['elsewhere', 'elsewhere', 'elsewhere', 'acme']);
  });

  it('S12 is the one of its key, whatever name its row was given and not stored', async () => {
    const acme = await create('acme');
    await create('bob');
    acme.schemaName = 'bob';

    expect(await runInTenant(acme, textsHere)).to.deep.equal(['key of acme']);
  });

  it('S4, S12 is unknown once it is dropped, also where another has its name', async () => {
    const acme = await create('acme');
    await tenants(orm).drop('acme');
    await refusal(() => runInTenant(acme, () => 'ran'), 'TENANT_UNKNOWN');
    await create('acme', 'another');
    await refusal(() => runInTenant(acme, () => 'ran'), 'TENANT_UNKNOWN');
  });

  it('S12 is another one where its key and name are used again, to whoever has worked for it before', async () => {
    await create('acme');
    let kept: (() => Promise<unknown>) | undefined;

    await runInTenant('acme', async em => {
      kept = () => em.find(Note, {});
      await leave(async () => {
        await tenants(orm).drop('acme');
        await create('acme');
      });
      await refusal(() => em.find(Note, {}), 'TENANT_CHANGED');
      await refusal(() => em.insert(Note, { text: 'written' }), 'TENANT_CHANGED');
    });
    await runInTenant('acme', () => refusal(() => kept?.(), 'TENANT_CHANGED'));
    expect(await runInTenant('acme', textsHere)).to.deep.equal(['key of acme']);
  });

  it('S12 is found by its name where its row was never stored', async () => {
    await create('acme');

    expect(await runInTenant(new Coded({ schemaName: 'acme', domainUrl: 'a.example.com' }), textsHere)).to.deep.equal(['key of acme']);
    await refusal(() => runInTenant(new Coded({ schemaName: 'nobody', domainUrl: 'n.example.com' }), () => 'ran'), 'TENANT_UNKNOWN');
  });

  it('S12, S7 is visited as itself by forEachTenant, whatever happens to those that are listed already', async () => {
    const other = database.kind === 'pglite' ? orm : await openBeside(database, orm, {});

    try {
      for (const name of ['a', 'b', 'c', 'd', 'e']) {
        await create(name);
      }

      const changes: Record<string, () => Promise<unknown>> = {
        a: async () => {
          await tenants(other).rename('b', 'elsewhere');
          await tenants(other).rename('c', 'b');
          await tenants(other).rename('elsewhere', 'c');
        },
        b: () => tenants(other).drop('d'),
        c: () => tenants(other).rename('e', 'f'),
      };
      const outcomes = await forEachTenant<unknown, Coded>(
        async (em, tenant) => {
          await leave(() => changes[tenant?.id.at(-1) ?? '']?.call(undefined));

          return [tenant?.schemaName, em?.schema, ...(await textsHere())];
        },
        { concurrency: 1, orm, settle: true },
      ).catch((error: unknown) => error);

      expect(outcomes).to.have.length(5);
      const [a, b, c, d, e] = outcomes as { error: unknown }[];
      expect([a, b, c, e]).to.deep.equal([
        { schemaName: 'a', ok: true, value: ['a', 'a', 'key of a'] },
        { schemaName: 'c', ok: true, value: ['c', 'c', 'key of b'] },
        { schemaName: 'b', ok: true, value: ['b', 'b', 'key of c'] },
        { schemaName: 'f', ok: true, value: ['f', 'f', 'key of e'] },
      ]);
      expect(d).to.include({ schemaName: 'd', ok: false });
      expect(d?.error).to.be.instanceOf(UnknownTenantError).with.property('code', 'TENANT_UNKNOWN');
    } finally {
      await (other === orm ? undefined : other.close());
    }
  });

  it('S12, S7 costs one statement for each visit, and none where changes are heard', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => create(`t${index}`)));
    const ask = async (): Promise<number> => {
      database.statements.length = 0;
      expect(await forEachTenant(() => undefined)).to.have.length(20);

      return database.statements.filter(statement => statement.includes('pg_namespace')).length;
    };

    expect([await ask(), await ask()]).to.deep.equal([20, 20]);
    await whileHeard(orm, async () => expect([await ask(), await ask()]).to.deep.equal([0, 0]));
  });
});

/** Runs `fn` in no scope. */
const leave = AsyncLocalStorage.snapshot() as <Result>(fn: () => Result) => Result;
