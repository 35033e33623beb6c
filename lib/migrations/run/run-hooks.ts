import type { TenantDatabase } from '../../database/tenant-database.js';
import { callInScope, reportFailure } from '../../orm/tenant-hooks.js';
import type { TenantWork } from './tenant-run.js';

/** Calls the hooks of the option `hooks` around the migration of each tenant, however its migrations are sent. */
export class RunHooks {
  readonly #database: TenantDatabase;
  readonly #direction: 'up' | 'down';
  readonly #isMigration: boolean;
  /** A tenant that is tried again has been told. */
  readonly #told = new Set<string>();
  readonly #reports: Promise<void>[] = [];

  /** With `isMigration` false, as where only histories are changed, it calls none. */
  constructor(database: TenantDatabase, direction: 'up' | 'down', isMigration: boolean) {
    this.#database = database;
    this.#direction = direction;
    this.#isMigration = isMigration;
  }

  /** Calls `beforeMigrate` for each of them, and returns those that may be migrated. `onFailure` is told of the others. */
  async before(works: readonly TenantWork[], onFailure: (schemaName: string, error: unknown) => void): Promise<readonly TenantWork[]> {
    if (!this.#isMigration || this.#database.options.hooks?.beforeMigrate === undefined) {
      return works;
    }

    const left: TenantWork[] = [];

    for (const work of works) {
      const { schemaName, planned } = work;

      try {
        if (!this.#told.has(schemaName)) {
          const migrations = planned.map(({ name }) => name);
          await callInScope(this.#database, 'beforeMigrate', { schemaName, direction: this.#direction, migrations });
        }

        this.#told.add(schemaName);
        left.push(work);
      } catch (error) {
        onFailure(schemaName, error);
      }
    }

    return left;
  }

  /** Calls `afterMigrate` for each of them where anything was migrated. Never fails. */
  async after(migrated: readonly { readonly schemaName: string; readonly migrations: readonly string[] }[]): Promise<void> {
    if (!this.#isMigration || this.#database.options.hooks?.afterMigrate === undefined) {
      return;
    }

    for (const { schemaName, migrations } of migrated.filter(each => each.migrations.length > 0)) {
      try {
        await callInScope(this.#database, 'afterMigrate', { schemaName, direction: this.#direction, migrations });
      } catch (error) {
        await reportFailure(this.#database, { operation: 'afterMigrate', schemaName, error });
      }
    }
  }

  /** Tells `onError` of a tenant that was not migrated. `settled` waits for it. */
  failed(schemaName: string, error: unknown): void {
    if (!this.#isMigration) {
      return;
    }

    this.#reports.push(reportFailure(this.#database, { operation: 'migrate', schemaName, error }));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#reports);
  }
}
