import { Migration } from '@mikro-orm/migrations';

export class DropMovedTables extends Migration {
  // #region up
  override up(): void {
    this.addSql('drop table "book", "author"');
  }
  // #endregion up
}
