import { defineEntity, p } from '@mikro-orm/core';
import { watchTrial } from './class-fields.js';
import { assignConstructorData } from './constructor-data.js';

/**
 * The abstract entity that the tenants' entity extends: a class, a host and a schema.
 *
 * `Id` is the type of the primary key. Without a key of its own a subclass gets `id`, an auto-incremented integer; one that
 * declares its key (`id` as a uuid, or another name) keeps that.
 *
 * A subclass works in all of MikroORM's styles: `defineEntity` and a class, legacy decorators, ES decorators.
 */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging, no-unused-vars -- the interface below has the properties, and uses `Id`
export abstract class TenantMixin<Id = number> {
  /** Overrides the option of the same name for this class and its instances. */
  static autoCreateSchema?: boolean;

  /** Overrides the option of the same name for this class and its instances. */
  static autoDropSchema?: boolean;

  /** Takes the values of the new tenant's properties, those of the subclass too. They win over the initial values of class fields. */
  constructor(data?: TenantData) {
    const trial = watchTrial(new.target, this, arguments);

    if (trial !== undefined) {
      return trial;
    }

    if (data !== undefined) {
      return assignConstructorData(this, data, { TenantClass: new.target, root: TenantMixin });
    }
  }
}

// not in the class: TypeScript would refuse a subclass its key as a field without an initial value, as decorators need it (TS2612)
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- no field is set by the class, with or without it
export interface TenantMixin<Id = number> {
  id: Id;

  /** The host that serves this tenant: a host name alone, for example `acme.example.com`. Stored lower-case, in ASCII form; unique. */
  domainUrl: string;

  /** The PostgreSQL schema that holds this tenant: `^[a-z_][a-z0-9_]*$`, at most 63 bytes; unique. Changing it renames the schema. */
  schemaName: string;

  /** Overrides the option and the class for this one tenant. Not stored. */
  autoCreateSchema?: boolean;

  /** Overrides the option and the class for this one tenant. Not stored. */
  autoDropSchema?: boolean;
}

/** What the constructor of a tenant takes. */
export interface TenantData {
  readonly domainUrl: string;
  readonly schemaName: string;
  readonly [property: string]: unknown;
}

const TenantMixinSchema = defineEntity({
  name: 'TenantMixin',
  abstract: true,
  properties: {
    domainUrl: p.string().unique(),
    schemaName: p.string().length(63).unique(),
    autoCreateSchema: p.boolean().persist(false).nullable(),
    autoDropSchema: p.boolean().persist(false).nullable(),
  },
});

TenantMixinSchema.setClass(TenantMixin as never);
