import { Migration } from '@mikro-orm/migrations';

export class Migration20260501000000_index_titles extends Migration {
  override name = 'Migration20260501000000_index_titles';

  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    this.addSql('create index concurrently if not exists book_title_index on book (title);');
  }
}
