import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Client } from '../../../docs/examples/tenant-states/client.ts';
import { app, deleteOldFiles, sendInvoice, suspend } from '../../../docs/examples/tenant-states/states.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { openNoteOrm } from '../../support/orm/note-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { serve } from '../../support/web/web-server.ts';

onDatabases('the page on the states of tenants', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openNoteOrm(database, Client);

    for (const name of ['acme', 'bob', 'carl']) {
      await tenants<Client>(orm).create({ name, schemaName: name, domainUrl: `${name}.example.com` });
    }

    await suspend('bob');
    const em = orm.em.fork();
    (await em.findOneOrFail(Client, { schemaName: 'carl' })).state = 'maintenance';
    await em.flush();
  });

  it('H18 H19 a suspended tenant is unknown, one in maintenance is 503 but for operators', async () => {
    process.env['OPERATOR_KEY'] = 'secret';
    app.use(ctx => {
      ctx.body = 'served';
    });
    const server = await serve(app, database);
    const statusOf = async (name: string, headers: Record<string, string> = {}): Promise<number> =>
      (await server.get(`${name}.example.com`, '/', { headers })).status;

    expect([await statusOf('acme'), await statusOf('bob'), await statusOf('carl')]).to.deep.equal([200, 404, 503]);
    expect(await statusOf('carl', { 'x-operator-key': 'secret' })).to.equal(200);
    delete process.env['OPERATOR_KEY'];
  });

  it('S25 work of active tenants is refused for others, and the visits are those that are asked for', async () => {
    const sent: string[] = [];
    const visited: string[] = [];
    const send = async (): Promise<void> => void sent.push('sent');
    await sendInvoice('acme', send);

    expect(await failureOf(sendInvoice('bob', send))).to.include({ code: 'TENANT_SUSPENDED' });
    expect(await failureOf(sendInvoice('carl', send))).to.include({ code: 'TENANT_IN_MAINTENANCE' });
    expect(sent).to.have.length(1);
    await deleteOldFiles(async name => void visited.push(name));
    expect(visited.toSorted()).to.deep.equal(['acme', 'bob']);
    expect(await runInTenant('bob', em => em.schema, { orm })).to.equal('bob');
  });
});
