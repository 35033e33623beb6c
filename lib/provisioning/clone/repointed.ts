import { quoteIdentifier } from '../../postgres/schema-name.js';
import type { SchemaText } from './read-schema.js';
import { escaped, repoint, type Names } from './repoint.js';

export interface RepointOptions {
  readonly names: Names;
  /** The roles of the former tenant and of the new one, with the option `roles`. */
  readonly roles?: Names | undefined;
}

/** The statements of a schema for another one. `left` says which texts have the former name in them. */
export function repointed(
  text: SchemaText,
  { names, roles }: RepointOptions,
): { readonly text: SchemaText; readonly left: readonly string[] } {
  const left: string[] = [];

  const all = (statements: readonly string[]): string[] =>
    statements.map(statement => {
      const ofRole = roles === undefined ? statement : withRole(statement, roles);
      const { sql, left: found } = repoint(ofRole, names);
      const texts =
        roles !== undefined && new RegExp(`(?<![a-z0-9_])${escaped(roles.from)}(?![a-z0-9_])`, 'i').test(sql)
          ? [...found, `the role ${roles.from}`]
          : found;
      left.push(...texts.map(each => `${headOf(statement)}: ${each}`));

      return sql;
    });

  return {
    text: { ...text, objects: all(text.objects), keys: all(text.keys), foreignKeys: all(text.foreignKeys), behaviour: all(text.behaviour) },
    left,
  };
}

// whom a policy is for stands at its beginning
export function withRole(statement: string, { from, to }: Names): string {
  const head = /^create policy .* for \w+ to [^(]*/.exec(statement)?.[0];

  return head === undefined
    ? statement
    : head.replace(new RegExp(`(?<= to .*)(?<!["\\w$])"?${escaped(from)}"?(?!["\\w$])`), quoteIdentifier(to)) +
        statement.slice(head.length);
}

/** The kind and the name of what a statement makes. */
function headOf(statement: string): string {
  return statement.split(/\s+/).slice(1, 3).join(' ').replace(/\(.*$/, '');
}
