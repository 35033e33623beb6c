import { NOT_DELETED, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { Client } from '../bookshop/entities.js';

// #region delete
export async function closeShop(schemaName: string): Promise<void> {
  await tenants().drop(schemaName, { soft: true });
}
// #endregion delete

// #region restore
export async function reopenShop(schemaName: string): Promise<Client> {
  const client = await tenants<Client>().restore(schemaName);
  // the tenant set may have grown meanwhile
  await tenants().migrate({ only: [client.schemaName] });

  return client;
}
// #endregion restore

// #region purge
export async function dropOldShops(): Promise<number> {
  const { purged, failed } = await tenants().purge({ olderThan: '30d' });
  failed.forEach(({ schemaName, error }) => console.error(schemaName, error));

  return purged.length;
}
// #endregion purge

// #region query
export async function openShops(em: TenantEntityManager): Promise<Client[]> {
  return em.find(Client, NOT_DELETED);
}
// #endregion query
