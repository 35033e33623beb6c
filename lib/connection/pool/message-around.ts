import type { Around, Query } from '../statements/kysely-types.js';
import { MARKS, WANTS_FIRST } from './server-status.js';

/** The message with what is sent around it. */
export function withSettings(query: Query): Query {
  const { around, sql } = query;

  if (around === undefined) {
    return query;
  }

  const { before, after, place } = around;
  const isMarked = sql.endsWith(WANTS_FIRST);
  const statement = isMarked ? sql.slice(0, -WANTS_FIRST.length) : sql;
  const endsAt = before.length + '; '.length + (query.endsAt ?? sql.length);

  // a comment may go to the end of the line
  return after === undefined
    ? { ...query, sql: `${before}; ${statement}${isMarked ? '' : '\n'}${WANTS_FIRST}`, endsAt }
    : { ...query, sql: `${before}; ${statement}\n; ${after}${MARKS[place]}`, endsAt };
}

/** Has the error say at which character of the statement it was, not of the message. */
export function placeInStatement(error: unknown, { before }: Around): unknown {
  const { position } = (error ?? {}) as { readonly position?: unknown };
  const place = Number(position) - Array.from(before).length - '; '.length;

  return place > 0 ? Object.assign(error as object, { position: String(place) }) : error;
}
