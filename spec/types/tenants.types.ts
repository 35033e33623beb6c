import {
  forEachTenant,
  tenants,
  TenantMixin,
  type TenantEntityManager,
  type NewTenant,
  type TenantOutcome,
  type TenantVisit,
} from '@landlord/mikro-orm';
import type { Opt } from '@mikro-orm/core';

// `npm run types` checks this file. It never runs.

class Client extends TenantMixin {
  declare name: string;
  declare plan: 'free' | 'paid';
  declare seats: Opt<number>;

  // a class says of its own data what it takes: TypeScript gives a base class no way to
  constructor(data?: NewTenant<Client>) {
    super(data);
  }
}

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

const check = <_Holds extends true>(): void => undefined;

const data = { name: 'Acme', plan: 'free', schemaName: 'acme', domainUrl: 'acme.example.com' } as const;

export async function typesOfTenants(em: TenantEntityManager): Promise<void> {
  const clients = tenants<Client>();

  // creation
  check<Equals<Awaited<ReturnType<typeof clients.create>>, Client>>();
  await clients.create(data);
  await clients.create({ ...data, seats: 3 });
  // @ts-expect-error no such property
  await clients.create({ ...data, nmae: 'typo' });
  // @ts-expect-error no such plan
  await clients.create({ ...data, plan: 42 });
  // @ts-expect-error the plan is missing
  await clients.create({ name: 'Acme', schemaName: 'acme', domainUrl: 'acme.example.com' });
  // @ts-expect-error a setting is no data
  await clients.create({ ...data, autoCreateSchema: false });
  // @ts-expect-error as in `em.create()`
  new Client({ nmae: 1 });
  new Client(data);

  // conditions
  await clients.list({ where: { plan: 'paid' } });
  await clients.list({ where: { $or: [{ plan: 'paid' }, { seats: { $gt: 3 } }] }, only: ['acme'] });
  // @ts-expect-error no such property
  await clients.list({ where: { plna: 'paid' } });
  // @ts-expect-error no such plan
  await clients.migrate({ where: { plan: 'cheap' } });
  // @ts-expect-error no such property
  await clients.status({ where: { plna: 'paid' } });
  // @ts-expect-error no such property
  await clients.preview({ where: { plna: 'paid' } });

  // visits
  const visits = await forEachTenant<number, Client>((_, tenant) => {
    check<Equals<typeof tenant, Client>>();

    return tenant.seats;
  });
  check<Equals<typeof visits, TenantVisit<number>[]>>();
  const outcomes = await forEachTenant<number, Client>((_, tenant) => tenant.seats, { settle: true, where: { plan: 'free' } });
  check<Equals<typeof outcomes, TenantOutcome<number>[]>>();
  await forEachTenant<number, Client>(
    (_, tenant) => {
      check<Equals<typeof tenant, Client | undefined>>();

      return tenant?.seats ?? 0;
    },
    { includePublic: true },
  );
  // @ts-expect-error no such property
  await forEachTenant<number, Client>((_, tenant) => tenant.seats, { where: { plna: 'paid' } });
  (await forEachTenant((_, tenant) => tenant.schemaName)).map(({ value }) => value.toUpperCase());

  // where no class is named, nothing is known of its properties
  await tenants().create({ ...data, anything: 1 });
  await tenants().list({ where: { anything: 1 } });
  await forEachTenant(() => 1, { where: { anything: 1 } });

  // what is of the library alone is not declared
  // @ts-expect-error no such method
  em.bindToScope({});
}
