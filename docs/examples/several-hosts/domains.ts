import { TenantError, type TenantEntityManager } from '@landlord/mikro-orm';
import { Client, Domain } from './entities.js';

// #region create
export async function signUp(em: TenantEntityManager): Promise<void> {
  const client = new Client({ name: 'Acme', schemaName: 'acme', domainUrl: 'acme.example.com' });
  client.domains.add(new Domain({ domain: 'acme.com', tenant: client }));
  await em.persistAndFlush(client); // row, schema, tables and domain in one transaction
}
// #endregion create

// #region add
export async function addDomain(em: TenantEntityManager, client: Client, domain: string): Promise<string> {
  try {
    await em.persistAndFlush(new Domain({ domain, tenant: client }));
    return 'stored';
  } catch (error) {
    if (error instanceof TenantError && ['DOMAIN_INVALID', 'DOMAIN_RESERVED', 'HOST_TAKEN'].includes(error.code)) {
      return error.code; // tell the visitor
    }

    throw error;
  }
}
// #endregion add

// #region primary
export async function makePrimary(em: TenantEntityManager, domain: string): Promise<void> {
  const found = await em.findOneOrFail(Domain, { domain });
  found.isPrimary = true; // the former primary domain loses it in the same transaction
  await em.flush();
}
// #endregion primary
