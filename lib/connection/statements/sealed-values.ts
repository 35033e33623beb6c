import { RawQueryFragment } from '@mikro-orm/core';

/**
 * Writes every value into SQL without a question mark. MikroORM 7 writes the values of an SQL fragment, such as `raw()`, before those of the query
 * around it. It then reads a `?` in such a value as the placeholder of the next value, which ends the literal: with a text like `?`, another value
 * would become SQL. The same holds for the keys of a condition on a JSON property, which MikroORM writes into such a fragment. Here each `?` is
 * written as an escape sequence, which PostgreSQL reads as the same character. The same holds for every name: names come from outside too, such as
 * the keys of a body that is given to `em.insert()`.
 *
 * Relies on the platform's methods in `FILLING` being the only ones that write values, and on them calling `escapeLiteral` for each text, also in
 * arrays. `spec/connection/sealed-values.spec.ts` fails if that changes.
 */
export function sealValues(platform: object): void {
  const open = platform as FillingPlatform;
  const escapeLiteral = open.escapeLiteral.bind(open);
  const quoteIdentifier = open.quoteIdentifier.bind(open);
  let isFilling = false;

  open.escapeLiteral = text => {
    const literal = escapeLiteral(text);

    return isFilling && literal.includes('?') ? sealed(literal) : literal;
  };

  // named arguments, as every name and every statement comes here
  open.quoteIdentifier = (id, quote) => {
    const name = quoteIdentifier(id, quote);

    // a fragment is written out as it is
    return typeof name !== 'string' || !name.includes('?') || RawQueryFragment.isKnownFragment(id) ? name : sealedName(name);
  };

  for (const name of FILLING) {
    const fill = open[name].bind(open);

    open[name] = (first, second, third, fourth, ...rest) => {
      const wasFilling = isFilling;
      isFilling = true;

      try {
        return fill(first, second, third, fourth, ...rest);
      } finally {
        isFilling = wasFilling;
      }
    };
  }
}

function sealed(text: string): string {
  const literal = LITERAL.exec(text);

  if (literal === null) {
    return text;
  }

  const [, escapes, body = ''] = literal;

  return ` E'${(escapes === undefined ? body.replaceAll('\\', '\\\\') : body).replaceAll('?', String.raw`\x3F`)}'`;
}

/** A name with its quotes, also one with a schema or an alias before it. Every other part stays as it is. */
function sealedName(name: string): string {
  return name.replaceAll(QUOTED, part =>
    part.includes('?') ? `U&${part.replaceAll('\\', '\\\\').replaceAll('?', String.raw`\003F`)}` : part,
  );
}

/**
 * The text of a comment in SQL, without what would end the comment or would be taken for the place of a value. MikroORM writes the comment as it is
 * given, and the URL of a request is a usual one.
 */
export function sealedComment(text: unknown): string {
  return String(text).replaceAll('?', '%3F').replaceAll('*/', '* /').replaceAll('/*', '/ *');
}

const QUOTED = /"(?:[^"]|"")*"/g;

const LITERAL = /^\s*(E)?'((?:[^']|'')*)'$/;

const FILLING = ['formatQuery', 'getSearchJsonPropertyKey', 'getJsonArrayElementPropertySQL'] as const;

interface FillingPlatform extends Record<(typeof FILLING)[number], (...args: unknown[]) => unknown> {
  escapeLiteral(text: string): string;
  quoteIdentifier(id: string, quote?: string): unknown;
}
