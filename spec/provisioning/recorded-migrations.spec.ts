import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

let reader: string | undefined;

const LIST = ['Shelf', 'Tag', 'Label'].map(name => ({
  name,
  class: class extends Migration {
    override up(): void {
      this.addSql(`create table "${name.toLowerCase()}" ("id" serial primary key)`);

      if (name === 'Tag' && reader !== undefined) {
        this.addSql(reader);
      }
    }
  },
}));

onDatabases('the history of a new tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { migrations: { migrationsList: LIST } });
  });

  afterEach(() => {
    reader = undefined;
  });

  const recordedIn = async (schemaName: string): Promise<unknown[]> =>
    (await database.query(`select name from "${schemaName}".mikro_orm_migrations order by id`)).map(({ name }) => name);

  it('T1 has its migrations in the order in which they ran, and that of another tenant has no more than its own', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);

    expect(await recordedIn('acme')).to.deep.equal(['Shelf', 'Tag', 'Label']);
    expect(await recordedIn('bob')).to.deep.equal(['Shelf', 'Tag', 'Label']);
  });

  it('T1 has those before a migration whose SQL reads it', async () => {
    reader = 'create table "seen" as select name from MIKRO_ORM_MIGRATIONS order by id';
    await orm.em.fork().persistAndFlush(newLibrary('carol'));

    expect(await database.query('select name from carol.seen')).to.deep.equal([{ name: 'Shelf' }]);
    expect(await recordedIn('carol')).to.deep.equal(['Shelf', 'Tag', 'Label']);
  });
});
