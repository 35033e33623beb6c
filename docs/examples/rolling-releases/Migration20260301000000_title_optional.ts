import { Migration } from '@mikro-orm/migrations';

export class Migration20260301000000_title_optional extends Migration {
  override name = 'Migration20260301000000_title_optional';

  override up(): void {
    this.addSql('alter table "book" alter column "title" drop not null;');
  }
}
