import { acrossTenants } from '@landlord/mikro-orm';
import { Entry, type Money, type Shop, Writer } from '../support/orm/ledger-orm.ts';

// `npm run types` checks this file. It never runs.

const report = acrossTenants(
  Entry,
  { fields: ['title', 'writer', 'price', 'madeOn'], orderBy: { title: 'desc nulls last' } },
  { reason: 'types' },
);

for await (const { tenant, row } of report) {
  const schemaName: string = tenant;
  const title: string = row.title;
  const key: number = row.id;
  const writer: number = row.writer;
  const price: Money | null | undefined = row.price;
  void [schemaName, title, key, writer, price];
  // @ts-expect-error -- it was not asked for
  void row.note;
}

for (const { row } of await acrossTenants(Writer, {}, { reason: 'types' }).toArray()) {
  const name: string = row.name;
  void name;
  // @ts-expect-error -- a collection is no part of a row
  void row.entries;
}

const totals = await report.aggregate(
  { rows: 'count', sum: { sum: 'amount' }, first: { min: 'title' } },
  { groupBy: ['isGone'], byTenant: true },
);
const [total] = totals;

if (total !== undefined) {
  const rows: number = total.rows;
  const sum: string | null = total.sum;
  const first: string | null = total.first;
  const isGone: boolean = total.isGone;
  const tenant: string = total.tenant;
  void [rows, sum, first, isGone, tenant];
}

const [plain] = await report.aggregate({ rows: 'count' });
// @ts-expect-error -- it is not by tenant
void plain?.tenant;

// @ts-expect-error -- a reason is required
acrossTenants(Entry, {}, {});

// @ts-expect-error -- the entity has no such property
acrossTenants(Entry, { fields: ['nothing'] }, { reason: 'types' });

// @ts-expect-error -- the entity has no such property
acrossTenants(Entry, { orderBy: { nothing: 'asc' } }, { reason: 'types' });

acrossTenants(Entry, {}, { reason: 'types', tenants: { where: { schemaName: 'acme' } } });
acrossTenants<Entry, 'title', Shop>(Entry, {}, { reason: 'types', tenants: { where: { region: 'north' } } });
