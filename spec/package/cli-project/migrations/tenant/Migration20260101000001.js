import { Migration } from '@mikro-orm/migrations';

export class Migration20260101000001 extends Migration {
  up() {
    this.addSql('create table "book" ("id" serial primary key, "title" varchar(255) not null)');
  }
}
