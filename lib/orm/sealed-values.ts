/**
 * Writes every value that MikroORM fills into SQL without a question mark in it. A fragment of SQL with values of its own, as by `raw()`, is filled
 * in before the query around it, and MikroORM 7 then takes a `?` in such a value for a place of the next one, which ends the literal: a text like `?`
 * would let another value be SQL. An escape string has the same value, whatever is done to it afterwards.
 *
 * Relies on `formatQuery` of the platform being what fills in, and on it asking `quoteValue` for each value. `spec/orm/sealed-values.spec.ts` fails if
 * that changes.
 */
export function sealValues(platform: object): void {
  const open = platform as FillingPlatform;
  const own = open.formatQuery;
  const sealing = Object.create(open, {
    quoteValue: { value: (value: unknown) => sealed(open.quoteValue(value)) },
  }) as FillingPlatform;

  open.formatQuery = (sql, params) => own.call(sealing, sql, params);
}

// what is no literal is a fragment, of which each value has come here before
function sealed(text: unknown): unknown {
  const literal = typeof text === 'string' && text.includes('?') ? LITERAL.exec(text) : null;

  if (literal === null) {
    return text;
  }

  const [, escapes, body = ''] = literal;

  return ` E'${(escapes === undefined ? body.replaceAll('\\', '\\\\') : body).replaceAll('?', String.raw`\x3F`)}'`;
}

const LITERAL = /^\s*(E)?'((?:[^']|'')*)'$/;

interface FillingPlatform {
  formatQuery: (this: FillingPlatform, sql: string, params: readonly unknown[]) => string;
  quoteValue(value: unknown): unknown;
}
