import { Cursor, EntityHelper, helper, Reference, ReferenceKind, Utils, type Configuration, type EntityProperty } from '@mikro-orm/core';
import { CrossTenantError } from '../errors/index.js';
import { isJson, isListed, unwrapped } from './held-entities.js';
import { entitiesOf, firstForeignEntity, foreignSchema, isOwnEntity } from './relations.js';
import { holdsCarried, refuseCarried } from '../scope/carried-tenants.js';
import type { GuardContext } from '../scope/guard-context.js';
import { anyInObject } from '../scope/plain-values.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';

/**
 * Refuses data and conditions that hold an entity of another tenant, or a query that was built for one. Of an entity MikroORM takes its key
 * alone, and the key would be that of whichever row of the own tenant has it. `wanted` is the schema that is asked for where the scope says
 * none.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
export function refuseForeignEntities(
  given: readonly unknown[],
  wanted: string | undefined,
  { rules, scope, entity, values }: GuardContext & Described,
): void {
  const own = scope?.kind === 'tenant' ? scope.schemaName : wanted;

  // an EntityManager that has no tenant is refused for what it reads or writes
  if (own === undefined || own === rules.publicSchema) {
    return;
  }

  refuseCarried(given, own);
  const seen = new Set<object>();
  const meta = entity === undefined ? undefined : rules.metadata.getByClassName(entity, false);
  const path = entity === undefined ? [] : [entity];
  const at = { config: rules.config, path, seen, properties: meta?.properties, isData: values !== 'texts', isInJson: values !== undefined };

  for (const value of given) {
    refuseIn(value, own, at);
  }
}

/**
 * Refuses a new entity of a tenant that refers to another tenant's. An EntityManager without a tenant stores it where the entity is.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
export function refuseForeignRelations(entity: unknown, config: Configuration): void {
  if (!Utils.isEntity<object>(entity)) {
    return;
  }

  const { __meta: meta, __schema: schema } = helper(entity);
  const foreign = schema === undefined || !isTenantEntity(meta.root) ? undefined : firstForeignEntity(entity, schema, config);

  if (schema !== undefined && foreign !== undefined) {
    throw CrossTenantError.relation(foreign.property, schema, foreign.schemaName);
  }
}

/**
 * Whether there is anything in the value that `refuseForeignEntities` would look at: whatever is not a value, a date, or a list or plain object of
 * such. Most data and conditions are no more than that.
 */
export function mayHoldEntities(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? anyInObject(value, isNoDate) : typeof value === 'symbol';
}

/** The same of any value of the options of a call. */
export function anyMayHoldEntities(options: object): boolean {
  for (const key in options) {
    const value = (options as Readonly<Record<string, unknown>>)[key];

    // most are texts and numbers
    if (((typeof value === 'object' && value !== null) || typeof value === 'symbol') && mayHoldEntities(value)) {
      return true;
    }
  }

  return false;
}

/**
 * Whether all that is in the value is known to be of the tenant, so that `refuseForeignEntities` would find nothing. Whatever is neither a value,
 * an entity, nor a list or plain object of such is not known. Most data is looked at once, and the tenant is asked for only where it has an entity.
 */
export function holdsOnlyOwn(value: unknown, wanted: WantedTenant, depth: number = MAX_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) {
    return typeof value !== 'symbol';
  }

  if (Array.isArray(value)) {
    for (const item of value) {
      if (depth === 0 || !holdsOnlyOwn(item, wanted, depth - 1)) {
        return false;
      }
    }

    return true;
  }

  const isEntity = EntityHelper.isEntity(value);

  if (isEntity || value instanceof Reference) {
    const entity: object = value instanceof Reference ? value.unwrap() : value;
    const { schemaName, config, known } = wanted.find();

    return (
      schemaName !== undefined &&
      isOwnEntity(entity, schemaName, known) &&
      firstForeignEntity(entity, schemaName, config, known) === undefined
    );
  }

  if (depth === 0) {
    return false;
  }

  if (!Utils.isPlainObject<Readonly<Record<string, unknown>>>(value)) {
    return value instanceof Date;
  }

  for (const key in value) {
    const item = value[key];

    // most are texts and numbers
    if (((typeof item === 'object' && item !== null) || typeof item === 'symbol') && !holdsOnlyOwn(item, wanted, depth - 1)) {
      return false;
    }
  }

  return Object.getOwnPropertySymbols(value).length === 0;
}

/** What finds the tenant that a call is for. */
export interface WantedTenant {
  find(): OwnTenant;
}

export interface OwnTenant {
  /** Undefined where there is none. */
  readonly schemaName: string | undefined;
  /** That of the ORM. */
  readonly config: Configuration;
  /** The EntityManager, if `belongsTo` has said that it is of the scope. */
  readonly known: object | undefined;
}

