import { Migration } from '@mikro-orm/migrations';

export class Migration20261128202355_create_teams extends Migration {

  override name = 'Migration20261128202355_create_teams';

  override up(): void | Promise<void> {
    this.addSql(`create table "priority" ("id" serial primary key, "name" varchar(255) not null);`);
    this.addSql(`alter table "priority" add constraint "priority_name_unique" unique ("name");`);

    this.addSql(`create table "team" ("id" serial primary key, "domain_url" varchar(255) not null, "schema_name" varchar(63) not null, "name" varchar(255) not null);`);
    this.addSql(`alter table "team" add constraint "team_domain_url_unique" unique ("domain_url");`);
    this.addSql(`alter table "team" add constraint "team_schema_name_unique" unique ("schema_name");`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "priority" cascade;`);
    this.addSql(`drop table if exists "team" cascade;`);
  }

}
