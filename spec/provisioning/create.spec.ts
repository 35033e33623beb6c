import { expect } from 'chai';
import { onDatabases } from '../support/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/library-orm.ts';

onDatabases('creating a tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
  });

  after(() => orm.close());

  it('T1 creates the schema and its tables with the row, in no other schema', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);

    const rows = await database.query<{ schemas: string[] }>(
      `select array_agg(table_schema::text order by table_schema) as schemas from information_schema.tables where table_name = 'book'`,
    );

    expect(rows[0]?.schemas).to.deep.equal(['acme', 'bob']);
  });
});
