/** SQL that a migration queues. */
export interface QueuedSql {
  readonly migration: string;
  readonly sql: string;
}

/**
 * The enums of a new schema, each created with the values that later migrations add to it. PostgreSQL does not let a transaction use a value
 * that it has added to an enum, and a new schema gets all migrations in one. `add value` then becomes `add value if not exists`, and does nothing.
 */
export class NewEnums {
  // for each piece of SQL, what is sent in its place: once for each time it is queued
  readonly #replacements = new Map<string, string[]>();

  /** @param queued What the migrations queue, in the order in which they run. What is missing in it is left as it is. */
  constructor(queued: readonly QueuedSql[]) {
    if (!queued.some(({ sql }) => MAY_HAVE_ENUMS.test(sql))) {
      return;
    }

    const statements = queued.flatMap(({ sql }, index) => statementsOf(sql).map(statement => ({ index, statement })));
    const changes = new Map<number, Change[]>();

    for (const { index, change } of changesOf(statements)) {
      changes.set(index, [...(changes.get(index) ?? []), change]);
    }

    for (const [index, { migration, sql }] of queued.entries()) {
      const replacements = this.#replacements.get(keyOf(migration, sql)) ?? [];
      replacements.push(replaced(sql, changes.get(index) ?? []));
      this.#replacements.set(keyOf(migration, sql), replacements);
    }
  }

  /** What is sent in the place of the SQL. Call it once for each piece, in the order in which they run. */
  replace(migration: string, sql: string): string {
    return this.#replacements.get(keyOf(migration, sql))?.shift() ?? sql;
  }
}

/** An enum between the statement that creates it and the one that drops it. */
interface Enum {
  /** Those it is created with and those that are added, in order. */
  readonly values: { readonly created: string; current: string }[];
  /** Every name that a value has had. */
  readonly used: Set<string>;
  readonly changes: { readonly index: number; readonly change: Change }[];
  readonly list: { readonly index: number; readonly at: number; readonly length: number };
  /** Whether its values cannot be told beforehand. */
  isOpen: boolean;
}

function changesOf(statements: readonly { readonly index: number; readonly statement: EnumStatement }[]): Enum['changes'][number][] {
  const all: Enum[] = [];
  const byName = new Map<string, Enum>();

  for (const { index, statement } of statements) {
    const { kind, name } = statement;
    const known = byName.get(name);

    if (kind === 'create') {
      const created: Enum = {
        values: statement.values.map(value => ({ created: value, current: value })),
        used: new Set(statement.values),
        changes: [],
        list: { index, ...statement.list },
        isOpen: false,
      };
      all.push(created);
      byName.set(name, created);
    } else if (known === undefined) {
      continue;
    } else if (kind === 'drop') {
      byName.delete(name);
    } else if (kind === 'rename') {
      byName.delete(name);
      byName.set(statement.to, known);
    } else if (kind === 'rename value') {
      renameValue(known, statement);
    } else {
      addValue(known, statement, index);
    }
  }

  return all.filter(({ isOpen, changes }) => !isOpen && changes.length > 0).flatMap(each => [createdWith(each), ...each.changes]);
}

function createdWith({ list: { index, ...place }, values }: Enum): Enum['changes'][number] {
  return { index, change: { ...place, text: values.map(({ created }) => `'${created.replaceAll("'", "''")}'`).join(', ') } };
}

function renameValue(type: Enum, { from, to }: Extract<EnumStatement, { kind: 'rename value' }>): void {
  const value = type.values.find(({ current }) => current === from);

  if (value === undefined) {
    type.isOpen = true;
  } else {
    value.current = to;
    type.used.add(to);
  }
}

function addValue(type: Enum, { value, isOptional, position, at }: Extract<EnumStatement, { kind: 'add' }>, index: number): void {
  const isThere = type.values.some(({ current }) => current === value);
  const neighbour = position === undefined ? type.values.length : type.values.findIndex(({ current }) => current === position.value);

  if (isThere && isOptional) {
    return;
  }

  // PostgreSQL refuses it, or another value had the name before
  if (type.used.has(value) || neighbour === -1) {
    type.isOpen = true;
    return;
  }

  type.values.splice(position?.side === 'after' ? neighbour + 1 : neighbour, 0, { created: value, current: value });
  type.used.add(value);

  type.changes.push({ index, change: { at, length: 0, text: isOptional ? '' : 'if not exists ' } });
}

