import { Migration } from '@mikro-orm/migrations';

export class Migration20260101000000_create_clients extends Migration {
  override name = 'Migration20260101000000_create_clients';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "client" ("id" serial primary key, "domain_url" varchar(255) not null, "schema_name" varchar(63) not null, "name" varchar(255) not null, "on_trial" boolean not null default true);`,
    );
    this.addSql(`alter table "client" add constraint "client_domain_url_unique" unique ("domain_url");`);
    this.addSql(`alter table "client" add constraint "client_schema_name_unique" unique ("schema_name");`);

    this.addSql(`create table "genre" ("id" serial primary key, "name" varchar(255) not null);`);
    this.addSql(`alter table "genre" add constraint "genre_name_unique" unique ("name");`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "client" cascade;`);
    this.addSql(`drop table if exists "genre" cascade;`);
  }
}
