import { Migration } from '@mikro-orm/migrations';

export class Migration20261128202359_create_tasks extends Migration {

  override name = 'Migration20261128202359_create_tasks';

  override up(): void | Promise<void> {
    this.addSql(`create table "task" ("id" serial primary key, "title" varchar(255) not null, "priority_id" int not null, "is_done" boolean not null default false);`);

    this.addSql(`alter table "task" add constraint "task_priority_id_foreign" foreign key ("priority_id") references "public"."priority" ("id");`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "task" cascade;`);
  }

}
