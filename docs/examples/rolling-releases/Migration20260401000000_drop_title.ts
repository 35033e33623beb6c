import { Migration } from '@mikro-orm/migrations';

export class Migration20260401000000_drop_title extends Migration {
  override name = 'Migration20260401000000_drop_title';

  override up(): void {
    this.addSql('update "book" set "name" = "title" where "name" is null;');
    this.addSql('alter table "book" alter column "name" set not null, drop column "title";');
  }
}
