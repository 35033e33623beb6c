import { Migration } from '@mikro-orm/migrations';

export class Migration20260101000001_create_books extends Migration {
  override name = 'Migration20260101000001_create_books';

  override up(): void | Promise<void> {
    this.addSql(`create table "book" ("id" serial primary key, "title" varchar(255) not null, "genre_id" int null);`);

    this.addSql(`create table "user" ("id" serial primary key, "email" varchar(255) not null);`);
    this.addSql(`alter table "user" add constraint "user_email_unique" unique ("email");`);

    this.addSql(
      `alter table "book" add constraint "book_genre_id_foreign" foreign key ("genre_id") references "public"."genre" ("id") on delete set null;`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "book" cascade;`);
    this.addSql(`drop table if exists "user" cascade;`);
  }
}
