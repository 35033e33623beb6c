import type { Transaction } from '@mikro-orm/core';
import { SCHEMA_NOW } from '../connection/check/schema-check-sql.js';
import type { ChangeFeed } from './change-feed.js';

/**
 * Which schema has a name now. A name is used again: by a tenant that is created where another was dropped, or that is given the name of a
 * renamed one. PostgreSQL's own key of a schema is not.
 *
 * What was found is kept for as long as the directory keeps tenants.
 */
export class SchemaIdentities {
  readonly #database: IdentifyingDatabase;
  readonly #known = new Map<string, { readonly schema: IdentifiedSchema; readonly askedAt: number }>();
  #changes = 0;

  constructor(database: IdentifyingDatabase) {
    this.#database = database;
  }

  /**
   * The schemas' names, each with its key, or with none where there is no such schema. In a transaction each is looked up anew: it may
   * have changed there, which nobody else sees before the commit.
   */
  async of(schemaNames: readonly string[], ctx: Transaction | undefined): Promise<IdentifiedSchema[]> {
    const found: IdentifiedSchema[] = [];

    for (const name of schemaNames) {
      const known = ctx === undefined ? this.#known.get(name) : undefined;
      found.push(known !== undefined && this.#database.changes.isTrusted(known.askedAt) ? known.schema : await this.#find(name, ctx));
    }

    return found;
  }

  /** The same, asked of the database in any case, and of what others have committed in a transaction too. */
  async now(schemaNames: readonly string[], ctx: Transaction | undefined): Promise<IdentifiedSchema[]> {
    const found: IdentifiedSchema[] = [];

    for (const name of schemaNames) {
      const [row] = await this.#database.execute<SchemaRow>(SCHEMA_NOW.replace('$1', '?'), [name], ctx);
      found.push(schemaOf(name, row));
    }

    return found;
  }

  forget(): void {
    this.#known.clear();
    this.#changes++;
  }

  async #find(name: string, ctx: Transaction | undefined): Promise<IdentifiedSchema> {
    const changes = this.#changes;
    const askedAt = performance.now();
    const [row] = await this.#database.execute<SchemaRow>(
      'select n.oid, n.xmin::pg_catalog.text as mark from pg_catalog.pg_namespace n where n.nspname = ?',
      [name],
      ctx,
    );
    const schema = schemaOf(name, row);

    // what changed meanwhile may not be in the answer
    if (ctx === undefined && this.#database.onlyTransaction === undefined && changes === this.#changes && row !== undefined) {
      this.#known.set(name, { schema, askedAt });
    }

    return schema;
  }
}

function schemaOf(name: string, row: SchemaRow | undefined): IdentifiedSchema {
  return { identity: `${name}:${row?.oid ?? 'none'}`, mark: row?.mark ?? undefined };
}

/** The schema of a name. */
export interface IdentifiedSchema {
  /** Its name, and its key or that there is none. */
  readonly identity: string;

  /** By which it is known whether it has had its name since: the same as a `Moment` has. */
  readonly mark: string | undefined;
}

interface SchemaRow {
  readonly oid: number | string | null;
  readonly mark: string | null;
}

interface IdentifyingDatabase {
  readonly changes: Pick<ChangeFeed, 'isTrusted'>;
  readonly onlyTransaction: Transaction | undefined;
  execute<Row>(sql: string, params: readonly unknown[], ctx: Transaction | undefined): Promise<Row[]>;
}
