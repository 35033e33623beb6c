import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

onDatabases(
  'a schema of 500 tables',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openLibrary(database);
    });

    it('T19 is dropped whole, and its neighbour kept', async () => {
      await orm.em.fork().persistAndFlush([newLibrary('large'), newLibrary('small')]);
      await database.query(
        `do $$ begin for i in 1..500 loop execute format('create table large.t%s (id serial primary key, body text)', i); end loop; end $$`,
      );
      await tenants(orm).drop('large');

      expect(await schemaNames(database)).to.deep.equal(['small']);
      expect(await storedTenants(database)).to.deep.equal(['small']);
    });
  },
  ['postgresql'],
);
