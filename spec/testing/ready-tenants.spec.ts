import { randomUUID } from 'node:crypto';
import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { openLibraryKit, type LibraryKit } from '../support/testing/library-kit.ts';

for (const kind of ['postgresql', 'pglite'] as const) {
  describe(`the ready tenants of a worker (${kind})`, () => {
    let kit: LibraryKit | undefined;

    afterEach(() => kit?.close());

    it('K1 become as many as its tests take, up to `readyAtMost`, and have nothing of a test', async () => {
      kit = await openLibraryKit(kind, { ...OWN[kind], readyAtMost: 4 });

      expect(await namesOfTest(kit, 3)).to.deep.equal(['ready_1', 'ready_2', 'test_3']);
      expect(await namesOfTest(kit, 5)).to.deep.equal(['ready_1', 'ready_2', 'ready_3', 'test_7', 'test_8']);
      expect(await namesOfTest(kit, 5)).to.deep.equal(['ready_1', 'ready_2', 'ready_3', 'ready_4', 'test_13']);
      // after a test that commits there are those of the template
      await kit.run('real', () => kit?.testTenant(), { mode: 'real' });
      expect(await namesOfTest(kit, 3)).to.deep.equal(['ready_1', 'ready_2', 'test_17']);
    });

    it('K1 have the names and the data that a test gives them, and are dropped and renamed like any other', async () => {
      const { orm } = (kit = await openLibraryKit(kind, OWN[kind]));
      await kit.begin('names');
      const acme = await kit.testTenant<Library>({ name: 'Acme', schemaName: 'acme', domainUrl: 'acme.example.com' });
      await kit.testTenant<Library>();
      await tenants(orm).rename('acme', 'apex');
      await tenants(orm).drop('ready_2');

      expect([acme.name, acme.domainUrl]).to.deep.equal(['Acme', 'acme.example.com']);
      expect((await tenants(orm).list()).map(({ schemaName }) => schemaName)).to.deep.equal(['apex']);
      await kit.end();
      await kit.begin('the next one');
      expect(await orm.em.fork().count(Library)).to.equal(0);
      expect((await kit.testTenant()).schemaName).to.equal('ready_1');
    });
  });
}

/** On a server, a database that no other spec has added ready tenants to. */
const OWN = { postgresql: { version: randomUUID() }, pglite: {} };

/** The schemas of so many tenants of one test, which has found nothing in them and stores something in each. */
async function namesOfTest(kit: LibraryKit, count: number): Promise<string[]> {
  return kit.run(`${count} tenants`, async () => {
    const names: string[] = [];
    expect(await kit.orm.em.fork().count(Library)).to.equal(0);

    for (let index = 0; index < count; index += 1) {
      const tenant = await kit.testTenant<Library>();
      names.push(tenant.schemaName);
      await runInTenant(tenant, async em => {
        expect(await em.count(Author)).to.equal(0);
        await em.persistAndFlush(em.create(Author, { name: 'Ann' }));
      });
    }

    return names;
  });
}
