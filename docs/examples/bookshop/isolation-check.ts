import { runInTenant, tenants } from '@landlord/mikro-orm';
import { Book, type Client } from './entities.js';

/** A smoke test of your own: what one tenant writes is not there for another. */
export async function checkIsolation(): Promise<void> {
  const names = ['check_a', 'check_b'];

  for (const name of names) {
    await tenants<Client>().create({ name, domainUrl: `${name.replace('_', '-')}.invalid`, schemaName: name });
  }

  try {
    await runInTenant('check_a', em => em.persistAndFlush(em.create(Book, { title: 'only here' })));
    const seen = await runInTenant('check_b', em => em.count(Book));

    if (seen > 0) {
      throw new Error(`Tenant check_b sees ${seen} books of check_a.`);
    }
  } finally {
    for (const name of names) {
      await tenants().drop(name);
    }
  }
}
