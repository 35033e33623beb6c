import { Migration } from '@mikro-orm/migrations';

export class Migration20260101000002 extends Migration {
  up() {
    this.addSql('alter table "book" add column "subtitle" varchar(255)');
  }
}
