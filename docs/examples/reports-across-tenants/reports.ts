import { acrossTenants } from '@landlord/mikro-orm';
import { Book } from '../bookshop/entities.js';

// #region rows
export async function titlesOfAllShops(): Promise<string[]> {
  const report = acrossTenants(
    Book,
    { where: { title: { $like: 'E%' } }, orderBy: { title: 'asc' }, limit: 100 },
    { reason: 'best-sellers' },
  );
  const lines: string[] = [];

  for await (const { tenant, row } of report) {
    lines.push(`${row.title} (${tenant})`);
  }

  return lines;
}
// #endregion rows

// #region aggregate
export async function booksByShop(): Promise<readonly { readonly tenant: string; readonly books: number }[]> {
  return acrossTenants(Book, {}, { reason: 'billing' }).aggregate({ books: 'count' }, { byTenant: true });
}

export async function booksOfAllShops(): Promise<number> {
  return acrossTenants(Book, {}, { reason: 'billing' }).count();
}
// #endregion aggregate

// #region tenants
export async function booksOnTrial(): Promise<number> {
  return acrossTenants(Book, {}, { reason: 'trials', tenants: { where: { onTrial: true } } }).count();
}
// #endregion tenants

// #region behind
export async function checkedReport(): Promise<readonly string[]> {
  const report = acrossTenants(Book, { fields: ['title'] }, { reason: 'inventory' });
  const titles = (await report.toArray()).map(({ row }) => row.title);
  const behind = await report.behind();

  return [...titles, ...behind.map(({ schemaName, missing }) => `not in it: ${schemaName}, without ${missing.join(', ')}`)];
}
// #endregion behind
