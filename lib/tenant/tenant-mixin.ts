import { defineEntity, p, type RequiredEntityData } from '@mikro-orm/core';
import { watchTrial } from './class-fields.js';
import { assignConstructorData } from './constructor-data.js';
import { explainMissingKeysOf } from './missing-key.js';

/**
 * The abstract base class of the tenant entity. It adds a host and a schema name.
 *
 * `Id` is the type of the primary key. A subclass can declare its own key, for example a uuid or a key of another name. Otherwise it gets
 * `id`, an auto-incremented integer.
 *
 * A subclass works with all of MikroORM's styles: `defineEntity` and a class, legacy decorators, ES decorators.
 */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging, no-unused-vars -- the interface below declares the properties and uses `Id`
export abstract class TenantMixin<Id = number> {
  /** Overrides the option of the same name for this class and its instances. */
  static autoCreateSchema?: boolean;

  /** Overrides the option of the same name for this class and its instances. */
  static autoDropSchema?: boolean;

  /**
   * Takes the property values of the new tenant, including those of the subclass. They override the initial values of class fields.
   *
   * @throws TenantSettingError `TENANT_SETTING_REFUSED` for `autoCreateSchema` and `autoDropSchema`, because data may come from a request.
   */
  constructor(data?: TenantData | (TenantNames & NoSettings)) {
    const trial = watchTrial(new.target, this, arguments);

    if (trial !== undefined) {
      return trial;
    }

    if (data !== undefined) {
      return assignConstructorData(this, data as TenantData, { TenantClass: new.target, root: TenantMixin });
    }
  }
}

// not in the class: TypeScript would then reject a key that a subclass declares as a field without an initial value (TS2612), which decorators need
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the class sets no fields
export interface TenantMixin<Id = number> {
  id: Id;

  /** The host of this tenant: a host name only, for example `acme.example.com`. Unique. Stored in lower-case ASCII form. */
  domainUrl: string;

  /** The PostgreSQL schema of this tenant: `^[a-z_][a-z0-9_]*$`, at most 63 bytes. Unique. A change renames the schema. */
  schemaName: string;

  /** Overrides the option and the class for this tenant. Not stored, and never taken from data: assign it. */
  autoCreateSchema?: boolean;

  /** Overrides the option and the class for this tenant. Not stored, and never taken from data: assign it. */
  autoDropSchema?: boolean;
}

/** The data that the constructor of a tenant takes. */
export interface TenantData extends TenantNames, NoSettings {
  readonly [property: string]: unknown;
}

interface TenantNames {
  readonly domainUrl: string;
  readonly schemaName: string;
}

interface NoSettings {
  /** A setting, and no data: set it on the tenant. */
  readonly autoCreateSchema?: never;
  /** A setting, and no data: set it on the tenant. */
  readonly autoDropSchema?: never;
}

/** The data of a new tenant, as `em.create()` takes it. Where its class is not named, any data. */
export type NewTenant<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> =
  TenantMixin<unknown> extends Tenant
    ? TenantData
    : RequiredEntityData<Tenant> & NoSettings & { readonly domainUrl?: string; readonly schemaName?: string };

// MikroORM's `assign()` writes any key that it is given, except that of a property without a setter
const setting = () => p.boolean().persist(false).nullable().hidden().getter();

const TenantMixinSchema = defineEntity({
  name: 'TenantMixin',
  abstract: true,
  properties: {
    domainUrl: p.string().unique(),
    schemaName: p.string().length(63).unique(),
    autoCreateSchema: setting(),
    autoDropSchema: setting(),
  },
});

TenantMixinSchema.setClass(TenantMixin as never);

explainMissingKeysOf(TenantMixin);
