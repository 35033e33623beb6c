import { runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Book } from '../../../docs/examples/bookshop/entities.ts';
import {
  booksByShop,
  booksOfAllShops,
  booksOnTrial,
  checkedReport,
  titlesOfAllShops,
} from '../../../docs/examples/reports-across-tenants/reports.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';

onDatabases('the page on reports across tenants', database => {
  before(async () => {
    await openBookshop(database);

    for (const [name, titles] of Object.entries({ acme: ['Emma', 'Persuasion'], bob: ['Emma', 'Evelina'], carol: ['Walden'] })) {
      await createShop(name);
      await runInTenant(name, em => em.persistAndFlush(titles.map(title => em.create(Book, { title }))));
    }
  });

  it('L7 gives what the page says', async () => {
    expect(await titlesOfAllShops()).to.deep.equal(['Emma (acme)', 'Emma (bob)', 'Evelina (bob)']);
    expect(await booksByShop()).to.deep.equal([
      { tenant: 'acme', books: 2 },
      { tenant: 'bob', books: 2 },
      { tenant: 'carol', books: 1 },
    ]);
    expect(await booksOfAllShops()).to.equal(5);
    expect(await booksOnTrial()).to.equal(5);
    await database.query('alter table carol.book rename column title to name');
    expect((await checkedReport()).toSorted()).to.deep.equal([
      'Emma',
      'Emma',
      'Evelina',
      'Persuasion',
      'not in it: carol, without book.title',
    ]);
  });
});
