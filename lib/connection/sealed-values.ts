/**
 * Writes every value that MikroORM fills into SQL without a question mark in it. A fragment of SQL with values of its own, as by `raw()`, is filled
 * in before the query around it, and MikroORM 7 then takes a `?` in such a value for a place of the next one, which ends the literal: a text like `?`
 * would let another value be SQL. So it is with the keys of a condition on a JSON property, which it writes into such a fragment. An escape string
 * has the same value, whatever is done to it afterwards.
 *
 * Relies on the methods of the platform named below being what fills in, and on them asking `escapeLiteral` for each text, also those in an array.
 * `spec/orm/sealed-values.spec.ts` fails if that changes.
 */
export function sealValues(platform: object): void {
  const open = platform as FillingPlatform;
  const escapeLiteral = open.escapeLiteral.bind(open);
  let isFilling = false;
  open.escapeLiteral = text => (isFilling ? sealed(escapeLiteral(text)) : escapeLiteral(text));

  for (const name of FILLING) {
    const fill = open[name].bind(open);

    open[name] = (...args) => {
      const wasFilling = isFilling;
      isFilling = true;

      try {
        return fill(...args);
      } finally {
        isFilling = wasFilling;
      }
    };
  }
}

function sealed(text: string): string {
  const literal = text.includes('?') ? LITERAL.exec(text) : null;

  if (literal === null) {
    return text;
  }

  const [, escapes, body = ''] = literal;

  return ` E'${(escapes === undefined ? body.replaceAll('\\', '\\\\') : body).replaceAll('?', String.raw`\x3F`)}'`;
}

const LITERAL = /^\s*(E)?'((?:[^']|'')*)'$/;

const FILLING = ['formatQuery', 'getSearchJsonPropertyKey', 'getJsonArrayElementPropertySQL'] as const;

interface FillingPlatform extends Record<(typeof FILLING)[number], (...args: unknown[]) => unknown> {
  escapeLiteral(text: string): string;
}
