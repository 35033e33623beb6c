import { resumeTenant, tenantOfEnvironment } from '@landlord/mikro-orm';
import { Book } from '../bookshop/entities.js';

export async function countBooks(): Promise<number> {
  const tenant = tenantOfEnvironment();

  if (tenant === undefined) {
    throw new Error('Start me with `mikro-orm tenant:exec NAME -- node report.js`.');
  }

  return resumeTenant(tenant, em => em.count(Book));
}
