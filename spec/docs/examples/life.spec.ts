import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Book, Client } from '../../../docs/examples/bookshop/entities.ts';
import { lookAtTenants } from '../../../docs/examples/doctor/nightly.ts';
import { closeShop, dropOldShops, openShops, reopenShop } from '../../../docs/examples/soft-deletion/shops.ts';
import { countBooks } from '../../../docs/examples/tenant-commands/report.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { openBookshop } from '../../support/orm/bookshop.ts';
import { createBookshopProject, type BookshopProject } from '../../support/processes/bookshop-project.ts';
import { transcriptsOf } from '../../support/processes/transcripts.ts';

onDatabases('the pages on soft deletion, on commands and on the doctor', database => {
  it('L3 a shop is closed, left out of queries, reopened, and not dropped before its time', async () => {
    const orm = await openBookshop(database);
    await tenants<Client>(orm).create({ name: 'Acme', schemaName: 'acme', domainUrl: 'acme.example.com' });
    const shops = async (): Promise<string[]> => (await openShops(orm.em.fork())).map(({ schemaName }) => schemaName);
    await closeShop('acme');
    expect([await shops(), await orm.em.fork().count(Client)]).to.deep.equal([[], 1]);
    expect(await dropOldShops()).to.equal(0);
    await reopenShop('acme');
    expect(await shops()).to.deep.equal(['acme']);
  });

  it('L13 L5 a program counts the books of its tenant, and the doctor has nothing to say', async () => {
    await runInTenant('acme', em => em.persistAndFlush(em.create(Book, { title: 'Emma' })));
    expect(await failureOf(countBooks()))
      .to.have.property('message')
      .that.contains('tenant:exec');
    Object.assign(process.env, await tenants().environment('acme'));
    expect(await countBooks()).to.equal(1);
    delete process.env['LANDLORD_TENANT'];
    expect(await lookAtTenants()).to.deep.equal([]);
    await database.query(`comment on schema acme is 'mine'`);
    expect((await lookAtTenants()).join()).to.match(/^schema-foreign in acme: the schema has the mark of somebody else\. /);
  });
});

onDatabases(
  'the commands on the pages on soft deletion, on commands and on the doctor',
  database => {
    let project: BookshopProject;

    before(async () => {
      project = await createBookshopProject(database.url ?? '');
      database.atEnd(() => project.remove());
      const orm = await openBookshop(database);
      await orm.close();
    });

    it('L11 L3 do what the pages say', async () => {
      expect(await project.replay(transcriptsOf('docs/guides/tenant-commands.md').flat())).to.deep.equal([0, 0, 0, 0, 0]);
      expect(await project.replay(transcriptsOf('docs/guides/soft-deletion.md').flat())).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 0]);
      expect(await schemaNames(database)).to.deep.equal(['acme']);
    });

    it('L5 the doctor says what the page says', async () => {
      await project.run('tenant:create', '--name', 'Bob', '--schema-name', 'bob', '--domain-url', 'bob.example.com');
      const [healthy, broken, ...others] = transcriptsOf('docs/guides/doctor.md');
      expect(others).to.deep.equal([]);
      expect(await project.replay(healthy!)).to.deep.equal([0]);
      await database.query('comment on schema bob is null');
      expect(await project.replay(broken!)).to.deep.equal([1, 0]);
    });
  },
  ['postgresql'],
);