interface Change {
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

function replaced(sql: string, changes: readonly Change[]): string {
  return changes
    .toSorted((a, b) => b.at - a.at)
    .reduce((text, { at, length, text: by }) => text.slice(0, at) + by + text.slice(at + length), sql);
}

type EnumStatement =
  | {
      readonly kind: 'create';
      readonly name: string;
      readonly values: readonly string[];
      readonly list: { readonly at: number; readonly length: number };
    }
  | { readonly kind: 'drop'; readonly name: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'rename value'; readonly name: string; readonly from: string; readonly to: string }
  | {
      readonly kind: 'add';
      readonly name: string;
      readonly value: string;
      readonly isOptional: boolean;
      readonly position: { readonly side: string; readonly value: string } | undefined;
      /** Where the value stands. */
      readonly at: number;
    };

/** The statements about enums in the SQL. A type with a schema is not of the tenant. */
function statementsOf(sql: string): EnumStatement[] {
  return MAY_HAVE_ENUMS.test(sql) ? [...sql.matchAll(STATEMENT)].flatMap(match => statementOf(match)) : [];
}

function statementOf({ groups, indices }: RegExpExecArray): EnumStatement[] {
  const { created, list = '', dropped, altered = '', to, old, now = '', added, optional, side, neighbour = '' } = groups ?? {};
  const { list: listAt = NOWHERE, added: addedAt = NOWHERE } = indices?.groups ?? {};

  if (created !== undefined) {
    const values = [...list.matchAll(LITERAL)].map(([literal]) => unquoted(literal));

    return [{ kind: 'create', name: nameOf(created), values, list: { at: listAt[0], length: list.length } }];
  }

  if (dropped !== undefined) {
    return [...dropped.matchAll(NAME)].map(([name]) => ({ kind: 'drop', name: nameOf(name) }));
  }

  const name = nameOf(altered);

  if (to !== undefined) {
    return [{ kind: 'rename', name, to: nameOf(to) }];
  }

  if (old !== undefined) {
    return [{ kind: 'rename value', name, from: unquoted(old), to: unquoted(now) }];
  }

  // a comment or a string
  if (added === undefined) {
    return [];
  }

  const position = side === undefined ? undefined : { side: side.toLowerCase(), value: unquoted(neighbour) };

  return [{ kind: 'add', name, value: unquoted(added), isOptional: optional !== undefined, position, at: addedAt[0] }];
}

// PostgreSQL folds a name without quotes
function nameOf(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}

function unquoted(literal: string): string {
  return literal.slice(1, -1).replaceAll("''", "'");
}

function keyOf(migration: string, sql: string): string {
  return `${migration}\n${sql}`;
}

const NOWHERE = [0, 0] as const;

const MAY_HAVE_ENUMS = /\btype\b/i;

const TEXT = `'(?:[^']|'')*'`;
const IDENTIFIER = String.raw`(?:"(?:[^"]|"")*"|[a-z_\u0080-\uffff][\w$\u0080-\uffff]*)`;

const LITERAL = new RegExp(TEXT, 'g');
const NAME = new RegExp(IDENTIFIER, 'gi');

// what is in a comment or a string is skipped
const STATEMENT = new RegExp(
  [
    String.raw`--[^\n]*`,
    String.raw`/\*[\s\S]*?\*/`,
    String.raw`\bcreate\s+type\s+(?<created>${IDENTIFIER})\s+as\s+enum\s*\(\s*(?<list>(?:${TEXT}(?:\s*,\s*${TEXT})*)?)\s*\)`,
    String.raw`\bdrop\s+type\s+(?:if\s+exists\s+)?(?<dropped>${IDENTIFIER}(?:\s*,\s*${IDENTIFIER})*)(?!\s*\.)`,
    String.raw`\balter\s+type\s+(?<altered>${IDENTIFIER})\s+(?:${[
      String.raw`add\s+value\s+(?<optional>if\s+not\s+exists\s+)?(?<added>${TEXT})(?:\s+(?<side>before|after)\s+(?<neighbour>${TEXT}))?`,
      String.raw`rename\s+value\s+(?<old>${TEXT})\s+to\s+(?<now>${TEXT})`,
      String.raw`rename\s+to\s+(?<to>${IDENTIFIER})`,
    ].join('|')})`,
    TEXT,
  ].join('|'),
  'dgi',
);
