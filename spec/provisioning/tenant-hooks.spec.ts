import { PassThrough } from 'node:stream';
import {
  acrossTenants,
  captureTenant,
  currentSchema,
  currentTenant,
  resumeTenant,
  runInTenant,
  TenantHookError,
  tenantKey,
  TenantMixin,
  tenants,
  type CommittedChange,
  type HookEntityManager,
  type TenantFailure,
  type TenantHooks,
} from '@landlord/mikro-orm';
import { defineEntity, p, RequestContext } from '@mikro-orm/core';
import { expect } from 'chai';
import { setTimeout as delay } from 'node:timers/promises';
import { failureOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { schemaNames } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { CreateNote, Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { openBeside, openOrm, type SpecOrm } from '../support/orm/open-orm.ts';
import { rolesOf } from '../support/orm/roles.ts';
import { sqlMigration } from '../support/orm/tenant-set.ts';

class Firm extends TenantMixin {
  declare note: string | undefined;
}
defineEntity({ class: Firm, extends: TenantMixin, properties: { note: p.string().nullable() } });

onDatabases('hooks', database => {
  let orm: SpecOrm;
  let calls: string[] = [];
  let act: TenantHooks<Firm> = {};
  const set: { name: string; class: any }[] = [{ name: 'First', class: CreateNote }];

  const note = (name: string, more: unknown = ''): void =>
    void calls.push(`${name} in ${currentSchema()}${more === '' ? '' : ` ${String(more)}`}`);

  before(async () => {
    const hooks: TenantHooks<Firm> = {
      timeoutMs: 1_000,
      beforeCreate: async event => {
        note('beforeCreate', event.em.isInTransaction());
        await act.beforeCreate?.(event);
      },
      afterCreate: async event => {
        note('afterCreate', await event.em.count(Note, {}));
        await act.afterCreate?.(event);
      },
      afterCommit: async change => {
        note(`afterCommit ${change.kind}`, orm.em.isInTransaction());
        await act.afterCommit?.(change);
      },
      beforeMigrate: async event => {
        note('beforeMigrate', event.migrations.join());
        await act.beforeMigrate?.(event);
      },
      afterMigrate: async event => {
        note('afterMigrate', event.migrations.join());
        await act.afterMigrate?.(event);
      },
      beforeDrop: async event => {
        note('beforeDrop', await event.em.count(Note, {}));
        await act.beforeDrop?.(event);
      },
      afterRename: async event => {
        note('afterRename', event.from);
        await act.afterRename?.(event);
      },
      beforeReport: event => act.beforeReport?.(event),
      onError: async failure => {
        calls.push(`onError ${failure.operation} ${failure.schemaName}`);
        await act.onError?.(failure);
      },
    };
    orm = await openNoteOrm(database, Firm, { hooks: hooks as TenantHooks<any>, migrations: { migrationsList: set } });
  });

  beforeEach(() => {
    calls = [];
    act = {};
  });

  it('J3 are called in order, in the transaction and the scope that they say', async () => {
    act.afterCreate = ({ em, tenant }) => {
      em.persist(em.create(Note, { text: `seeded for ${tenant.schemaName}` }));
    };
    await create('acme');
    expect(await notesOf('acme')).to.deep.equal(['seeded for acme']);
    await tenants(orm).rename('acme', 'apex');
    await tenants(orm).drop('apex');

    expect(calls).to.deep.equal([
      'beforeCreate in public true',
      'afterCreate in acme 0',
      'afterCommit created in undefined false',
      'afterRename in apex acme',
      'afterCommit renamed in undefined false',
      'beforeDrop in apex 1',
      'afterCommit deleted in undefined false',
    ]);
  });

  it('J3 the global `em` of a hook is the tenant’s, in the transaction', async () => {
    act.beforeCreate = async ({ tenant }) => {
      const row = await orm.em.findOneOrFail(Firm, { schemaName: tenant.schemaName });
      row.note = 'set by the hook';
      await orm.em.flush();
    };
    act.afterCreate = async () => {
      await orm.em.insert(Note, { text: 'by the global one' });
      await orm.em.persist(orm.em.create(Note, { text: 'flushed' })).flush();
    };
    await create('global');

    expect(await notesOf('global')).to.deep.equal(['by the global one', 'flushed']);
    expect((await orm.em.fork().findOneOrFail(Firm, { schemaName: 'global' })).note).to.equal('set by the hook');
  });

  it('J3 the global `em` of a hook is the tenant’s also where a context and a transaction of another ORM hide it', async () => {
    // PGlite has no second connection for the other transaction
    if (database.kind !== 'postgresql') {
      return;
    }

    const second = await openBeside(database, orm, { contextName: 'other' });
    const found: unknown[] = [];
    act.afterCreate = ({ em }) =>
      RequestContext.create(second.em, () =>
        second.em.transactional(async () => {
          found.push(orm.em.id === em.id, orm.em.isInTransaction(), await orm.em.count(Note));
        }),
      );
    await create('hidden');
    await second.close();

    expect(found).to.deep.equal([true, true, 0]);
  });

  it('G4 J3 what the `em` of a hook persists in a transaction of its own is undone with that, as in a scope', async () => {
    const write = async (em: HookEntityManager): Promise<void> => {
      const undone = em.transactional(async () => {
        em.persist(em.create(Note, { text: 'undone' }));
        throw new Error('undo');
      });
      await undone.catch(() => undefined);
      await em.persist(em.create(Note, { text: 'kept' })).flush();
    };
    act.afterCreate = ({ em }) => write(em);
    await create('undoing');
    await runInTenant('undoing', em => write(em));

    expect(await notesOf('undoing')).to.deep.equal(['kept', 'kept']);
  });

  it('J3 `currentTenant()` in a hook is the tenant that it is told of', async () => {
    const seen: unknown[] = [];
    const look =
      (name: string) =>
      ({ tenant }: { readonly tenant?: Firm | undefined }): void =>
        void seen.push([name, currentTenant() === tenant, tenant?.domainUrl]);
    act = {
      beforeCreate: () => void seen.push(['beforeCreate', currentTenant()]),
      afterCreate: look('afterCreate'),
      afterRename: look('afterRename'),
      beforeMigrate: look('beforeMigrate'),
      afterMigrate: look('afterMigrate'),
      beforeDrop: look('beforeDrop'),
    };
    await create('current');
    await tenants(orm).rename('current', 'renamed');
    set.push(sqlMigration('Looked', 'select 1'));
    await tenants(orm)
      .migrate({ where: { schemaName: 'renamed' } })
      .finally(() => set.pop());
    await tenants(orm).drop('renamed');

    expect(seen).to.deep.equal([
      ['beforeCreate', undefined],
      ...['afterCreate', 'afterRename', 'beforeMigrate', 'afterMigrate', 'beforeDrop'].map(name => [name, true, 'current.example.com']),
    ]);
  });

  it('J1 J3 a job that afterCreate queues is the new tenant’s, though its transaction is not committed yet', async () => {
    let queued: unknown;
    let key = '';
    act.afterCreate = () => {
      queued = captureTenant();
      key = tenantKey('k');
    };
    const { id } = await create('queued');

    expect(queued).to.deep.equal({ v: 1, key: id, schema: 'queued' });
    expect(key).to.match(new RegExp(`^tenant:${id}\\.:k$`));
    expect(await resumeTenant(queued, em => em.schema, { orm })).to.equal('queued');
  });

  for (const name of ['beforeCreate', 'afterCreate'] as const) {
    it(`J3 T5 what ${name} throws undoes the creation, and nothing else`, async () => {
      const thrown = new Error('not this one');
      act[name] = async ({ em, schemaName }) => {
        if (schemaName === 'bad') {
          await em.execute('select 1');
          throw thrown;
        }
      };
      const error = await refusal(create('bad'), 'HOOK_FAILED');

      expect(error).to.be.instanceOf(TenantHookError).and.to.include({ hook: name, schemaName: 'bad', cause: thrown });
      expect(await schemaNames(database)).to.not.include('bad');
      expect(await orm.em.fork().count(Firm, { schemaName: 'bad' })).to.equal(0);
      expect(calls.at(-1)).to.equal('onError create bad');
      await create(`good_${name.toLowerCase()}`);
    });
  }

  it('J3 one that hangs counts as failed after its limit, and what it does later is stored nowhere', async () => {
    let goOn: () => void = () => undefined;
    let ended: Promise<unknown> = Promise.resolve();
    act.afterCreate = ({ em }) => {
      ended = (async () => {
        await new Promise<void>(resolve => (goOn = resolve));
        await em.insert(Note, { text: 'too late' });
      })();

      return ended;
    };
    await refusal(create('slow'), 'HOOK_TIMEOUT');
    act = {};
    await create('slow');
    goOn();

    expect(await failureOf(ended)).to.be.instanceOf(Error);
    expect(await notesOf('slow')).to.deep.equal([]);
  });

  it('J3 one that forgets to await stores nothing outside of its transaction', async () => {
    const forgotten: Promise<unknown>[] = [];
    const forget = (work: Promise<unknown>): void => {
      work.catch(() => undefined);
      forgotten.push(work);
    };
    let goOn: () => void = () => undefined;
    const created = new Promise<void>(resolve => (goOn = resolve));
    act.afterCreate = ({ em, schemaName }) => {
      forget(em.insert(Note, { text: `at once for ${schemaName}` }));
      forget(created.then(() => em.insert(Note, { text: `late for ${schemaName}` })));
    };
    await create('hasty');
    goOn();
    act = {};
    await create('next');
    const outcomes = await Promise.allSettled(forgotten);

    expect(outcomes[1]?.status).to.equal('rejected');
    expect(await notesOf('hasty')).to.deep.equal(outcomes[0]?.status === 'fulfilled' ? ['at once for hasty'] : []);
    expect(await notesOf('next')).to.deep.equal([]);
  });

  it('J3 afterCommit is not called for what was rolled back, and what it throws undoes nothing', async () => {
    const seen: CommittedChange<Firm>[] = [];
    const failures: TenantFailure[] = [];
    act.afterCommit = change => void seen.push(change);
    const em = orm.em.fork();
    await failureOf(
      em.transactional(async tx => {
        await tx.persistAndFlush(firm('undone'));
        throw new Error('rolled back');
      }),
    );
    await em.transactional(async tx => {
      await failureOf(
        tx.transactional(async inner => {
          await inner.persistAndFlush(firm('in_savepoint'));
          throw new Error('rolled back');
        }),
      );
      await tx.persistAndFlush(firm('kept'));
      expect(seen).to.deep.equal([]);
    });
    expect(seen.map(({ kind, schemaName }) => [kind, schemaName])).to.deep.equal([['created', 'kept']]);

    act.onError = failure => void failures.push(failure);
    act.afterCommit = () => {
      throw new Error('too late to object');
    };
    await create('objected');
    act.afterCommit = () => new Promise(() => undefined);
    await create('hung');
    expect(failures.map(({ operation, schemaName, error }) => [operation, schemaName, (error as TenantHookError).code])).to.deep.equal([
      ['afterCommit', 'objected', 'HOOK_FAILED'],
      ['afterCommit', 'hung', 'HOOK_TIMEOUT'],
    ]);
    expect(await schemaNames(database)).to.include.members(['objected', 'hung']);
  });

  it('J3 beforeDrop and afterRename can refuse, and then nothing is changed', async () => {
    await create('firm');
    act.beforeDrop = () => Promise.reject(new Error('has invoices'));
    act.afterRename = ({ em }) => em.execute('select * from missing');
    await refusal(tenants(orm).drop('firm'), 'HOOK_FAILED');
    await refusal(tenants(orm).rename('firm', 'other'), 'HOOK_FAILED');

    expect(await schemaNames(database))
      .to.include('firm')
      .and.not.to.include('other');
    expect(await orm.em.fork().count(Firm, { schemaName: 'firm' })).to.equal(1);
    expect(calls.filter(call => call.startsWith('onError'))).to.deep.equal(['onError drop firm', 'onError rename firm']);
    act = {};
    await tenants(orm).drop('firm');
  });

  it('J3 onError is told when the transaction is rolled back, and what it throws is not thrown on', async () => {
    await create('taken');
    calls = [];
    act.onError = async () => {
      calls.push(`stored: ${await orm.em.fork().count(Firm, { note: 'again' })}`);
      throw new Error('of onError itself');
    };
    await refusal(orm.em.fork().persistAndFlush(firm('taken', 'again.example.com')), 'TENANT_ALREADY_EXISTS');
    expect(calls).to.deep.equal([]);
    await database.query('create schema foreign_schema');
    await refusal(create('foreign_schema'), 'SCHEMA_ALREADY_EXISTS');

    expect(calls).to.deep.equal(['beforeCreate in public true', 'onError create foreign_schema', 'stored: 0']);
    calls = [];
    await refusal(orm.em.fork().persistAndFlush(firm('foreign_schema', 'by-flush.example.com')), 'SCHEMA_ALREADY_EXISTS');

    expect(calls).to.deep.equal(['beforeCreate in public true', 'onError create foreign_schema', 'stored: 0']);
    await database.query('drop schema foreign_schema');
  });

  describe('where only the commit is refused', () => {
    before(async () => {
      await tenants<Firm>(orm).create({ schemaName: 'held', domainUrl: 'held.example.com' });
      await database.query(
        `create function refuse_at_commit() returns trigger language plpgsql as $$ begin raise exception 'refused at the commit'; end $$`,
      );
      await database.query(
        `create constraint trigger refuse_at_commit after insert or update or delete on firm deferrable initially deferred for each row execute function refuse_at_commit()`,
      );
    });

    after(async () => {
      await database.query('drop function refuse_at_commit() cascade');
      await tenants(orm).drop('held');
    });

    const data = { schemaName: 'late', domainUrl: 'late.example.com' };
    const CHANGES: Readonly<Record<string, [expected: string, change: () => Promise<unknown>]>> = {
      'create()': ['create late', () => tenants<Firm>(orm).create(data)],
      'a flush': ['create late', () => orm.em.fork().persistAndFlush(new Firm(data))],
      'a transaction of the caller’s': ['create late', () => orm.em.fork().transactional(em => em.persistAndFlush(new Firm(data)))],
      'clone()': ['create late', () => tenants<Firm>(orm).clone('held', data)],
      'rename()': ['rename held', () => tenants(orm).rename('held', 'late')],
      'drop()': ['drop held', () => tenants(orm).drop('held')],
    };

    for (const [how, [expected, change]] of Object.entries(CHANGES)) {
      it(`J3 onError is told once, when the connection is free: ${how}`, async () => {
        act.onError = async () => void calls.push(`stored: ${await orm.em.fork().count(Firm, { schemaName: 'late' })}`);
        expect(String(await failureOf(change()))).to.contain('refused at the commit');
        expect(calls.filter(call => /^(onError|afterCommit|stored)/.test(call))).to.deep.equal([`onError ${expected}`, 'stored: 0']);
      });
    }
  });

  it('J3 onError is not told of what is committed, though a subscriber that is told of the commit throws', async () => {
    const em = orm.em.fork({ cloneEventManager: true });
    em.getEventManager().registerSubscriber({
      afterTransactionCommit: () => {
        throw new Error('of the subscriber');
      },
    });

    expect(String(await failureOf(em.persistAndFlush(firm('stays', 'stays.example.com'))))).to.contain('of the subscriber');
    expect(calls.filter(call => /^(onError|afterCommit)/.test(call))).to.deep.equal(['afterCommit created in undefined false']);
    await tenants(orm).drop('stays');
  });

  it('J3 M4 a run calls its hooks once for each tenant, also where tenants share a message, and one that refuses is reported alone', async () => {
    for (const { schemaName } of await tenants(orm).list()) {
      await tenants(orm).drop(schemaName);
    }

    for (const name of ['t1', 't2', 't3', 't4', 't5']) {
      await create(name);
    }

    set.push(sqlMigration('Second', 'create table shelf (id serial primary key)'));
    calls = [];
    act.beforeMigrate = ({ schemaName }) => (schemaName === 't2' ? Promise.reject(new Error('not now')) : undefined);
    act.afterMigrate = async ({ em, schemaName }) => {
      em.persist(em.create(Note, { text: 'migrated' }));

      if (schemaName === 't3') {
        throw new Error('the index of the search is away');
      }
    };
    const result = await tenants(orm).migrate();

    expect(result.migrated.map(({ schemaName }) => schemaName)).to.deep.equal(['t1', 't3', 't4', 't5']);
    expect(result.failed.map(({ schemaName, error }) => [schemaName, (error as TenantHookError).code])).to.deep.equal([
      ['t2', 'HOOK_FAILED'],
    ]);
    expect(calls.toSorted()).to.deep.equal(
      [
        ...['t1', 't2', 't3', 't4', 't5'].map(name => `beforeMigrate in ${name} Second`),
        ...['t1', 't3', 't4', 't5'].map(name => `afterMigrate in ${name} Second`),
        'onError afterMigrate t3',
        'onError migrate t2',
      ].toSorted(),
    );
    expect([await notesOf('t1'), await notesOf('t3')]).to.deep.equal([['migrated'], []]);

    act = {};
    expect((await tenants(orm).migrate()).migrated.map(({ schemaName }) => schemaName)).to.deep.equal(['t2']);
    calls = [];
    expect((await tenants(orm).migrate({ direction: 'down', where: { schemaName: 't1' } })).failed).to.deep.equal([]);
    expect(calls).to.deep.equal(['beforeMigrate in t1 Second', 'afterMigrate in t1 Second']);
    set.pop();
  });

  it('J3 one around a migration that takes too long stores nothing when it ends', async () => {
    await create('late');
    let end: () => void = () => undefined;
    const awaited = new Promise<void>(resolve => (end = resolve));
    let hook: Promise<void> | undefined;
    act.beforeMigrate = ({ em }) => {
      em.persist(em.create(Note, { text: 'too late' }));

      return (hook = awaited);
    };
    set.push(sqlMigration('Second', 'create table shelf (id serial primary key)'));
    const { failed } = await tenants(orm).migrate({ only: ['late'] });
    set.pop();
    end();
    await hook;
    // what it would do next is sent by now, and is answered before this
    await delay(20);

    expect(failed.map(({ error }) => (error as TenantHookError).code)).to.deep.equal(['HOOK_TIMEOUT']);
    expect(await notesOf('late')).to.deep.equal([]);
    act = {};
    await tenants(orm).drop('late');
  });

  it('J3 L1 L2 a clone and an import call the hooks of a creation, which are told what creates the tenant, and can refuse it', async () => {
    const seen: unknown[] = [];
    act.afterCommit = ({ kind, schemaName, by }) => void seen.push([kind, schemaName, by]);
    act.beforeCreate = ({ by, from }) => void seen.push([by, from]);
    act.afterCreate = ({ em, by }) => {
      em.persist(em.create(Note, { text: `by ${by}` }));
    };
    await create('source');
    await tenants(orm).clone('source', { schemaName: 'copy', domainUrl: 'copy.example.com' });
    const file = new PassThrough();
    await Promise.all([
      tenants(orm).export('source', file),
      tenants(orm).import(file, { schemaName: 'read', domainUrl: 'read.example.com' }, { migrate: false }),
    ]);

    expect(seen).to.deep.equal([
      ['create', undefined],
      ['created', 'source', 'create'],
      ['clone', 'source'],
      ['created', 'copy', 'clone'],
      ['import', undefined],
      ['created', 'read', 'import'],
    ]);
    expect([await notesOf('source'), await notesOf('copy'), await notesOf('read')]).to.deep.equal([
      ['by create'],
      ['by create', 'by clone'],
      ['by create', 'by import'],
    ]);

    calls = [];
    act.afterCreate = () => Promise.reject(new Error('no copies'));
    await refusal(tenants(orm).clone('source', { schemaName: 'refused', domainUrl: 'refused.example.com' }), 'HOOK_FAILED');
    expect(calls.at(-1)).to.equal('onError create refused');
    expect(await schemaNames(database)).to.not.include('refused');
  });

  it('J3 L4 an adopted schema and one that rows are extracted into call the hooks of a creation', async () => {
    const seen: string[] = [];
    act.beforeCreate = ({ by }) => void seen.push(`before ${by}`);
    act.afterCreate = ({ by, schemaName }) => void seen.push(`after ${by} of ${schemaName}`);
    await database.query('create schema by_hand');
    await database.query('create table by_hand.note (id serial primary key, text varchar(255) not null)');
    await tenants(orm).adopt({ schemaName: 'by_hand', domainUrl: 'by-hand.example.com' });
    expect(seen).to.deep.equal(['before adopt', 'after adopt of by_hand']);
    await tenants(orm).create({ schemaName: 'rows_only', domainUrl: 'rows-only.example.com' }, { autoCreateSchema: false });
    await tenants(orm).extract('rows_only');

    expect(seen.slice(-2)).to.deep.equal(['before extract', 'after extract of rows_only']);
  });

  it('J3 L3 a soft deletion can be refused, and it, its restoration and its purge are told', async () => {
    await create('soft');
    const seen: unknown[] = [];
    act.afterCommit = ({ kind, schemaName }) => void seen.push([kind, schemaName]);
    act.afterRename = ({ schemaName, from }) => void seen.push(['renamed', from, schemaName]);
    act.beforeDrop = () => Promise.reject(new Error('has invoices'));
    calls = [];
    await refusal(tenants(orm).drop('soft', { soft: true }), 'HOOK_FAILED');
    expect(calls.at(-1)).to.equal('onError drop soft');
    expect((await tenants(orm).list({ only: ['soft'] })).length).to.equal(1);

    act.beforeDrop = ({ schemaName, soft, tenant }) => void seen.push([soft, schemaName, tenant?.domainUrl]);
    await tenants(orm).drop('soft', { soft: true });
    await tenants(orm).restore('soft');
    await tenants(orm).drop('soft', { soft: true });
    await tenants(orm).restore('soft', { schemaName: 'softer' });
    await tenants(orm).drop('softer', { soft: true });
    const [{ id } = { id: '' }] = await tenants(orm).listDeleted();
    expect((await tenants(orm).purge()).failed).to.deep.equal([]);

    expect(seen).to.deep.equal([
      [true, 'soft', 'soft.example.com'],
      ['deletedSoftly', 'soft'],
      ['restored', 'soft'],
      [true, 'soft', 'soft.example.com'],
      ['deletedSoftly', 'soft'],
      ['renamed', 'soft', 'softer'],
      ['restored', 'softer'],
      [true, 'softer', 'soft.example.com'],
      ['deletedSoftly', 'softer'],
      ['deleted', id],
    ]);
  });

  it('J3 L7 beforeReport is told who is read and why, before anything is read, and can refuse it', async () => {
    const seen: unknown[] = [];
    act.beforeReport = event => void seen.push([event, currentSchema()]);
    await acrossTenants(Note, {}, { reason: 'billing', tenants: { only: ['source', 'copy'] }, orm }).count();
    expect(seen).to.deep.equal([[{ reason: 'billing', entity: 'Note', schemaNames: ['copy', 'source'] }, 'public']]);

    act.beforeReport = () => Promise.reject(new Error('not for billing'));
    database.statements.length = 0;
    const error = await refusal(acrossTenants(Note, {}, { reason: 'billing', orm }).toArray(), 'HOOK_FAILED');
    expect(error).to.include({ hook: 'beforeReport', schemaName: 'public' });
    expect(database.statements.filter(sql => sql.includes('"source"."note"'))).to.deep.equal([]);
  });

  it('J3 without onError, what nobody else is told of is logged, and what the caller is told of is not', async () => {
    const logged: string[] = [];
    const hooks: TenantHooks<any> = {
      afterCreate: ({ schemaName }) => {
        if (schemaName === 'told') {
          throw new Error('the caller hears this');
        }
      },
      afterCommit: () => {
        throw new Error('nobody hears this');
      },
      afterMigrate: () => {
        throw new Error('nobody hears of the migration');
      },
    };
    const migrationsList: (typeof set)[number][] = [];
    const other = await openOrm(
      database,
      { tenant: Firm, migrations: { migrationsList }, hooks },
      { entities: [Firm, Note], logger: (message: string) => void logged.push(message), colors: false },
    );
    await refusal(tenants(other).create({ schemaName: 'told', domainUrl: 'told.example.com' }), 'HOOK_FAILED');
    expect(logged.join()).not.to.contain('hears this');
    await tenants(other).create({ schemaName: 'untold', domainUrl: 'untold.example.com' });
    expect(logged.filter(message => message.includes('nobody hears this'))).to.have.lengthOf(1);
    migrationsList.push(sqlMigration('Shelf', 'create table shelf (id serial primary key)'));
    expect((await tenants(other).migrate({ where: { schemaName: 'untold' } })).failed).to.deep.equal([]);
    expect(logged.filter(message => message.includes('nobody hears of the migration'))).to.have.lengthOf(1);
    migrationsList.push(sqlMigration('Broken', 'select of_the_caller'));
    expect((await tenants(other).migrate({ where: { schemaName: 'untold' } })).failed).to.have.lengthOf(1);
    expect(logged.filter(message => message.includes('of_the_caller') && !message.includes('[query]'))).to.deep.equal([]);
    await tenants(other).drop('untold');
    await other.close();
  });

  it('J3 what onError itself throws is logged', async () => {
    const logged: string[] = [];
    const hooks: TenantHooks<any> = {
      afterCommit: () => {
        throw new Error('of afterCommit');
      },
      onError: () => {
        throw new Error('of onError itself');
      },
    };
    const other = await openOrm(
      database,
      { tenant: Firm, migrations: { migrationsList: [] }, hooks },
      { entities: [Firm, Note], logger: (message: string) => void logged.push(message), colors: false },
    );
    await tenants(other).create({ schemaName: 'failing', domainUrl: 'failing.example.com' });
    expect(logged.filter(message => message.includes('of onError itself'))).to.have.lengthOf(1);
    await tenants(other).drop('failing');
    await other.close();
  });

  it('W1 J3 refuses a hook that it does not know, one that is no function, and a limit that is none', async () => {
    const error = await refusal(
      () => openNoteOrm(database, Firm, { hooks: { afterCreat: () => undefined, onError: 'log', timeoutMs: 0 } as never }),
      'TENANT_CONFIG',
    );

    expect(error.message)
      .to.include('`hooks.afterCreat` is no hook')
      .and.to.include('`hooks.onError` is "log"')
      .and.to.include('`hooks.timeoutMs` is 0');
  });

  async function create(name: string): Promise<Firm> {
    return tenants<Firm>(orm).create({ schemaName: name, domainUrl: `${name.replaceAll('_', '-')}.example.com` });
  }

  function firm(name: string, domainUrl = `${name.replaceAll('_', '-')}.example.com`): Firm {
    return Object.assign(new Firm(), { schemaName: name, domainUrl });
  }

  async function notesOf(schemaName: string): Promise<string[]> {
    return runInTenant(schemaName, async em => (await em.find(Note, {}, { orderBy: { id: 1 } })).map(({ text }) => text), { orm });
  }
});

onDatabases(
  'hooks with roles',
  database => {
    it('J3 N3 run as the tenant’s role in the tenant’s scope, and leave none on the connection', async () => {
      const names = rolesOf(database, 'hooks');
      await names.create();
      const roles: unknown[] = [];
      const note = async ({ em }: { readonly em: HookEntityManager }): Promise<void> => {
        roles.push(...(await em.execute<{ role: string }[]>('select current_user as role')).map(({ role }) => role));
      };
      const hooks: TenantHooks = {
        beforeCreate: note,
        afterCreate: async event => {
          await note(event);
          event.em.persist(event.em.create(Note, { text: 'first' }));
        },
        beforeDrop: note,
      };
      const orm = await openNoteOrm(
        database,
        Firm,
        { hooks, roles: { prefix: names.prefix, shared: names.shared } },
        { pool: { min: 1, max: 1 } },
      );
      await tenants<Firm>(orm).create({ schemaName: 'acme', domainUrl: 'acme.example.com' });
      const fork = orm.em.fork();
      await note({ em: fork });
      expect(await runInTenant('acme', em => em.count(Note, {}), { orm })).to.equal(1);
      await tenants(orm).drop('acme');
      await note({ em: fork });

      expect(roles).to.deep.equal(['postgres', `${names.prefix}acme`, 'postgres', `${names.prefix}acme`, 'postgres']);
      await orm.close();
      await names.drop();
    });
  },
  ['postgresql', 'pglite'],
);
