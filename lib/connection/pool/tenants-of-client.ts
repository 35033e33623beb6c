import { randomUUID } from 'node:crypto';
import { WANTS_COPIES } from './copy.js';
import { clientOf, WANTS_ROWS } from './server-status.js';

/** Says which tenants a transaction on the client was for, that began as another one's or as nobody's. */
export function addServed(client: object | undefined, tenants: readonly { readonly schemaName: string }[]): void {
  if (client !== undefined) {
    const names = tenantsOfClient(client);
    tenants.forEach(({ schemaName }) => names.add(schemaName));
  }
}

/**
 * Marks a statement of the library's own whose transaction opens tables of these tenants outside of their scopes, as a report does, so that its
 * connection counts as one that has served them.
 */
export function servingSql(schemaNames: Iterable<string>, sql: string): string {
  // a name that somebody wrote into a row by hand cannot end the comment
  return `${SERVES}${Array.from(schemaNames, name => encodeURIComponent(name)).join(' ')}${END_OF_SERVES}${sql}`;
}

/** A statement of `servingSql` as it is sent. The server's statistics would have each list of names as a statement of its own. */
export function withoutServed(sql: string): string {
  return sql.startsWith(SERVES) ? sql.slice(sql.indexOf(END_OF_SERVES) + END_OF_SERVES.length) : sql;
}

/**
 * The tenants of a statement of `servingSql`, and of what creates, migrates, renames or drops tenants, which is in no tenant's scope. Each takes the
 * lock of its tenant before anything else, in a statement or in the first message.
 */
export function addNamed(connection: object, sql: string): void {
  if (sql.startsWith(SERVES)) {
    const names = sql.slice(SERVES.length, sql.indexOf(END_OF_SERVES)).split(' ');
    addServed(
      clientOf(connection),
      names.map(name => ({ schemaName: decodeURIComponent(name) })),
    );
    return;
  }

  if (!sql.startsWith(LOCKING) && !sql.startsWith(WANTS_ROWS) && !sql.startsWith(WANTS_COPIES)) {
    return;
  }

  const names = [...sql.matchAll(LOCK_OF_TENANT)].map(([, schemaName = '']) => ({ schemaName }));
  addServed(clientOf(connection), names);
}

/** How a statement begins that takes a lock. */
export const LOCKING = 'select pg_';

/** The tenants that a client of `pg` has served, to be added to. */
export function tenantsOfClient(client: object): Set<string> {
  let names = served.get(client);

  if (names === undefined) {
    names = new Set();
    served.set(client, names);
  }

  return names;
}

/** To PostgreSQL it is a comment, and nobody else's SQL begins with it. */
const SERVES = `/* serves ${randomUUID()} `;

const END_OF_SERVES = ' */ ';

const LOCK_OF_TENANT = /hashtextextended\('landlord:' \|\| '([^']+)'/g;

export function countTenantsOf(client: object): number {
  return served.get(client)?.size ?? 0;
}

export function hasServed(client: object, schemaName: string): boolean {
  return served.get(client)?.has(schemaName) === true;
}

/** The tenants that each client has served. */
const served = new WeakMap<object, Set<string>>();
