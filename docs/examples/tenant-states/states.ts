import { forEachTenant, runInPublic, runInTenant, tenantContext } from '@landlord/mikro-orm';
import Koa from 'koa';
import { Client } from './client.js';

// #region suspend
export async function suspend(schemaName: string): Promise<void> {
  await runInPublic(async em => {
    const client = await em.findOneOrFail(Client, { schemaName });
    client.state = 'suspended';
    await em.flush();
  });
}
// #endregion suspend

// #region web
export const app = new Koa();

app.use(
  tenantContext({
    maintenance: {
      retryAfterSeconds: 300,
      bypass: ctx => ctx.get('x-operator-key') === process.env['OPERATOR_KEY'],
    },
  }),
);
// #endregion web

// #region work
export async function sendInvoice(schemaName: string, send: () => Promise<void>): Promise<void> {
  // fails with TENANT_SUSPENDED or TENANT_IN_MAINTENANCE
  await runInTenant(schemaName, send, { onlyActive: true });
}

export async function deleteOldFiles(deleteFiles: (schemaName: string) => Promise<void>): Promise<void> {
  // without `states`, only active tenants are visited
  await forEachTenant<void, Client>((_em, client) => deleteFiles(client.schemaName), { states: ['active', 'suspended'] });
}
// #endregion work
