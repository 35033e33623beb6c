import { currentTenant, forEachTenant, runInTenant, TenantError, TenantMixin, tenants, withTenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';
import { OtherClientSchema } from './other.ts';

class First extends Migration {
  override up(): void {
    this.addSql('create table "author" ("id" serial primary key, "name" text not null)');
    this.addSql(
      'create table "book" ("id" serial primary key, "title" text not null, "author_id" int not null references "author" ("id"))',
    );
  }
}

class Client extends TenantMixin {
  name!: string;
}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, tableName: 'client', properties: { name: p.string() } });

const AuthorSchema = defineEntity({
  name: 'Author',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});

class Author extends AuthorSchema.class {}

AuthorSchema.setClass(Author);

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author) },
});

class Book extends BookSchema.class {}

BookSchema.setClass(Book);

const config = withTenants(
  defineConfig({ entities: [ClientSchema, AuthorSchema, BookSchema, OtherClientSchema], clientUrl: process.env['DATABASE_URL'] ?? '' }),
  { tenant: Client, migrations: { migrationsList: [{ name: 'First', class: First }] } },
);

// CommonJS, in which it is bundled too, does not await outside of functions
async function run(): Promise<void> {
  const orm = await MikroORM.init(config);
  const seen: Record<string, unknown> = {};

  await orm.schema.create();
  await orm.em
    .fork()
    .persistAndFlush(
      ['acme', 'bob'].map(name => Object.assign(new Client(), { name, domainUrl: `${name}.example.com`, schemaName: name })),
    );
  await runInTenant('acme', async em => {
    const author = em.create(Author, { name: 'Ann' });
    em.create(Book, { title: 'acme book', author });
    await em.flush();
    em.clear();
    const [found] = await em.find(Author, {}, { populate: ['books'] });
    seen['populated'] = found?.books.getItems().map(({ title }) => title);
    seen['tenant'] = currentTenant<Client>()?.name;
    seen['raw'] = await em.execute('select title from book');

    try {
      await em.find(Book, {}, { schema: 'bob' });
    } catch (error) {
      seen['refused'] = [error instanceof TenantError, error instanceof TenantError && error.code];
    }
  });
  seen['counts'] = await forEachTenant(async em => em.count(Book)).then(outcomes => outcomes.map(each => each.ok && each.value));

  try {
    await orm.em.fork().find(Book, {});
  } catch (error) {
    seen['outside'] = error instanceof TenantError && error.code;
  }

  const status = await tenants(orm).status();
  seen['status'] = status.tenants.map(({ schemaName, executed }) => [schemaName, executed]);
  await orm.close();
  console.log(JSON.stringify(seen));
}

void run();
