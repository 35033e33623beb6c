import { Migration } from '@mikro-orm/migrations';

export class Migration20261128215652_add_states_and_domains extends Migration {

  override name = 'Migration20261128215652_add_states_and_domains';

  override up(): void | Promise<void> {
    this.addSql(`create table "team_domain" ("id" serial primary key, "domain" varchar(255) not null, "is_primary" boolean null default false, "tenant_id" int not null);`);
    this.addSql(`alter table "team_domain" add constraint "team_domain_domain_unique" unique ("domain");`);
    this.addSql(`create unique index "team_domain_one_primary" on "team_domain" ("tenant_id") where "is_primary";`);

    this.addSql(`alter table "team" add "state" text not null default 'active';`);
    this.addSql(`alter table "team" add constraint "team_state_check" check ("state" in ('active', 'suspended', 'maintenance'));`);
    this.addSql(`create or replace function "team_landlord_domains_check_fn"() returns trigger as \$\$ begin if tg_op = 'INSERT' or new."domain_url" is distinct from old."domain_url" then if pg_catalog.current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then raise exception 'Hosts of tenants cannot be written in a transaction of this isolation level: it does not see hosts that others have stored meanwhile.' using errcode = 'LL002', hint = 'Write them in a transaction of the level read committed.'; end if; perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('landlord:host:' || new."domain_url", 0)); if exists (select 1 from "public"."team_domain" as d where d."domain" = new."domain_url" and d."tenant_id" is distinct from new."id") then raise exception 'Another tenant already has the host "%".', new."domain_url" using errcode = 'LL001', detail = new."domain_url"; end if; end if; return new; end; \$\$ language plpgsql;`);
    this.addSql(`create trigger "landlord_domains_check" BEFORE INSERT OR UPDATE on "team" for each ROW execute function "team_landlord_domains_check_fn"();`);

    this.addSql(`alter table "team_domain" add constraint "team_domain_tenant_id_foreign" foreign key ("tenant_id") references "team" ("id") on update cascade on delete cascade;`);
    this.addSql(`create or replace function "team_domain_landlord_domains_lock_fn"() returns trigger as \$\$ begin if tg_op = 'UPDATE' then if pg_catalog.current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then raise exception 'Hosts of tenants cannot be written in a transaction of this isolation level: it does not see hosts that others have stored meanwhile.' using errcode = 'LL002', hint = 'Write them in a transaction of the level read committed.'; end if; end if; if tg_op = 'UPDATE' or pg_catalog.pg_trigger_depth() = 1 then perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('landlord:domains:public.team_domain', 0)); end if; return null; end; \$\$ language plpgsql;`);
    this.addSql(`create trigger "landlord_domains_lock" BEFORE UPDATE OR DELETE on "team_domain" for each STATEMENT execute function "team_domain_landlord_domains_lock_fn"();`);
    this.addSql(`create or replace function "team_domain_landlord_domains_check_fn"() returns trigger as \$\$ begin declare "wished" boolean; begin if tg_op = 'INSERT' or new."domain" is distinct from old."domain" or new."tenant_id" is distinct from old."tenant_id" then if new."domain" !~ '^([[][0-9a-f:.]+]|[a-z0-9_]|[a-z0-9_][a-z0-9_.-]*[a-z0-9_])\$' or new."domain" like 'www.%' and new."domain" not like 'www.www.%' then raise exception 'The domain "%" is not in the form in which hosts are looked up.', new."domain" using errcode = 'LL003', detail = new."domain", hint = 'Write it in lower-case ASCII letters, without port, trailing dot and www., or by a flush.'; end if; perform 1 from "public"."team" as t where t."id" = new."tenant_id" for key share; if tg_op = 'INSERT' then if pg_catalog.current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then raise exception 'Hosts of tenants cannot be written in a transaction of this isolation level: it does not see hosts that others have stored meanwhile.' using errcode = 'LL002', hint = 'Write them in a transaction of the level read committed.'; end if; perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('landlord:domains:public.team_domain', 0)); end if; perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('landlord:host:' || new."domain", 0)); if exists (select 1 from "public"."team" as t where t."domain_url" = new."domain" and t."id" is distinct from new."tenant_id") then raise exception 'Another tenant already has the host "%".', new."domain" using errcode = 'LL001', detail = new."domain"; end if; end if; if tg_op = 'UPDATE' and old."is_primary" is null then return new; end if; "wished" = case when tg_op = 'INSERT' then new."is_primary" is true else new."is_primary" is null or (new."is_primary" and old."is_primary" is not true) end; if exists (select 1 from "public"."team_domain" as d where d."tenant_id" = new."tenant_id" and d."is_primary" is not false and d."id" is distinct from new."id") then new."is_primary" = case when "wished" then null else false end; elsif tg_op = 'INSERT' or new."is_primary" is null or new."tenant_id" is distinct from old."tenant_id" then new."is_primary" = true; end if; return new; end; end; \$\$ language plpgsql;`);
    this.addSql(`create trigger "landlord_domains_check" BEFORE INSERT OR UPDATE on "team_domain" for each ROW execute function "team_domain_landlord_domains_check_fn"();`);
    this.addSql(`create or replace function "team_domain_landlord_domains_settle_fn"() returns trigger as \$\$ begin if tg_op <> 'INSERT' then perform pg_catalog.pg_notify('landlord:public.team', t."schema_name") from "public"."team" as t where t."id" = old."tenant_id"; end if; if tg_op <> 'DELETE' then perform pg_catalog.pg_notify('landlord:public.team', t."schema_name") from "public"."team" as t where t."id" = new."tenant_id"; end if; if tg_op <> 'DELETE' and new."is_primary" is null then update "public"."team_domain" as d set "is_primary" = false where d."tenant_id" = new."tenant_id" and d."is_primary"; update "public"."team_domain" as d set "is_primary" = true where d."id" = new."id"; elsif tg_op <> 'INSERT' and old."is_primary" and (tg_op = 'DELETE' or new."is_primary" is false or new."tenant_id" is distinct from old."tenant_id") then if not exists (select 1 from "public"."team_domain" as d where d."tenant_id" = old."tenant_id" and d."is_primary" is not false) then update "public"."team_domain" as e set "is_primary" = true where e."id" = (select d."id" from "public"."team_domain" as d where d."tenant_id" = old."tenant_id" order by (d."id" = old."id"), d."id" limit 1); end if; end if; return null; end; \$\$ language plpgsql;`);
    this.addSql(`create trigger "landlord_domains_settle" AFTER INSERT OR UPDATE OR DELETE on "team_domain" for each ROW execute function "team_domain_landlord_domains_settle_fn"();`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop trigger if exists "landlord_domains_lock" on "team_domain";`);
    this.addSql(`drop function if exists "team_domain_landlord_domains_lock_fn"();`);
    this.addSql(`drop trigger if exists "landlord_domains_check" on "team_domain";`);
    this.addSql(`drop function if exists "team_domain_landlord_domains_check_fn"();`);
    this.addSql(`drop trigger if exists "landlord_domains_settle" on "team_domain";`);
    this.addSql(`drop function if exists "team_domain_landlord_domains_settle_fn"();`);
    this.addSql(`drop table if exists "team_domain" cascade;`);

    this.addSql(`alter table "team" drop constraint "team_state_check";`);
    this.addSql(`drop trigger if exists "landlord_domains_check" on "team";`);
    this.addSql(`drop function if exists "team_landlord_domains_check_fn"();`);
    this.addSql(`alter table "team" drop column "state";`);
  }

}
