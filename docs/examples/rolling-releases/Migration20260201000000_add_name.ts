import { Migration } from '@mikro-orm/migrations';

export class Migration20260201000000_add_name extends Migration {
  override name = 'Migration20260201000000_add_name';

  override up(): void {
    this.addSql('alter table "book" add "name" varchar(255) null;');
  }

  override down(): void {
    this.addSql('alter table "book" drop column "name";');
  }
}
