import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Account, enter, linkTo, Membership, requireRole, shopsOf } from '../../../docs/examples/bookshop/accounts.ts';
import { Book, Client, Genre, User } from '../../../docs/examples/bookshop/entities.ts';
import * as settings from '../../../docs/examples/bookshop/settings.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';
import { openOrm, type SpecOrm } from '../../support/orm/open-orm.ts';

onDatabases('the page on one user in many tenants', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openBookshop(database, {}, { entities: [Client, Genre, Book, User, Account, Membership] });
    await orm.schema.update();
  });

  it('S6 an account enters the shops that it is a member of, and no other', async () => {
    const [acme, bob] = [await createShop('acme'), await createShop('bob')];
    await createShop('carl');
    const em = orm.em.fork();
    const ann = em.create(Account, { email: 'ann@x.org' });
    em.create(Membership, { account: ann, client: acme, role: 'owner' });
    em.create(Membership, { account: ann, client: bob, role: 'clerk' });
    await em.flush();

    expect(await shopsOf(ann.id)).to.deep.equal(['acme.example.com', 'bob.example.com']);
    expect(await runInTenant('acme', inner => requireRole(inner, ann.id))).to.equal('owner');
    expect(await runInTenant('bob', inner => requireRole(inner, ann.id))).to.equal('clerk');
    expect(String(await failureOf(runInTenant('carl', inner => requireRole(inner, ann.id))))).to.contain('not a member');

    const ticket = new URL(await linkTo(acme, ann.id)).searchParams.get('ticket') ?? '';
    expect(await runInTenant('acme', inner => enter(inner, ticket))).to.equal(ann.id);
    expect(String(await failureOf(runInTenant('bob', inner => enter(inner, ticket))))).to.contain('"aud"');

    await tenants().drop('acme');
    expect(await shopsOf(ann.id)).to.deep.equal(['bob.example.com']);
  });
});

onDatabases('the page on settings of a tenant', database => {
  it('S17 S10 settings are of one tenant, by its row and by its table', async () => {
    const orm = await openOrm(
      database,
      { tenant: settings.Shop, migrations: { migrationsList: [settings.CreateSettings] } },
      { entities: [settings.Shop, settings.Setting] },
    );
    await orm.schema.create();
    const em = orm.em.fork();
    await em.persistAndFlush([
      new settings.Shop({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme', features: ['beta'] }),
      new settings.Shop({ name: 'Bob', domainUrl: 'bob.example.com', schemaName: 'bob' }),
    ]);
    const noon = new Date(Date.UTC(2026, 0, 1, 12));
    const timeIn = async (schema: string): Promise<string> => runInTenant(schema, async () => settings.formatTime(noon));

    await runInTenant('acme', inner => settings.setTimeZone(inner, 'Asia/Tokyo'));
    expect([await timeIn('acme'), await timeIn('bob')]).to.deep.equal(['01/01/2026, 21:00:00', '01/01/2026, 12:00:00']);
    expect(await runInTenant('acme', async () => settings.hasFeature('beta'))).to.equal(true);
    expect(await runInTenant('bob', async () => settings.hasFeature('beta'))).to.equal(false);

    await settings.setSetting('acme', 'invoice.footer', 'Thank you');
    const read = async (schema: string): Promise<unknown[]> =>
      runInTenant(schema, async inner => [
        await settings.getSetting(inner, 'invoice.footer'),
        await settings.getSetting(inner, 'invoice.days'),
      ]);
    expect(await read('acme')).to.deep.equal(['Thank you', 30]);
    expect(await read('bob')).to.deep.equal(['', 30]);
    expect(await read('acme')).to.deep.equal(['Thank you', 30]);
  });
});
