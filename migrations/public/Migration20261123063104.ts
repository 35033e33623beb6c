import { Migration } from '@mikro-orm/migrations';

export class Migration20261123063104 extends Migration {

  override name = 'Migration20261123063104';

  override up(): void | Promise<void> {
    this.addSql(`create table "genre" ("id" serial primary key, "name" varchar(255) not null, "description" varchar(255) not null default '');`);
    this.addSql(`alter table "genre" add constraint "genre_name_unique" unique ("name");`);

    this.addSql(`create table "library" ("id" serial primary key, "domain_url" varchar(255) not null, "schema_name" varchar(63) not null, "name" varchar(255) not null, "founded" date null, "on_trial" boolean not null default true);`);
    this.addSql(`alter table "library" add constraint "library_domain_url_unique" unique ("domain_url");`);
    this.addSql(`alter table "library" add constraint "library_schema_name_unique" unique ("schema_name");`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "genre" cascade;`);
    this.addSql(`drop table if exists "library" cascade;`);
  }

}
