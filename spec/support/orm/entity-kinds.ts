import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p, type EntityClass } from '@mikro-orm/core';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { Migration } from '@mikro-orm/migrations';

export class Client extends TenantMixin {}

defineEntity({ class: Client, extends: TenantMixin, properties: {} });

abstract class Owned {
  id!: number;
}

const OwnedSchema = defineEntity({ class: Owned, abstract: true, schema: '*', properties: { id: p.integer().primary() } });

export class Note extends Owned {
  text!: string;
}

defineEntity({ class: Note, extends: OwnedSchema, properties: { text: p.string() } });

@Entity({ abstract: true, schema: '*' })
abstract class OwnedByDecorator {
  @PrimaryKey({ type: 'integer' })
  id!: number;
}

abstract class Unmapped extends OwnedByDecorator {}

@Entity()
export class Memo extends Unmapped {
  @Property({ type: 'string' })
  text!: string;
}

@Entity({ abstract: true })
abstract class Titled {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;
}

@Entity()
export class Setting extends Titled {}

@Entity({ schema: '*' })
export class Shelf extends Titled {}

export class Vehicle {
  id!: number;
}

const VehicleSchema = defineEntity({
  class: Vehicle,
  schema: '*',
  discriminatorColumn: 'kind',
  properties: { id: p.integer().primary(), kind: p.string().hidden() },
});

export class Van extends Vehicle {
  load?: number;
}

const VanSchema = defineEntity({ class: Van, extends: VehicleSchema, properties: { load: p.integer().nullable() } });

export class Truck extends Van {}

defineEntity({ class: Truck, extends: VanSchema, properties: {} });

export class Person {
  id!: number;
  name!: string;
}

const PersonSchema = defineEntity({
  class: Person,
  schema: '*',
  inheritance: 'tpt',
  properties: { id: p.integer().primary(), name: p.string() },
});

export class Employee extends Person {
  desk!: string;
}

defineEntity({ class: Employee, extends: PersonSchema, properties: { desk: p.string() } });

export class Plan {
  id!: number;
  title!: string;
}

const PlanSchema = defineEntity({
  class: Plan,
  discriminatorColumn: 'kind',
  properties: { id: p.integer().primary(), title: p.string(), kind: p.string().hidden() },
});

export class PaidPlan extends Plan {
  price!: number;
}

defineEntity({ class: PaidPlan, extends: PlanSchema, properties: { price: p.integer() } });

export abstract class Notice {
  id!: number;
  text!: string;
}

const NoticeSchema = defineEntity({
  class: Notice,
  abstract: true,
  discriminatorColumn: 'kind',
  properties: { id: p.integer().primary(), text: p.string(), kind: p.string().hidden() },
});

export class Outage extends Notice {}

defineEntity({ class: Outage, extends: NoticeSchema, properties: {} });

export abstract class Account {
  id!: number;
  iban!: string;
}

const AccountSchema = defineEntity({
  class: Account,
  abstract: true,
  inheritance: 'tpt',
  properties: { id: p.integer().primary(), iban: p.string() },
});

export class Savings extends Account {
  rate!: number;
}

defineEntity({ class: Savings, extends: AccountSchema, properties: { rate: p.integer() } });

export const TENANT_ENTITIES: readonly AnyClass[] = [Note, Memo, Shelf, Vehicle, Van, Truck, Person, Employee];

export const SHARED_ENTITIES: readonly AnyClass[] = [Client, Setting, Plan, PaidPlan, Notice, Outage, Account, Savings];

export class Tables extends Migration {
  override up(): void {
    this.addSql('create table "note" ("id" serial primary key, "text" varchar(255) not null)');
    this.addSql('create table "memo" ("id" serial primary key, "text" varchar(255) not null)');
    this.addSql('create table "shelf" ("id" serial primary key, "title" varchar(255) not null)');
    this.addSql('create table "vehicle" ("id" serial primary key, "kind" varchar(255) not null, "load" int)');
    this.addSql('create table "person" ("id" serial primary key, "name" varchar(255) not null)');
    this.addSql(
      'create table "employee" ("id" int primary key references "person" ("id") on delete cascade, "desk" varchar(255) not null)',
    );
  }
}

export type AnyClass = EntityClass<any>;
