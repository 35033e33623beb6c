import { currentTenant, runInTenant, TenantMixin, tenants, withTenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';

class CreateBook extends Migration {
  override up(): void {
    this.addSql('create table "book" ("id" serial primary key, "title" text not null)');
  }
}

class Client extends TenantMixin {
  name!: string;
}

const ClientSchema = defineEntity({ class: Client, tableName: 'client', extends: TenantMixin, properties: { name: p.string() } });
const BookSchema = defineEntity({ name: 'Book', schema: '*', properties: { id: p.integer().primary(), title: p.string() } });

class Book extends BookSchema.class {}

BookSchema.setClass(Book);

export interface ShopOrm {
  readonly em: TenantEntityManager;
  readonly schema: { create(): Promise<void> };
  close(): Promise<void>;
}

/** The tenants and their books, which the applications of all frameworks have. */
export async function openShop(url = process.env['DATABASE_URL'] ?? ''): Promise<ShopOrm> {
  const config = withTenants(defineConfig({ entities: [ClientSchema, BookSchema], clientUrl: url }), {
    tenant: Client,
    publicHosts: ['example.com'],
    migrations: { migrationsList: [{ name: 'CreateBook', class: CreateBook }] },
  });

  return MikroORM.init(config);
}

export async function createTenants(orm: ShopOrm, ...names: readonly string[]): Promise<void> {
  await orm.schema.create();

  for (const name of names) {
    await tenants<Client>(orm as never).create({ name, schemaName: name, domainUrl: `${name}.example.com` });
    await runInTenant(name, em => em.persistAndFlush(em.create(Book, { title: `Book of ${name}` })), { orm: orm as never });
  }
}

/** The page of a tenant. */
export async function booksHere({ em }: Pick<ShopOrm, 'em'>): Promise<object> {
  const books = await em.find(Book, {}, { orderBy: { id: 'asc' } });

  return { tenant: currentTenant<Client>()?.name, titles: books.map(({ title }) => title) };
}

export async function addBook({ em }: Pick<ShopOrm, 'em'>, body: unknown): Promise<object> {
  const { title } = body as { readonly title: string };
  await em.persistAndFlush(em.create(Book, { title }));

  return booksHere({ em });
}

export const PUBLIC_PAGE = { page: 'public' };

/** Says on which port the application listens, and ends it on a signal. */
export function untilStopped(orm: ShopOrm, port: number, close: () => Promise<unknown>): void {
  process.once('SIGTERM', () => void close().then(() => orm.close()));
  console.log(port);
}
