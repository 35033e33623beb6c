import { Migration } from '@mikro-orm/migrations';

export class Migration20260101000000 extends Migration {
  up() {
    this.addSql(
      'create table "client" ("id" serial primary key, "domain_url" varchar(255) not null unique, "schema_name" varchar(63) not null unique, "name" varchar(255) not null)',
    );
  }
}
