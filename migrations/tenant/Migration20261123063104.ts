import { Migration } from '@mikro-orm/migrations';

export class Migration20261123063104 extends Migration {

  override name = 'Migration20261123063104';

  override up(): void | Promise<void> {
    this.addSql(`create type "book_format" as enum ('print', 'audio', 'large');`);
    this.addSql(`create table "author" ("id" serial primary key, "name" varchar(255) not null);`);
    this.addSql(`create index "author_name_lower_index" on author (lower(name));`);

    this.addSql(`create table "book" ("id" serial primary key, "title" varchar(255) not null, "copies" int not null default 1, "format" "book_format" not null default 'print', "author_id" int not null, "genre_id" int null, "sequel_of_id" int null);`);

    this.addSql(`create table "member" ("id" uuid not null default gen_random_uuid(), "name" varchar(255) not null, primary key ("id"));`);

    this.addSql(`create table "loan" ("id" serial primary key, "book_id" int not null, "member_id" uuid not null, "lent_at" timestamptz not null default now(), "returned_at" timestamptz null);`);

    this.addSql(`create table "tag" ("id" serial primary key, "name" varchar(255) not null);`);
    this.addSql(`alter table "tag" add constraint "tag_name_unique" unique ("name");`);

    this.addSql(`create table "book_tags" ("book_id" int not null, "tag_id" int not null, primary key ("book_id", "tag_id"));`);

    this.addSql(`alter table "book" add constraint "book_author_id_foreign" foreign key ("author_id") references "author" ("id");`);
    this.addSql(`alter table "book" add constraint "book_genre_id_foreign" foreign key ("genre_id") references "public"."genre" ("id") on delete set null;`);
    this.addSql(`alter table "book" add constraint "book_sequel_of_id_foreign" foreign key ("sequel_of_id") references "book" ("id") on delete set null;`);
    this.addSql(`alter table "book" add constraint "book_copies_check" check (copies >= 0);`);

    this.addSql(`alter table "loan" add constraint "loan_book_id_foreign" foreign key ("book_id") references "book" ("id");`);
    this.addSql(`alter table "loan" add constraint "loan_member_id_foreign" foreign key ("member_id") references "member" ("id");`);

    this.addSql(`alter table "book_tags" add constraint "book_tags_book_id_foreign" foreign key ("book_id") references "book" ("id") on update cascade on delete cascade;`);
    this.addSql(`alter table "book_tags" add constraint "book_tags_tag_id_foreign" foreign key ("tag_id") references "tag" ("id") on update cascade on delete cascade;`);

    this.addSql(`create view "loan_summary" as select "l"."member_id", count(*) as loans from "loan" as "l" group by "l"."member_id";`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop view if exists "loan_summary" cascade;`);
    this.addSql(`alter table "book" drop constraint "book_author_id_foreign";`);
    this.addSql(`alter table "book" drop constraint "book_sequel_of_id_foreign";`);
    this.addSql(`alter table "loan" drop constraint "loan_book_id_foreign";`);
    this.addSql(`alter table "book_tags" drop constraint "book_tags_book_id_foreign";`);
    this.addSql(`alter table "loan" drop constraint "loan_member_id_foreign";`);
    this.addSql(`alter table "book_tags" drop constraint "book_tags_tag_id_foreign";`);

    this.addSql(`drop table if exists "author" cascade;`);
    this.addSql(`drop table if exists "book" cascade;`);
    this.addSql(`drop table if exists "member" cascade;`);
    this.addSql(`drop table if exists "loan" cascade;`);
    this.addSql(`drop table if exists "tag" cascade;`);
    this.addSql(`drop table if exists "book_tags" cascade;`);

    this.addSql(`drop type "book_format";`);
  }

}
