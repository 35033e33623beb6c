import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

let reader: readonly string[] = [];

const LIST = ['Shelf', 'Tag', 'Label'].map(name => ({
  name,
  class: class extends Migration {
    override up(): void {
      this.addSql(`create table "${name.toLowerCase()}" ("id" serial primary key)`);

      if (name === 'Tag') {
        reader.forEach(sql => this.addSql(sql));
      }
    }
  },
}));

const HIDDEN = {
  'by a function': 'create table seen as select public.count_recorded() as counted',
  'by a default': ['create table seen (id int, counted bigint default public.count_recorded())', 'insert into seen (id) values (1)'],
  'in a block': `do $$ declare counted bigint; begin execute format('select count(*) from %I', 'mikro_orm' || '_migrations') into counted;
    execute format('create table seen as select %s as counted', counted); end $$`,
  'by a name with escapes': String.raw`create table seen as select count(*) as counted from U&"mikro\005form_migrations"`,
};

onDatabases('the history of a new tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { migrations: { migrationsList: LIST } });
  });

  afterEach(() => {
    reader = [];
  });

  const recordedIn = async (schemaName: string): Promise<unknown[]> =>
    (await database.query(`select name from "${schemaName}".mikro_orm_migrations order by id`)).map(({ name }) => name);

  it('T1 has its migrations in the order in which they ran, and that of another tenant has no more than its own', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);

    expect(await recordedIn('acme')).to.deep.equal(['Shelf', 'Tag', 'Label']);
    expect(await recordedIn('bob')).to.deep.equal(['Shelf', 'Tag', 'Label']);
  });

  it('T1 has those before a migration whose SQL reads it', async () => {
    reader = ['create table "seen" as select name from MIKRO_ORM_MIGRATIONS order by id'];
    await orm.em.fork().persistAndFlush(newLibrary('carol'));

    expect(await database.query('select name from carol.seen')).to.deep.equal([{ name: 'Shelf' }]);
    expect(await recordedIn('carol')).to.deep.equal(['Shelf', 'Tag', 'Label']);
  });

  for (const [index, [how, sql]] of Object.entries(HIDDEN).entries()) {
    it(`T1 has those before a migration whose SQL reads it ${how}`, async () => {
      const schemaName = `hidden${index}`;
      reader = [sql].flat();
      await database.query(`create or replace function public.count_recorded() returns bigint language plpgsql as $$
        declare counted bigint; begin execute 'select count(*) from mikro_orm_' || 'migrations' into counted; return counted; end $$`);
      await orm.em.fork().persistAndFlush(newLibrary(schemaName));

      expect(await database.query(`select counted::int from ${schemaName}.seen`)).to.deep.equal([{ counted: 1 }]);
      expect(await recordedIn(schemaName)).to.deep.equal(['Shelf', 'Tag', 'Label']);
    });
  }
});
