import { Readable, Writable } from 'node:stream';
import {
  acrossTenants,
  forEachTenant,
  isHostServed,
  runInPublic,
  runInTenant,
  TenantMixin,
  TenantService,
  tenants,
} from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabases } from '../support/databases/database.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';

class Guild extends TenantMixin {}
defineEntity({ class: Guild, extends: TenantMixin, properties: {} });

/** Each method of the service, called with what it takes. */
const METHODS: Readonly<Record<string, (service: any) => Promise<unknown>>> = {
  adopt: service => service.adopt({ schemaName: 'adopted', domainUrl: 'adopted.example.com' }),
  changeHistories: service => service.changeHistories({ kind: 'log', name: 'CreateNote' }, {}),
  clone: service => service.clone('acme', { schemaName: 'cloned', domainUrl: 'cloned.example.com' }),
  create: service => service.create({ schemaName: 'created', domainUrl: 'created.example.com' }),
  createRole: service => service.createRole('acme'),
  distribute: service => service.distribute('acme'),
  doctor: service => service.doctor(),
  'doctor, deep': service => service.doctor({ deep: true }),
  'doctor, that mends': service => service.doctor({ fix: true }),
  drift: service => service.drift(),
  drop: service => service.drop('acme'),
  'drop, softly': service => service.drop('acme', { soft: true }),
  dropSchemas: service => service.dropSchemas([]),
  environment: service => service.environment('acme'),
  export: service => service.export('acme', new Writable({ write: (_chunk, _encoding, done) => done() })),
  extract: service => service.extract('acme'),
  findForCitus: service => service.findForCitus(),
  histories: service => service.histories(),
  history: service => service.history('acme'),
  import: service => service.import(Readable.from(['']), { schemaName: 'imported', domainUrl: 'imported.example.com' }),
  list: service => service.list(),
  listDeleted: service => service.listDeleted(),
  logMigration: service => service.logMigration('CreateNote'),
  migrate: service => service.migrate(),
  move: service => service.move('acme', 'node'),
  needsMigration: service => service.needsMigration(),
  ownedSchemas: service => service.ownedSchemas(),
  placement: service => service.placement(),
  preview: service => service.preview(),
  previewChange: service => service.previewChange({ kind: 'log', name: 'CreateNote' }, {}),
  previewPurge: service => service.previewPurge(),
  previewRollUp: service => service.previewRollUp(),
  provision: service => service.provision('acme'),
  purge: service => service.purge(),
  rebalance: service => service.rebalance(),
  rename: service => service.rename('acme', 'renamed'),
  renameMigration: service => service.renameMigration('CreateNote', 'CreateNotes'),
  restore: service => service.restore('gone'),
  rollUpMigrations: service => service.rollUpMigrations(),
  seed: service => service.seed('Nothing'),
  serverReport: service => service.serverReport(),
  status: service => service.status(),
  unlogMigration: service => service.unlogMigration('CreateNote'),
  usage: service => service.usage(),
};

/** What needs a connection of its own. */
const NEEDS_ITS_OWN: ReadonlySet<string> = new Set([
  'adopt',
  'doctor',
  'doctor, deep',
  'doctor, that mends',
  'drift',
  'dropSchemas',
  'usage',
]);

const FUNCTIONS: Readonly<Record<string, (orm: SpecOrm) => Promise<unknown>>> = {
  runInTenant: orm => runInTenant('acme', em => em.find(Note, {}), { orm }),
  runInPublic: orm => runInPublic(em => em.find(Guild, {}), { orm }),
  forEachTenant: orm => forEachTenant(em => em.find(Note, {}), { orm }),
  acrossTenants: orm => acrossTenants(Note, {}, { orm, reason: 'a spec' }).count(),
  isHostServed: orm => isHostServed('acme.example.com', { orm }),
};

onDatabases('a public function that is called in the caller’s own transaction, which has the only connection', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openNoteOrm(database, Guild, { directory: { listen: false } }, { pool: { min: 1, max: 1 } });
    await tenants(orm).create({ schemaName: 'acme', domainUrl: 'acme.example.com' });
  });

  it('P3 has a row for each method of the service', () => {
    const methods = new Set<string>();

    for (let proto: object = TenantService.prototype; proto !== Object.prototype; proto = Object.getPrototypeOf(proto) as object) {
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(proto))) {
        if (typeof value === 'function' && !LEFT_OUT.has(name)) {
          methods.add(name);
        }
      }
    }

    expect([...methods]).to.have.members([...new Set(Object.keys(METHODS).map(name => name.split(',')[0]))]);
  });

  for (const [name, call] of Object.entries(METHODS)) {
    const needsItsOwn = NEEDS_ITS_OWN.has(name);

    it(`P3 ${needsItsOwn ? 'is refused' : 'does not wait for itself'}: ${name}`, async () => {
      const error = await inTransaction(() => call(tenants(orm)));
      expect((error as { code?: string }).code === 'ONLY_CONNECTION_TAKEN', String(error)).to.equal(needsItsOwn);
    });
  }

  for (const [name, call] of Object.entries(FUNCTIONS)) {
    it(`P3 does not wait for itself: ${name}`, async () => {
      expect(await inTransaction(() => call(orm))).to.equal(ROLLED_BACK);
    });
  }

  it('P3 works again after the transaction, and before it', async () => {
    await orm.em.transactional(() => tenants(orm).list());
    expect((await tenants(orm).doctor()).tenants).to.equal(1);
  });

  it('P3 works in the transaction too where there are other connections', async () => {
    if (database.kind === 'pglite') {
      // it has one
      return;
    }

    const several = await openOrm(database, { tenant: Guild }, { entities: [Guild, Note], pool: { min: 0, max: 3 } });
    const report = await several.em.fork({ useContext: true }).transactional(() => tenants(several).doctor());

    expect(report.tenants).to.equal(1);
    await several.close();
  });

  /** What a transaction fails of that does the work and is rolled back then. */
  async function inTransaction(work: () => Promise<unknown>): Promise<unknown> {
    const late = new Promise<never>((_, reject) => void setTimeout(() => reject(new Error('it waits for itself')), 10_000).unref());
    const running = orm.em.fork({ useContext: true }).transactional(async () => {
      await work();
      throw ROLLED_BACK;
    });

    return failureOf(Promise.race([running, late]));
  }
});

const ROLLED_BACK = new Error('rolled back');

/** Writes files, and is no work of a transaction; what else is not for users. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'createMigration',
  'constructor',
  'inPublic',
  'inTransaction',
  'tried',
  'loadLocked',
  'schemaNameOf',
]);
