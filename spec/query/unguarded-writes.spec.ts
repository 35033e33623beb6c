import { expect } from 'chai';
import { Genre, Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';
import { refusal } from '../support/assertions/refusal.ts';

type Em = LibraryOrm['em'];

const DATA = { name: 'Bypass', domainUrl: 'bypass.example.com', schemaName: 'bypass', onTrial: true };

const WRITES: Readonly<Record<string, (em: Em) => Promise<unknown>>> = {
  'em.insert()': em => em.insert(Library, DATA),
  'em.insert() of an entity': em => em.insert(newLibrary('bypass')),
  'em.insertMany()': em => em.insertMany(Library, [DATA]),
  'em.insertMany() of entities': em => em.insertMany([newLibrary('bypass')]),
  'em.upsert()': em => em.upsert(Library, DATA),
  'em.upsert() of an entity': em => em.upsert(newLibrary('bypass')),
  'em.upsertMany()': em => em.upsertMany(Library, [DATA]),
  'em.upsertMany() of entities': em => em.upsertMany([newLibrary('bypass')]),
  'em.clone()': em => em.clone(Library, { schemaName: 'acme' }, DATA),
  'em.clone() of an entity': async em => em.clone(await em.findOneOrFail(Library, { schemaName: 'acme' }), DATA),
  'em.nativeDelete()': em => em.nativeDelete(Library, { schemaName: 'acme' }),
  'em.nativeUpdate() of schemaName': em => em.nativeUpdate(Library, { schemaName: 'acme' }, { schemaName: 'bypass' }),
  'em.nativeUpdate() of domainUrl': em => em.nativeUpdate(Library, { schemaName: 'acme' }, { domainUrl: 'NOT A HOST' }),
  'em.nativeUpdate() of the column': em => em.nativeUpdate(Library, { schemaName: 'acme' }, { ['schema_name' as 'schemaName']: 'bypass' }),
  'repository.insert()': em => em.getRepository(Library).insert(DATA),
  'repository.upsert()': em => em.getRepository(Library).upsert(DATA),
  'repository.nativeDelete()': em => em.getRepository(Library).nativeDelete({}),
  'qb.insert()': em => em.qb(Library).insert(DATA).execute(),
  'qb.insert().onConflict().merge()': em => em.qb(Library).insert(DATA).onConflict('schemaName').merge().execute(),
  'qb.delete()': em => em.qb(Library).delete({ schemaName: 'acme' }).execute(),
  'qb.delete() of a clone': em => em.qb(Library).delete({ schemaName: 'acme' }).clone().execute(),
  'qb.update() of schemaName': em => em.qb(Library).update({ schemaName: 'bypass' }).where({ schemaName: 'acme' }).execute(),
  'qb.update() of domainUrl': em => em.qb(Library).update({ domainUrl: 'bypass.example.com' }).execute(),
  'qb.update() of the column': em =>
    em
      .qb(Library)
      .update({ ['schema_name' as 'schemaName']: 'bypass' })
      .execute(),
  'qb.truncate()': em => em.qb(Library).truncate().execute(),
  'qb.insertFrom()': em =>
    em
      .qb(Library)
      .insertFrom(em.qb(Library, 'l').select(['name']))
      .execute(),
};

onDatabases('writing tenants without the unit of work', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
    await orm.em.fork().persistAndFlush(newLibrary('acme'));
  });

  for (const [way, write] of Object.entries(WRITES)) {
    it(`T15 refuses ${way}, which would leave row and schema apart`, async () => {
      database.statements.length = 0;
      const error = await refusal(() => write(orm.em.fork()));

      expect(error).to.include({ code: 'TENANT_WRITE_REFUSED', name: 'TenantWriteRefusedError' });
      expect(error.message).to.match(/^`em\.\w+\(.*writes tenants without the unit of work.*Use em\./);
      expect(database.statements.filter(statement => !/select/.test(statement))).to.deep.equal([]);
      expect(await storedTenants(database)).to.deep.equal(['acme']);
      expect(await schemaNames(database)).to.deep.equal(['acme']);
    });
  }

  it('T15 leaves the other properties of tenants to native updates', async () => {
    const em = orm.em.fork();
    await em.nativeUpdate(Library, { schemaName: 'acme' }, { onTrial: false });
    await em.qb(Library).update({ name: 'Acme & Sons' }).where({ schemaName: 'acme' }).execute();

    expect(await em.findOneOrFail(Library, { schemaName: 'acme' })).to.include({ name: 'Acme & Sons', onTrial: false });
  });

  it('T15 undoes native updates of tenants with the transaction that they are made in', async () => {
    const stored = (): Promise<unknown> => database.query('select * from library');
    const before = await stored();

    for (const update of [
      (em: Em) => em.nativeUpdate(Library, { schemaName: 'acme' }, { name: 'Undone' }),
      (em: Em) => em.qb(Library).update({ name: 'Undone' }).where({ schemaName: 'acme' }).execute(),
    ]) {
      await rollBackAfter(orm.em.fork(), async em => {
        await update(em);
        expect(await em.findOneOrFail(Library, { schemaName: 'acme' })).to.include({ name: 'Undone' });
      });
      expect(await stored()).to.deep.equal(before);
    }
  });

  it('T15 leaves other entities to every way of writing', async () => {
    const em = orm.em.fork();
    await em.insert(Genre, { name: 'crime', description: '' });
    await em.upsert(Genre, { name: 'crime', description: 'dark' });
    await em.clone(Genre, { name: 'crime' }, { name: 'noir' });
    await em.qb(Genre).insert({ name: 'poetry', description: '' }).execute();
    await em.qb(Genre).update({ description: 'short' }).where({ name: 'poetry' }).execute();
    await em.qb(Genre).delete({ name: 'noir' }).execute();
    await em.nativeDelete(Genre, { name: 'crime' });

    expect((await em.findAll(Genre)).map(({ name, description }) => ({ name, description }))).to.deep.equal([
      { name: 'poetry', description: 'short' },
    ]);
  });
});
