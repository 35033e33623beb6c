import { Migration } from '@mikro-orm/migrations';

export class AddTenants extends Migration {
  // #region up
  override up(): void {
    this.addSql(`alter table "customer" add "domain_url" varchar(255), add "schema_name" varchar(63)`);
    this.addSql(`update "customer" set "domain_url" = "slug" || '.example.com', "schema_name" = replace("slug", '-', '_')`);
    this.addSql(`alter table "customer" alter "domain_url" set not null, alter "schema_name" set not null`);
    this.addSql(`alter table "customer" add constraint "customer_domain_url_unique" unique ("domain_url")`);
    this.addSql(`alter table "customer" add constraint "customer_schema_name_unique" unique ("schema_name")`);
  }
  // #endregion up
}
