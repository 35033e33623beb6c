import { helper, ReferenceKind, Utils, type EntityMetadata, type EntityName, type EntityProperty } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import type { ReportTemplate } from './report-template.js';
import type { ReportRow } from './report-types.js';

/** Makes plain rows of what the database gives. MikroORM makes an entity of each first, in an EntityManager that is thrown away. */
export class RowMaker {
  readonly #database: TenantDatabase;
  readonly #entity: EntityName<object>;
  readonly #meta: EntityMetadata;
  readonly #properties: readonly EntityProperty[];

  constructor(database: TenantDatabase, entity: EntityName<any>, { meta, properties }: Pick<ReportTemplate, 'meta' | 'properties'>) {
    this.#database = database;
    this.#entity = entity as EntityName<object>;
    this.#meta = meta;
    this.#properties = properties;
  }

  make(rows: readonly RawRow[]): ReportRow<any>[] {
    const ems = new Map<string, ReturnType<TenantDatabase['orm']['em']['fork']>>();
    const names = this.#properties.flatMap(({ fieldNames }) => fieldNames);

    return rows.map(raw => {
      const tenant = String(raw.landlord_tenant);
      const em = ems.get(tenant) ?? this.#database.orm.em.fork({ schema: tenant });
      ems.set(tenant, em);
      // as `em.find()` does it: `em.map()` refuses what the database gives in another type than the entity says, such as a count in a view
      const data = em.getDriver().mapResult(Object.fromEntries(names.map(name => [name, raw[name]])), this.#meta);
      const entity = em.merge(this.#entity, data as object, { convertCustomTypes: true, refresh: true, validate: false });

      return { tenant, row: plainRow(entity, this.#properties) };
    });
  }
}

/** The value of a property as MikroORM gives it, made of what the database gives. */
export function valueOf({ customType, runtimeType }: EntityProperty, value: unknown, database: TenantDatabase): unknown {
  const platform = database.orm.em.getPlatform();

  if (value === null || value === undefined) {
    return null;
  }

  if (customType !== undefined) {
    return customType.convertToJSValue(value, platform);
  }

  return runtimeType === 'Date' && !(value instanceof Date) ? platform.parseDate(value as string) : value;
}

function plainRow(entity: object, properties: readonly EntityProperty[]): Record<string, unknown> {
  const get = (name: string): unknown => Reflect.get(entity, name);

  return Object.fromEntries(
    properties.map(property => {
      const { name, kind, embedded, targetMeta } = property;

      // the columns of an embeddable are properties too, and the first one brings all of it
      if (embedded !== undefined) {
        return [embedded[0], plainValue(get(embedded[0]))];
      }

      if (kind === ReferenceKind.SCALAR) {
        return [name, get(name) ?? null];
      }

      return [name, kind === ReferenceKind.EMBEDDED ? plainValue(get(name), targetMeta) : keyOf(get(name))];
    }),
  );
}

function keyOf(target: unknown): unknown {
  return Utils.isEntity(target, true) ? (helper(target).getPrimaryKey() ?? null) : (target ?? null);
}

/** An embeddable without its class, and those in it. */
function plainValue(value: unknown, meta?: EntityMetadata): unknown {
  if (Array.isArray(value)) {
    return value.map(each => plainValue(each, meta));
  }

  if (typeof value !== 'object' || value === null || KEPT.some(each => value instanceof each)) {
    return value ?? null;
  }

  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plainValue(each)]));
}

/** What is a value of its own. */
const KEPT = [Date, Uint8Array];

export interface RawRow {
  readonly landlord_tenant?: unknown;
  readonly [column: string]: unknown;
}
