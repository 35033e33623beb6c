import { JsonType, ReferenceKind, type EntityMetadata, type EntityProperty } from '@mikro-orm/core';
import { RunUsageError } from '../errors/index.js';

/** A property of the tenant's entity that the command line takes as a flag. */
export interface TenantField {
  readonly name: string;
  /** Such as `--paid-until`. */
  readonly flag: string;
  readonly isBoolean: boolean;
  readonly isRequired: boolean;
  readonly isNullable: boolean;
  readonly choices: readonly string[] | undefined;
  /** What it takes, for the help. */
  readonly takes: string;
  /** @throws RunUsageError `RUN_USAGE` */
  parse(text: string): unknown;
}

/** The flags for a new tenant: of each stored property that somebody may set, by its type; a relation takes the key of the other row. */
export function fieldsOf(meta: EntityMetadata): TenantField[] {
  const defaults = defaultsOf(meta);

  return meta.props
    .filter(property => isSettable(property) && !OPTIONS.has(property.name))
    .map(property => fieldOf(property, defaults.has(property.name)));
}

function isSettable(property: EntityProperty): boolean {
  const { kind, persist, formula, generated, primary, autoincrement, version, targetMeta, name } = property;

  return (
    persist !== false &&
    formula === undefined &&
    generated === undefined &&
    version !== true &&
    !(primary === true && (autoincrement === true || property.defaultRaw !== undefined || property.runtimeType === 'number')) &&
    property.embedded === undefined &&
    !name.startsWith('__') &&
    (kind === ReferenceKind.SCALAR ||
      ((kind === ReferenceKind.MANY_TO_ONE || (kind === ReferenceKind.ONE_TO_ONE && property.owner)) &&
        targetMeta?.primaryKeys.length === 1))
  );
}

function fieldOf(property: EntityProperty, hasDefault: boolean): TenantField {
  const { name, nullable = false, onCreate, targetMeta } = property;
  const flag = `--${name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
  const isBoolean = property.runtimeType === 'boolean';
  const choices = property.enum === true ? property.items?.map(String) : undefined;
  const takes = targetMeta === undefined ? typeOf(property) : `the key of a ${targetMeta.className}`;
  const isRequired =
    !nullable && !hasDefault && property.default === undefined && property.defaultRaw === undefined && onCreate === undefined;

  return {
    name,
    flag,
    isBoolean,
    isRequired,
    isNullable: nullable,
    choices,
    takes: choices === undefined ? takes : `one of ${choices.join(', ')}`,
    parse: text => parse(targetMeta?.getPrimaryProp() ?? property, text, { flag, takes, choices }),
  };
}

function parse(
  property: EntityProperty,
  text: string,
  { flag, takes, choices }: { readonly flag: string; readonly takes: string; readonly choices: readonly string[] | undefined },
): unknown {
  const refuse = (expected: string): never => {
    throw RunUsageError.option(flag, text, expected);
  };

  if (choices !== undefined) {
    const index = choices.indexOf(text);

    return index === -1 ? refuse(`one of ${choices.join(', ')}`) : property.items?.[index];
  }

  switch (typeOf(property)) {
    case 'a number':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : refuse(takes);
    case 'a whole number':
      return /^-?\d+$/.test(text) ? BigInt(text) : refuse(takes);
    case 'yes or no':
      return /^(y|yes|true|1)$/i.test(text) ? true : /^(n|no|false|0)$/i.test(text) ? false : refuse(takes);
    case 'a date':
      return Number.isNaN(Date.parse(text)) ? refuse('a date, such as 2027-01-31') : new Date(text);
    case 'JSON':
      return parseJson(text, () => refuse('JSON'));
    default:
      return text === '' ? refuse('a text') : text;
  }
}

function typeOf(property: EntityProperty): string {
  if (property.customType instanceof JsonType || property.array === true || property.runtimeType === 'object') {
    return 'JSON';
  }

  return TYPES[property.runtimeType] ?? 'a text';
}

function parseJson(text: string, refuse: () => unknown): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return refuse();
  }
}

/** The properties that a new entity has without data. */
function defaultsOf({ class: Tenant }: EntityMetadata): ReadonlySet<string> {
  try {
    return new Set(
      Object.entries(new (Tenant as new () => object)())
        .filter(([, value]) => value !== undefined)
        .map(([name]) => name),
    );
  } catch {
    // its constructor needs data
    return new Set();
  }
}

/** What is an option of the command line already. A property of that name is given by `--data`. */
const OPTIONS: ReadonlySet<string> = new Set('config context contextName data h help json quiet schema v version'.split(' '));

const TYPES: Readonly<Record<string, string>> = { number: 'a number', bigint: 'a whole number', boolean: 'yes or no', Date: 'a date' };