const MAX_DEPTH = 8;

function isNoDate(leaf: object): boolean {
  return !(leaf instanceof Date);
}

function refuseIn(given: unknown, own: string, at: Place): void {
  if (typeof given !== 'object' || given === null || at.seen.has(given)) {
    return;
  }

  at.seen.add(given);
  const value = unwrapped(given);

  if (Utils.isEntity<object>(value) || Utils.isCollection(value)) {
    // MikroORM takes the key of the owner of a collection, where it does not expect one
    for (const entity of Utils.isCollection<object>(value) ? [value.owner, ...entitiesOf(value)] : [value]) {
      refuseEntity(entity, own, at);
    }
  } else if (Array.isArray(value) || (at.isInJson === true && isListed(value))) {
    for (const item of value) {
      refuseIn(item, own, at);
    }
  } else if (isData(value, at)) {
    const inner = at.isOutsideJson === true && !Utils.isPlainObject(value) ? { ...at, isData: false, isInInstance: true } : at;

    // MikroORM writes what an object inherits too
    for (const key in value) {
      if (typeof value[key] === 'object') {
        refuseIn(value[key], own, below(inner, key));
      }
    }
  } else {
    // it may be given as data elsewhere
    at.seen.delete(given);
  }
}

/** Whether MikroORM takes the object for data or a condition. It takes an instance of any class for data where data is expected. */
function isData(value: unknown, at: Place): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) {
    return false;
  }

  if (Utils.isPlainObject(value)) {
    return true;
  }

  if (at.isData) {
    return !(value instanceof Date || value instanceof Cursor || ArrayBuffer.isView(value) || holdsCarried(value));
  }

  // most objects have none
  const wrapped: ReturnType<typeof helper> | undefined = helper(value);

  return wrapped?.__meta.embeddable === true;
}

/**
 * The part of the data that the key leads to. An object of any class is looked into in an embedded property, a relation and a JSON column. In another
 * column it may be stored as JSON too, but no object of any class that is in it is looked into. Where no property is it is not: it may lead to all that
 * the application has, such as a service that is the parameter of a filter.
 */
function below(at: Place, key: string): Place {
  if (key.startsWith('$')) {
    return at;
  }

  const path = [...at.path, key];
  let { properties } = at;
  let isInJson = at.isInJson === true;
  let isInner = isInJson && at.isInInstance !== true;

  // the key of a condition may begin with the alias of a table
  for (const name of key.split('.')) {
    const property = properties?.[name];

    if (property !== undefined) {
      isInJson = true;
      isInner = true;
      properties = property.kind === ReferenceKind.EMBEDDED ? property.embeddedProps : property.targetMeta?.properties;

      if (property.kind === ReferenceKind.SCALAR) {
        return { ...at, path, properties: undefined, isData: isInner, isInJson, isOutsideJson: !isJson(property) };
      }
    }
  }

  return { ...at, path, properties, isData: isInner, isInJson };
}

function refuseEntity(entity: object, own: string, { path, config }: Place): void {
  const schema = foreignSchema(entity, own, config);

  if (schema !== undefined) {
    const property = path.length > 1 ? path.join('.') : undefined;
    throw CrossTenantError.givenEntity(helper(entity).__meta.className, [own, schema], property);
  }

  const foreign = firstForeignEntity(entity, own, config);

  if (foreign !== undefined) {
    throw CrossTenantError.givenEntity(helper(foreign.entity).__meta.className, [own, foreign.schemaName], foreign.property);
  }
}

interface Described {
  /** The class that the data or the condition is of. */
  readonly entity?: string | undefined;
  /** If it is neither, but values of SQL, what an object of any class is stored as. In a plain object it is JSON. */
  readonly values?: 'texts' | 'JSON';
}

interface Place {
  readonly config: Configuration;
  /** The entity that the data is of, and the properties that lead to this part of it. */
  readonly path: readonly string[];
  readonly seen: Set<object>;
  /** The properties that it may have, where that is known. */
  readonly properties: Properties | undefined;
  /** Whether an object of any class is data here: where data was given, and in the place of what consists of properties. */
  readonly isData: boolean;
  /** Whether it is in the place of a property. MikroORM may store it as JSON, in which all is data. */
  readonly isInJson?: boolean;
  /** Whether it is in another column, where an object of any class is data, but no other one that is in it. */
  readonly isOutsideJson?: boolean;
  /** Whether it is in an object of any class there. */
  readonly isInInstance?: boolean;
}

type Properties = Readonly<Record<string, EntityProperty | undefined>>;
